#include "wal/offline/restore.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "wal/disk/whole_file.h"
#include "wal/format/segment.h"
#include "wal/offline/check.h"
#include "wal/offline/survey.h"

namespace tidemark::wal {
namespace {

constexpr uint64_t kBlockBytes = 1 << 20;
constexpr uint64_t kAll = std::numeric_limits<uint64_t>::max();

// The first `bytes` of a file, and `behind` after them; synced.
absl::Status CopyFile(Disk& disk, const std::string& from, uint64_t bytes, std::string_view behind,
                      const std::string& to) {
  const absl::StatusOr<std::unique_ptr<File>> in = disk.OpenFile(from, Disk::Open::kRead);
  if (!in.ok()) return in.status();
  const absl::StatusOr<std::unique_ptr<File>> out = disk.OpenFile(to, Disk::Open::kCreate);
  if (!out.ok()) return out.status();
  std::string block(kBlockBytes, '\0');
  uint64_t copied = 0;
  while (copied < bytes) {
    const absl::StatusOr<size_t> read =
        (*in)->ReadAt(copied, std::min(bytes - copied, kBlockBytes), block.data());
    if (!read.ok()) return read.status();
    if (*read == 0) break;
    const absl::Status written = (*out)->WriteAt(copied, std::string_view(block.data(), *read));
    if (!written.ok()) return written;
    copied += *read;
  }
  if (bytes != kAll && copied < bytes) {
    return absl::DataLossError(
        fmt::format("{}: has {} bytes, {} were there a moment ago", from, copied, bytes));
  }
  if (!behind.empty()) {
    if (absl::Status s = (*out)->WriteAt(copied, behind); !s.ok()) return s;
  }
  return (*out)->Sync();
}

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

absl::Status CopySnapshot(const DataDirectory& source, uint64_t number, const std::string& into) {
  Disk& disk = source.disk();
  const std::string from = source.SnapshotPath(number);
  const std::string to = into + "/" + BaseName(from);
  const absl::StatusOr<std::vector<std::string>> names = disk.List(from);
  if (!names.ok()) return names.status();
  if (absl::Status s = disk.CreateDirectory(to); !s.ok()) return s;
  for (const std::string& name : *names) {
    const absl::Status s = CopyFile(disk, from + "/" + name, kAll, "", to + "/" + name);
    if (!s.ok()) return s;
  }
  return disk.SyncDirectory(to);
}

absl::Status MakeEmpty(Disk& disk, const std::string& path) {
  if (absl::Status s = disk.CreateDirectory(path); !s.ok()) return s;
  const absl::StatusOr<std::vector<std::string>> names = disk.List(path);
  if (!names.ok()) return names.status();
  if (!names->empty()) return absl::FailedPreconditionError(path + " is not empty");
  return disk.SyncDirectory(DirectoryOf(path));
}

absl::Status Check(Disk& disk, const std::string& path) {
  const auto directory = DataDirectory::OpenExisting(disk, path, DataDirectory::Access::kLock);
  if (!directory.ok()) return directory.status();
  const absl::StatusOr<Survey> survey = SurveyDirectory(**directory, SurveyDepth::kEverything);
  if (!survey.ok()) return survey.status();
  const absl::StatusOr<CheckReport> report = CheckDirectory(**directory, *survey);
  if (!report.ok()) return report.status();
  if (report->problems.empty()) return absl::OkStatus();
  return absl::DataLossError("the copy is damaged, do not use it: " + report->problems.front());
}

}  // namespace

absl::Status CopySealed(const DataDirectory& source, uint64_t segment, const SegmentEnd& end,
                        const std::string& to, int64_t now_ms) {
  const std::string footer =
      EncodeFooter({.directory = source.id(), .number = segment, .offset = end.end_bytes},
                   {.synced_to = end.end_bytes,
                    .written_at_ms = now_ms,
                    .frames = end.frames,
                    .after = end.after});
  return CopyFile(source.disk(), source.SegmentPath(segment), end.end_bytes, footer, to);
}

absl::Status CopyAtCut(const DataDirectory& source, const Cut& cut, const CopyOptions& options) {
  Disk& disk = source.disk();
  if (absl::Status s = MakeEmpty(disk, options.into); !s.ok()) return s;
  if (cut.snapshot != 0) {
    if (absl::Status s = CopySnapshot(source, cut.snapshot, options.into); !s.ok()) return s;
  }
  for (uint64_t number = cut.first_segment; number != 0 && number <= cut.last_segment; ++number) {
    const std::string from = source.SegmentPath(number);
    const std::string to = options.into + "/" + BaseName(from);
    const bool whole = number < cut.last_segment || cut.last.sealed;
    const absl::Status s = whole ? CopyFile(disk, from, kAll, "", to)
                                 : CopySealed(source, number, cut.last, to, options.now_ms);
    if (!s.ok()) return s;
  }
  if (absl::Status s = disk.SyncDirectory(options.into); !s.ok()) return s;
  Manifest manifest = ManifestAt(source.manifest(), cut, options.child, options.now_ms);
  // Of another node, and whole: a replica's copy goes on by itself.
  manifest.node_id = 0;
  manifest.follows = false;
  manifest.restart.reset();
  const absl::Status written = DataDirectory::WriteManifest(disk, options.into, manifest);
  if (!written.ok()) return written;
  return Check(disk, options.into);
}

}  // namespace tidemark::wal
