#include "wal/disk/posix_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "wal/disk/posix_file.h"

namespace tidemark::wal {

PosixDisk& PosixDisk::Get() {
  static PosixDisk disk;
  return disk;
}

absl::StatusOr<std::unique_ptr<File>> PosixDisk::OpenFile(const std::string& path, Open how) {
  int flags = O_CLOEXEC;
  switch (how) {
    case Open::kRead:
      flags |= O_RDONLY;
      break;
    case Open::kReadWrite:
      flags |= O_RDWR;
      break;
    case Open::kCreate:
      flags |= O_RDWR | O_CREAT | O_EXCL;
      break;
  }
  PosixFd fd(open(path.c_str(), flags, 0640));
  if (fd.get() < 0) return ErrnoStatus("open", path, errno);
  // A hint: files opened for reading alone are read from front to back.
  if (how == Open::kRead) posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return std::make_unique<PosixFile>(std::move(fd), path);
}

absl::Status PosixDisk::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return ErrnoStatus(fmt::format("rename {} to", from), to, errno);
  }
  return absl::OkStatus();
}

absl::Status PosixDisk::Remove(const std::string& path) {
  if (unlink(path.c_str()) != 0) return ErrnoStatus("remove", path, errno);
  return absl::OkStatus();
}

absl::Status PosixDisk::RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return ErrnoStatus("remove all of", path, error.value());
  return absl::OkStatus();
}

absl::Status PosixDisk::CreateDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0750) == 0) return absl::OkStatus();
  const int error = errno;
  struct stat found;
  if (error == EEXIST && stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) {
    return absl::OkStatus();
  }
  return ErrnoStatus("make directory", path, error);
}

absl::Status PosixDisk::SyncDirectory(const std::string& path) {
  const PosixFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoStatus("open directory", path, errno);
  if (fsync(fd.get()) != 0) return ErrnoStatus("fsync directory", path, errno);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PosixDisk::List(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator at(directory, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error) return ErrnoStatus("list", directory, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

class PosixLock final : public DirectoryLock {
 public:
  explicit PosixLock(PosixFd fd) : fd_(std::move(fd)) {}

 private:
  const PosixFd fd_;  // Closing it unlocks.
};

// What the lock's holder wrote, if that is a process id.
std::string HolderOf(int fd) {
  char text[32];
  const ssize_t read = pread(fd, text, sizeof(text), 0);
  std::string pid;
  for (ssize_t i = 0; i < read && text[i] >= '0' && text[i] <= '9'; ++i) pid.push_back(text[i]);
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryLock>> PosixDisk::Lock(const std::string& path) {
  PosixFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (fd.get() < 0) return ErrnoStatus("open", path, errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus("lock", path, errno);
    return absl::FailedPreconditionError(
        fmt::format("{} is locked by {}", path, HolderOf(fd.get())));
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(fd.get(), 0) != 0 ||
      pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return ErrnoStatus("write", path, errno);
  }
  return std::make_unique<PosixLock>(std::move(fd));
}

absl::StatusOr<uint64_t> PosixDisk::FreeBytes(const std::string& directory) {
  struct statvfs found;
  if (statvfs(directory.c_str(), &found) != 0) return ErrnoStatus("statvfs", directory, errno);
  return uint64_t{found.f_bavail} * found.f_frsize;
}

}  // namespace tidemark::wal
