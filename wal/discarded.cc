#include "wal/discarded.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "wal/disk/whole_file.h"
#include "wal/segment_reader.h"

namespace tidemark::wal {
namespace {

constexpr std::string_view kPrefix = "discarded-";

// A segment that holds some of it.
struct Holder {
  uint64_t number = 0;
  uint64_t bytes = 0;
  bool begins_at_or_below = false;  // Older segments hold nothing of it.
};

absl::StatusOr<std::string> ReadSegment(const DataDirectory& directory, uint64_t number) {
  return ReadWholeFile(directory.disk(), directory.SegmentPath(number), SIZE_MAX);
}

// Newest first. A segment of another history, or of another number of shards, ends the search.
absl::StatusOr<std::vector<Holder>> FindHolders(const DataDirectory& directory, HistoryId history,
                                                const Watermarks& after) {
  const absl::StatusOr<std::vector<uint64_t>> numbers = directory.ListSegments();
  if (!numbers.ok()) return numbers.status();
  std::vector<Holder> holders;
  for (auto number = numbers->rbegin(); number != numbers->rend(); ++number) {
    const std::string path = directory.SegmentPath(*number);
    const absl::StatusOr<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(
        directory.disk(), path,
        {.directory = directory.id(), .number = *number, .tail = SegmentTail::kSealed});
    if (!reader.ok()) return reader.status();
    const SegmentHeader& header = *(*reader)->header();
    if (header.history != history || header.before.size() != after.size()) break;
    const absl::StatusOr<std::unique_ptr<File>> file =
        directory.disk().OpenFile(path, Disk::Open::kRead);
    if (!file.ok()) return file.status();
    const absl::StatusOr<uint64_t> bytes = (*file)->Size();
    if (!bytes.ok()) return bytes.status();
    Holder holder{.number = *number, .bytes = *bytes, .begins_at_or_below = true};
    for (size_t shard = 0; shard < after.size(); ++shard) {
      if (header.before[shard].sequence > after[shard]) holder.begins_at_or_below = false;
    }
    holders.push_back(holder);
    if (holder.begins_at_or_below) break;
  }
  return holders;
}

// How many there are by now, the oldest of which go.
absl::StatusOr<uint64_t> MakeRoom(const DataDirectory& directory, const std::string& lost,
                                  size_t max_kept) {
  Disk& disk = directory.disk();
  const absl::StatusOr<std::vector<std::string>> names = disk.List(lost);
  if (!names.ok()) return names.status();
  std::vector<std::pair<uint64_t, std::string>> kept;  // By number.
  for (const std::string& name : *names) {
    const size_t dash = name.rfind('-');
    if (!name.starts_with(kPrefix) || dash == std::string::npos) continue;
    uint64_t number = 0;
    for (const char c : name.substr(dash + 1)) {
      if (c < '0' || c > '9') break;
      number = number * 10 + static_cast<uint64_t>(c - '0');
    }
    kept.emplace_back(number, name);
  }
  std::sort(kept.begin(), kept.end());
  const uint64_t next = kept.empty() ? 1 : kept.back().first + 1;
  for (size_t i = 0; i + max_kept <= kept.size(); ++i) {
    const absl::Status removed = disk.RemoveTree(fmt::format("{}/{}", lost, kept[i].second));
    if (!removed.ok()) return removed;
  }
  return next;
}

}  // namespace

absl::StatusOr<SavedDiscarded> SaveDiscarded(const DataDirectory& directory, HistoryId history,
                                             const Watermarks& after,
                                             const SaveDiscardedOptions& options) {
  absl::StatusOr<std::vector<Holder>> holders = FindHolders(directory, history, after);
  if (!holders.ok()) return holders.status();
  if (holders->empty()) return SavedDiscarded();
  SavedDiscarded saved{.path = "", .complete = holders->back().begins_at_or_below};
  uint64_t bytes = 0;
  for (size_t i = 0; i < holders->size(); ++i) {
    bytes += (*holders)[i].bytes;
    if (i == 0 || bytes <= options.max_bytes) continue;
    holders->resize(i);
    saved.complete = false;
  }

  const absl::StatusOr<std::string> lost = directory.MakeLostPath("");
  if (!lost.ok()) return lost.status();
  const std::string lost_directory = lost->substr(0, lost->size() - 1);
  const absl::StatusOr<uint64_t> number = MakeRoom(directory, lost_directory, options.max_kept);
  if (!number.ok()) return number.status();
  const std::string path =
      fmt::format("{}/{}{:016x}-{}", lost_directory, kPrefix, history.value(), *number);
  Disk& disk = directory.disk();
  if (absl::Status s = disk.CreateDirectory(path); !s.ok()) return s;
  for (const Holder& holder : *holders) {
    const absl::StatusOr<std::string> contents = ReadSegment(directory, holder.number);
    if (!contents.ok()) return contents.status();
    const std::string from = directory.SegmentPath(holder.number);
    absl::Status s = WriteFileAtomically(
        disk, fmt::format("{}{}", path, from.substr(from.rfind('/'))), *contents);
    if (!s.ok()) return s;
  }
  // The last thing: what has no manifest is not whole.
  Manifest manifest = directory.manifest();
  manifest.clean_stop.reset();
  manifest.restart.reset();
  manifest.first = {};
  manifest.node_id = 0;
  if (manifest.Find(history) == nullptr) {
    // Of a full sync that is not whole on disk: the directory does not name its history yet.
    manifest.histories = {{.id = history,
                           .shard_count = static_cast<uint16_t>(after.size()),
                           .born_ms = 0,
                           .parent = HistoryId(),
                           .fork = {}}};
  }
  if (absl::Status s = DataDirectory::WriteManifest(disk, path, manifest); !s.ok()) return s;
  if (absl::Status s = disk.SyncDirectory(lost_directory); !s.ok()) return s;
  saved.path = path;
  return saved;
}

}  // namespace tidemark::wal
