// PosixDisk is the machine's file system.

#ifndef TIDEMARK_WAL_DISK_POSIX_DISK_H_
#define TIDEMARK_WAL_DISK_POSIX_DISK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/disk/disk.h"

namespace tidemark::wal {

class PosixDisk final : public Disk {
 public:
  // Has no state of its own: one for the life of the process serves all.
  static PosixDisk& Get();

  absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path, Open how) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveTree(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  // An flock(2): it ends with the process, and two locks within one process exclude each other too.
  absl::StatusOr<std::unique_ptr<DirectoryLock>> Lock(const std::string& path) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& directory) override;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DISK_POSIX_DISK_H_
