// Disk is all that the log asks of a file system, small enough that a simulated one can lose, tear
// and refuse whatever a real one may.
//
// Nothing is on disk before it is synced: a file's bytes and length by File::Sync(), its name
// (made, renamed or removed) by SyncDirectory() on the directory that holds the name.
//
// Errors, all naming the path and the system's words for it:
//   NotFound            no such file or directory
//   AlreadyExists       kCreate of a name that is taken
//   PermissionDenied    also a file system that is mounted read-only
//   ResourceExhausted   no space, or the quota is used up; what was there before is unharmed
//   FailedPrecondition  Lock: another process holds it
//   Internal            an I/O error, or anything else
//
// Threading: a Disk is thread-safe; a File belongs to one thread at a time, but for ReadAt() and
// ReadAtIfCached(), which any number may call meanwhile for bytes that nobody is writing.
// Implementations: PosixDisk (posix_disk.h), SimulatedDisk (simulated_disk.h, tests only); one set
// of tests holds both to this page.

#ifndef TIDEMARK_WAL_DISK_DISK_H_
#define TIDEMARK_WAL_DISK_DISK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidemark::wal {

// One open file; closed when it is destroyed.
class File {
 public:
  virtual ~File() = default;

  // Writes the pieces, one after another, from `offset`; the file grows if they reach past its end.
  // After an error any part of them may have been written.
  virtual absl::Status WriteAt(uint64_t offset, std::span<const std::string_view> pieces) = 0;
  absl::Status WriteAt(uint64_t offset, std::string_view bytes) {
    return WriteAt(offset, std::span<const std::string_view>(&bytes, 1));
  }

  // Reads into `out`, which has room for `bytes`. Returns how many were read: fewer only where the
  // file ends.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t bytes, char* out) = 0;

  // The same of bytes that are in memory already, for a thread that must not wait for the disk.
  // False: not all of them are, or the system cannot tell, or an error stands in the way; ReadAt()
  // then knows more. `out` may be written to all the same, and the system may have begun to read.
  virtual bool ReadAtIfCached(uint64_t offset, size_t bytes, char* out) { return false; }

  // Makes what was written durable, and the file's length. After an error nothing is known of any
  // byte written since the last success, and a later success does not change that: the system may
  // have dropped the pages.
  virtual absl::Status Sync() = 0;

  // Makes the file at least `bytes` long, filled up with zeros, with space for all of it reserved
  // where the file system can. ResourceExhausted: the length is as it was.
  virtual absl::Status Allocate(uint64_t bytes) = 0;

  // Makes the file exactly `bytes` long.
  virtual absl::Status Truncate(uint64_t bytes) = 0;

  virtual absl::StatusOr<uint64_t> Size() = 0;
};

// Held until it is destroyed, or until the process ends, however it ends.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

class Disk {
 public:
  virtual ~Disk() = default;

  enum class Open {
    kRead,
    kReadWrite,
    kCreate,  // For reading and writing; it must not exist.
  };
  virtual absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path, Open how) = 0;

  // Replaces `to` if it is a file. A crash leaves either the old or the new under the name.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;  // A file.
  // A file, or a directory with all that is in it; nothing there is fine.
  virtual absl::Status RemoveTree(const std::string& path) = 0;
  // One that exists is fine; the directory above must exist.
  virtual absl::Status CreateDirectory(const std::string& path) = 0;
  virtual absl::Status SyncDirectory(const std::string& path) = 0;

  // The names in it, sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;

  // Takes the lock that the file at `path` stands for, making the file if need be; it then holds
  // our process id as text. FailedPrecondition names the id of the process that holds it.
  virtual absl::StatusOr<std::unique_ptr<DirectoryLock>> Lock(const std::string& path) = 0;

  // What a process without privileges may still write there.
  virtual absl::StatusOr<uint64_t> FreeBytes(const std::string& directory) = 0;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DISK_DISK_H_
