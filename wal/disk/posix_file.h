// PosixFile is an open file of PosixDisk.

#ifndef TIDEMARK_WAL_DISK_POSIX_FILE_H_
#define TIDEMARK_WAL_DISK_POSIX_FILE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/disk/disk.h"

namespace tidemark::wal {

// "WHAT PATH: the system's words", with the code that disk.h promises for `error`.
absl::Status ErrnoStatus(std::string_view what, const std::string& path, int error);

// Owns a file descriptor.
class PosixFd {
 public:
  explicit PosixFd(int fd) : fd_(fd) {}
  PosixFd(PosixFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  PosixFd& operator=(PosixFd&&) = delete;
  ~PosixFd();

  int get() const { return fd_; }

 private:
  int fd_;
};

class PosixFile final : public File {
 public:
  PosixFile(PosixFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  using File::WriteAt;
  absl::Status WriteAt(uint64_t offset, std::span<const std::string_view> pieces) override;
  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t bytes, char* out) override;
  // preadv2(2) with RWF_NOWAIT: what the page cache has. A kernel or a file system that does not
  // know the flag is asked once a file.
  bool ReadAtIfCached(uint64_t offset, size_t bytes, char* out) override;
  // fdatasync: of the file's properties it syncs what is needed to read the bytes back, its length
  // above all, and leaves out the times.
  absl::Status Sync() override;
  // Reserves blocks where the file system can; else the file has holes and a later write may yet
  // find the disk full.
  absl::Status Allocate(uint64_t bytes) override;
  absl::Status Truncate(uint64_t bytes) override;
  absl::StatusOr<uint64_t> Size() override;

 private:
  const PosixFd fd_;
  const std::string path_;
  std::atomic<bool> knows_cached_{true};  // False once the system has said that it cannot tell.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DISK_POSIX_FILE_H_
