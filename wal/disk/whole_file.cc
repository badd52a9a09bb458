#include "wal/disk/whole_file.h"

#include <fmt/format.h>

#include <memory>

#include "base/crash_point.h"

namespace tidemark::wal {

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::StatusOr<std::string> ReadWholeFile(Disk& disk, const std::string& path, size_t max_bytes) {
  absl::StatusOr<std::unique_ptr<File>> file = disk.OpenFile(path, Disk::Open::kRead);
  if (!file.ok()) return file.status();
  const absl::StatusOr<uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (*size > max_bytes) {
    return absl::ResourceExhaustedError(
        fmt::format("{} has {} bytes; at most {} are taken", path, *size, max_bytes));
  }
  std::string contents(*size, '\0');
  const absl::StatusOr<size_t> read = (*file)->ReadAt(0, contents.size(), contents.data());
  if (!read.ok()) return read.status();
  contents.resize(*read);
  return contents;
}

absl::Status WriteFileAtomically(Disk& disk, const std::string& path, std::string_view contents) {
  const std::string temporary = path + std::string(kTemporarySuffix);
  // One that is left over from a process that died, or from a failure of ours.
  if (absl::Status s = disk.RemoveTree(temporary); !s.ok()) return s;
  absl::StatusOr<std::unique_ptr<File>> file = disk.OpenFile(temporary, Disk::Open::kCreate);
  if (!file.ok()) return file.status();
  absl::Status status = (*file)->WriteAt(0, contents);
  CrashPoint("whole_file.written");
  // Before the rename: else the name may reach the disk first, and stand for an empty file.
  if (status.ok()) status = (*file)->Sync();
  CrashPoint("whole_file.synced");
  if (status.ok()) status = disk.Rename(temporary, path);
  CrashPoint("whole_file.renamed");
  if (!status.ok()) {
    // Frees the space; the failure that is returned is the one that tells.
    (void)disk.RemoveTree(temporary).ok();
    return status;
  }
  return disk.SyncDirectory(DirectoryOf(path));
}

}  // namespace tidemark::wal
