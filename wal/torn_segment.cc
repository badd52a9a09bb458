#include "wal/torn_segment.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/crash_point.h"
#include "base/format/frame.h"
#include "base/log/log.h"
#include "fmt/format.h"
#include "wal/disk/disk.h"
#include "wal/disk/whole_file.h"
#include "wal/format/segment.h"
#include "wal/recovery_plan.h"

namespace tidemark::wal {
namespace {

// Writes `bytes` of `from` at `offset` to `to`, which may be the same file, at `to_offset`.
absl::Status CopyBytes(File& from, uint64_t offset, uint64_t bytes, File& to, uint64_t to_offset) {
  constexpr uint64_t kBlockBytes = 1 << 20;
  std::string block(std::min(bytes, kBlockBytes), '\0');
  for (uint64_t copied = 0; copied < bytes;) {
    const absl::StatusOr<size_t> read = from.ReadAt(
        offset + copied, std::min<uint64_t>(bytes - copied, block.size()), block.data());
    if (!read.ok()) return read.status();
    if (*read == 0) break;
    const absl::Status written =
        to.WriteAt(to_offset + copied, std::string_view(block.data(), *read));
    if (!written.ok()) return written;
    copied += *read;
  }
  return absl::OkStatus();
}

absl::Status WriteOverItself(File& file, uint64_t bytes) {
  return CopyBytes(file, 0, bytes, file, 0);
}

// Copies `bytes` of `from` at `offset` to a file of their own; whole under that name, or not there.
absl::Status CopyOut(Disk& disk, File& from, uint64_t offset, uint64_t bytes,
                     const std::string& to) {
  const std::string temporary = to + std::string(kTemporarySuffix);
  if (absl::Status s = disk.RemoveTree(temporary); !s.ok()) return s;
  absl::StatusOr<std::unique_ptr<File>> file = disk.OpenFile(temporary, Disk::Open::kCreate);
  if (!file.ok()) return file.status();
  if (absl::Status s = CopyBytes(from, offset, bytes, **file, 0); !s.ok()) return s;
  if (absl::Status s = (*file)->Sync(); !s.ok()) return s;
  file->reset();
  if (absl::Status s = disk.Rename(temporary, to); !s.ok()) return s;
  return disk.SyncDirectory(DirectoryOf(to));
}

// What the torn bytes say of themselves, if their first ones are a frame's header.
std::string DescribeTear(File& file, uint64_t offset) {
  char bytes[kFrameHeaderBytes];
  const absl::StatusOr<size_t> read = file.ReadAt(offset, sizeof(bytes), bytes);
  FrameHeader header;
  if (!read.ok() || *read < sizeof(bytes) ||
      !DecodeFrameHeader({bytes, sizeof(bytes)}, kMaxFrameBytes, &header).ok()) {
    return "how many records is not known";
  }
  return fmt::format("at least a frame of {} records, shard {}, sequences {} to {}",
                     header.record_count, header.shard.value(), header.first_sequence.value(),
                     header.last_sequence.value());
}

// Empty if there is no space: what is torn was never promised to be there, so it is not worth a
// node that does not start.
absl::StatusOr<std::string> SaveTear(const DataDirectory& directory, File& file, uint64_t segment,
                                     const SegmentEnd& end) {
  absl::StatusOr<std::string> path =
      directory.MakeLostPath(fmt::format("{}.torn-at-{}", SegmentName(segment), end.end_bytes));
  absl::Status saved = path.status();
  if (path.ok()) saved = CopyOut(directory.disk(), file, end.end_bytes, end.torn_bytes, *path);
  if (!saved.ok() && !absl::IsResourceExhausted(saved)) return saved;
  Log(LogLevel::kWarning,
      fmt::format("{}: the last process did not stop cleanly and left the end torn: {} bytes at "
                  "offset {} are cut off ({}); {}",
                  directory.SegmentPath(segment), end.torn_bytes, end.end_bytes,
                  DescribeTear(file, end.end_bytes),
                  saved.ok() ? "saved as " + *path : "not saved: " + std::string(saved.message())));
  return saved.ok() ? *path : std::string();
}

}  // namespace

absl::Status RewriteSegment(const DataDirectory& directory, uint64_t segment) {
  absl::StatusOr<std::unique_ptr<File>> opened =
      directory.disk().OpenFile(directory.SegmentPath(segment), Disk::Open::kReadWrite);
  if (!opened.ok()) return opened.status();
  const absl::StatusOr<uint64_t> bytes = (*opened)->Size();
  if (!bytes.ok()) return bytes.status();
  if (absl::Status s = WriteOverItself(**opened, *bytes); !s.ok()) return s;
  return (*opened)->Sync();
}

absl::StatusOr<std::string> CutAndSeal(const DataDirectory& directory, uint64_t segment,
                                       const SegmentEnd& end, int64_t now_ms) {
  absl::StatusOr<std::unique_ptr<File>> opened =
      directory.disk().OpenFile(directory.SegmentPath(segment), Disk::Open::kReadWrite);
  if (!opened.ok()) return opened.status();
  File& file = **opened;
  std::string saved_as;
  if (end.torn_bytes > 0) {
    absl::StatusOr<std::string> saved = SaveTear(directory, file, segment, end);
    if (!saved.ok()) return saved;
    saved_as = *std::move(saved);
  }
  // Cut and on disk before the footer is written: a crash in between must not leave a footer with
  // the tear behind it, and the footer says that what is before it was synced.
  if (absl::Status s = file.Truncate(end.end_bytes); !s.ok()) return s;
  // As RewriteSegment() does, and for the same reason.
  if (absl::Status s = WriteOverItself(file, end.end_bytes); !s.ok()) return s;
  if (absl::Status s = file.Sync(); !s.ok()) return s;
  CrashPoint("recovery.tear_cut");
  const std::string footer =
      EncodeFooter({.directory = directory.id(), .number = segment, .offset = end.end_bytes},
                   {.synced_to = end.end_bytes,
                    .written_at_ms = now_ms,
                    .frames = end.frames,
                    .after = end.after});
  if (absl::Status s = file.WriteAt(end.end_bytes, footer); !s.ok()) return s;
  if (absl::Status s = file.Sync(); !s.ok()) return s;
  CrashPoint("recovery.sealed");
  return saved_as;
}

absl::StatusOr<std::string> RemoveUnbegun(const DataDirectory& directory, uint64_t segment,
                                          uint64_t torn_bytes) {
  const std::string path = directory.SegmentPath(segment);
  std::string saved_as;
  if (torn_bytes > 0) {
    const absl::StatusOr<std::string> lost =
        directory.MakeLostPath(SegmentName(segment) + ".torn-at-0");
    if (!lost.ok()) return lost.status();
    if (absl::Status s = directory.disk().Rename(path, *lost); !s.ok()) return s;
    if (absl::Status s = directory.disk().SyncDirectory(DirectoryOf(*lost)); !s.ok()) return s;
    saved_as = *lost;
    Log(LogLevel::kWarning,
        fmt::format("{}: the last process was interrupted while it made this segment, which holds "
                    "no frame yet; moved to {}",
                    path, saved_as));
  } else if (absl::Status s = directory.disk().Remove(path); !s.ok()) {
    return s;
  }
  if (absl::Status s = directory.Sync(); !s.ok()) return s;
  return saved_as;
}

}  // namespace tidemark::wal
