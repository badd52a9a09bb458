#include "server/log_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/format/renamed_frame.h"
#include "base/log/log.h"
#include "wal/export/frame_cut.h"
#include "wal/log_reader.h"
#include "wal/segment_reader.h"

namespace tidemark::server {
namespace {

bool AtOrBelow(const Watermarks& left, const Watermarks& right) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), std::less_equal<>());
}

// Where to begin to read for a replica: the oldest history that the position has not yet left.
// Sequences go on from parent to child, and a replica that was told so names the child although
// what it lacks is still the parent's.
struct ReadFrom {
  HistoryId history;
  Watermarks after;
};

ReadFrom BeginOf(const wal::Manifest& manifest, const replication::ReplicaPosition& position) {
  ReadFrom from{.history = position.history, .after = {}};
  for (const replication::ShardPosition& shard : position.shards) {
    from.after.push_back(shard.sequence);
  }
  const wal::History* history = manifest.Find(from.history);
  while (history != nullptr && history->parent != HistoryId() &&
         history->fork.size() == from.after.size() && manifest.Find(history->parent) != nullptr) {
    const Watermarks fork = wal::SequencesOf(history->fork);
    if (AtOrBelow(fork, from.after)) break;
    // Other shards may be past the fork already: those frames come again, and are known to be old.
    for (size_t i = 0; i < fork.size(); ++i) from.after[i] = std::min(from.after[i], fork[i]);
    from.history = history->parent;
    history = manifest.Find(history->parent);
  }
  return from;
}

class LogArchiveReader final : public replication::BlockingArchive::Reader {
 public:
  LogArchiveReader(std::unique_ptr<wal::LogReader> reader, const wal::Log& log)
      : reader_(std::move(reader)), log_(log) {}

  replication::ArchiveBatch Read(size_t max_bytes) override {
    replication::ArchiveBatch batch;
    size_t bytes = 0;
    while (bytes < max_bytes) {
      absl::StatusOr<std::optional<wal::LogReader::Item>> item = reader_->Next();
      absl::StatusOr<FrameRef> frame = FrameRef();
      if (!item.ok()) {
        frame = item.status();
      } else if (item->has_value()) {
        frame = FrameOf(**item);
      }
      if (!frame.ok()) {
        // What was read is good; the error comes again.
        if (batch.frames.empty()) batch.status = frame.status();
        break;
      }
      if (*frame == nullptr) break;
      bytes += (*frame)->bytes().size();
      batch.frames.push_back(*std::move(frame));
    }
    return batch;
  }

 private:
  absl::StatusOr<FrameRef> FrameOf(const wal::LogReader::Item& item) const {
    FrameRef frame = item.frame;
    if (item.through < frame->last_sequence()) {
      const wal::Positions* const end = log_.manifest().EndOf(frame->history());
      CHECK(end != nullptr);  // Only a history's end cuts a frame.
      absl::StatusOr<FrameRef> cut =
          wal::CutFrame(*frame, item.through, (*end)[frame->shard().value()].digest);
      if (!cut.ok()) return cut.status();
      frame = *std::move(cut);
    }
    if (frame->history() == log_.history()) return frame;
    return RenamedFrame(*frame, log_.history());
  }

  const std::unique_ptr<wal::LogReader> reader_;
  const wal::Log& log_;
};

}  // namespace

LogArchive::LogArchive(const wal::DataDirectory& directory, std::shared_ptr<const wal::Log> log,
                       wal::Retention& retention, uint64_t retain_bytes)
    : directory_(directory),
      shared_log_(std::move(log)),
      log_(*shared_log_),
      retention_(retention),
      retain_bytes_(retain_bytes) {}

LogArchive::~LogArchive() = default;

absl::StatusOr<std::unique_ptr<LogArchive::Reader>> LogArchive::Open(
    const replication::ReplicaPosition& position) {
  ReadFrom from = BeginOf(log_.manifest(), position);
  absl::StatusOr<std::unique_ptr<wal::LogReader>> reader =
      wal::LogReader::Open(directory_, &log_, from.history, std::move(from.after), nullptr,
                           wal::LogReader::Shows::kWritten);
  if (!reader.ok()) return reader.status();
  return std::make_unique<LogArchiveReader>(*std::move(reader), log_);
}

// --- Retention ---

void LogArchive::RefreshSegments() {
  const absl::StatusOr<std::vector<uint64_t>> numbers = directory_.ListSegments();
  if (!numbers.ok()) return;  // The next look is soon.
  const std::set<uint64_t> there(numbers->begin(), numbers->end());
  std::erase_if(segments_, [&](const auto& entry) { return !there.contains(entry.first); });
  for (const uint64_t number : there) {
    if (segments_.contains(number)) continue;
    const absl::StatusOr<std::unique_ptr<wal::SegmentReader>> segment = wal::SegmentReader::Open(
        directory_.disk(), directory_.SegmentPath(number),
        {.directory = directory_.id(), .number = number, .tail = wal::SegmentTail::kMayBeTorn});
    // Not readable now, or pruned just now: it is looked at again, and until then more is kept.
    if (!segment.ok() || (*segment)->header() == nullptr) continue;
    const wal::SegmentHeader& header = *(*segment)->header();
    segments_[number] = {.history = header.history, .before = wal::SequencesOf(header.before)};
  }
}

std::optional<uint64_t> LogArchive::SegmentFor(const Watermarks& acked) const {
  // Sequences go on through the histories as long as there are as many shards.
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    if (segment->second.before.size() != acked.size()) break;
    if (AtOrBelow(segment->second.before, acked)) return segment->first;
  }
  return std::nullopt;
}

void LogArchive::Keep(const std::string& node_id, HistoryId history, const Watermarks& acked) {
  if (retain_bytes_ == 0 || history != log_.history()) return;
  RefreshSegments();
  const std::optional<uint64_t> segment = SegmentFor(acked);
  const std::lock_guard lock(mutex_);
  std::unique_ptr<wal::Retention::Hold>& hold = holds_[node_id];
  // What it lacks went before it was known: nothing can be kept for it, and nothing is lost anew.
  if (!segment.has_value() && hold == nullptr) {
    holds_.erase(node_id);
    return;
  }
  if (!segment.has_value()) return;
  if (hold != nullptr && !hold->lost()) return hold->Set(*segment);
  // New, or back from being lost by another way than the log.
  hold = retention_.Register(
      {.name = fmt::format("replica {}", node_id),
       .cap_bytes = retain_bytes_,
       .on_lost =
           [node_id](const wal::Retention::LostReader& lost) {
             Log(LogLevel::kWarning,
                 fmt::format(
                     "the log is no longer kept for replica {}: from segment {} on it would "
                     "be {} bytes, more than replica_retain_bytes ({}); it will need a "
                     "snapshot",
                     node_id, lost.segment, lost.kept_bytes, lost.cap_bytes));
           }},
      *segment);
}

void LogArchive::Forget(const std::string& node_id) {
  const std::lock_guard lock(mutex_);
  holds_.erase(node_id);
}

bool LogArchive::Lost(const std::string& node_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = holds_.find(node_id);
  return found != holds_.end() && found->second->lost();
}

}  // namespace tidemark::server
