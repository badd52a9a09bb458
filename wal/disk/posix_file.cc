#include "wal/disk/posix_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace tidemark::wal {
namespace {

// Pieces of one pwritev(2); well below IOV_MAX, and enough to make the call's own cost vanish.
constexpr size_t kPiecesAtOnce = 256;

}  // namespace

absl::Status ErrnoStatus(std::string_view what, const std::string& path, int error) {
  const std::string message =
      fmt::format("{} {}: {}", what, path, std::generic_category().message(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InternalError(message);
  }
}

PosixFd::~PosixFd() {
  if (fd_ >= 0) close(fd_);
}

absl::Status PosixFile::WriteAt(uint64_t offset, std::span<const std::string_view> pieces) {
  size_t next = 0;     // The first piece that is not wholly written,
  size_t written = 0;  // and how much of it is.
  while (true) {
    iovec vectors[kPiecesAtOnce];
    size_t count = 0;
    for (size_t i = next; i < pieces.size() && count < kPiecesAtOnce; ++i) {
      const std::string_view rest = pieces[i].substr(i == next ? written : 0);
      if (rest.empty()) continue;
      vectors[count++] = {.iov_base = const_cast<char*>(rest.data()), .iov_len = rest.size()};
    }
    if (count == 0) return absl::OkStatus();
    const ssize_t result =
        pwritev(fd_.get(), vectors, static_cast<int>(count), static_cast<off_t>(offset));
    if (result < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(fmt::format("write at byte {} of", offset), path_, errno);
    }
    // Fewer than asked is no error: the call after tells the reason, if there is one.
    offset += static_cast<uint64_t>(result);
    auto done = static_cast<size_t>(result);
    while (next < pieces.size() && done >= pieces[next].size() - written) {
      done -= pieces[next].size() - written;
      written = 0;
      ++next;
    }
    written += done;
  }
}

absl::StatusOr<size_t> PosixFile::ReadAt(uint64_t offset, size_t bytes, char* out) {
  size_t have = 0;
  while (have < bytes) {
    const ssize_t result =
        pread(fd_.get(), out + have, bytes - have, static_cast<off_t>(offset + have));
    if (result < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(fmt::format("read at byte {} of", offset + have), path_, errno);
    }
    if (result == 0) break;
    have += static_cast<size_t>(result);
  }
  return have;
}

bool PosixFile::ReadAtIfCached(uint64_t offset, size_t bytes, char* out) {
  if (!knows_cached_.load(std::memory_order_relaxed)) return false;
  const iovec vector = {.iov_base = out, .iov_len = bytes};
  const ssize_t result = preadv2(fd_.get(), &vector, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  // Fewer than asked: the page with the rest is not there.
  if (result >= 0) return static_cast<size_t>(result) == bytes;
  // A system call filter may answer with EPERM or ENOSYS what it does not let through.
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == EPERM) {
    knows_cached_.store(false, std::memory_order_relaxed);
  }
  return false;
}

absl::Status PosixFile::Sync() {
  if (fdatasync(fd_.get()) != 0) return ErrnoStatus("fdatasync", path_, errno);
  return absl::OkStatus();
}

absl::Status PosixFile::Allocate(uint64_t bytes) {
  const absl::StatusOr<uint64_t> before = Size();
  if (!before.ok()) return before.status();
  if (*before >= bytes) return absl::OkStatus();
  int result;
  do {
    result = fallocate(fd_.get(), 0, 0, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EOPNOTSUPP || error == ENOSYS) return Truncate(bytes);
  // What was reserved before the space ran out is given back. A failure here changes nothing of the
  // answer.
  (void)Truncate(*before).ok();
  return ErrnoStatus(fmt::format("allocate {} bytes for", bytes), path_, error);
}

absl::Status PosixFile::Truncate(uint64_t bytes) {
  int result;
  do {
    result = ftruncate(fd_.get(), static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    return ErrnoStatus(fmt::format("set the length to {} of", bytes), path_, errno);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> PosixFile::Size() {
  struct stat found;
  if (fstat(fd_.get(), &found) != 0) return ErrnoStatus("stat", path_, errno);
  return static_cast<uint64_t>(found.st_size);
}

}  // namespace tidemark::wal
