// DataDirectory holds a node's data directory: its lock, its manifest and the names of what is in
// it.
//
//   LOCK                               flock'ed by the process that runs
//   MANIFEST                           Manifest, replaced atomically
//   wal-00000000000000000001.seg       segments, numbered from 1
//   snapshot-00000000000000000001/     snapshots; snapshot-….tmp/ while one is made
//   consumers                          positions of the log's consumers
//   lost/                              what was cut or discarded, for the operator
//
// Threading: Save() and manifest() on one thread at a time; everything else may be called by any
// thread.
// Ownership: borrows the disk, which outlives it; holds the lock until it is destroyed.

#ifndef TIDEMARK_WAL_DATA_DIRECTORY_H_
#define TIDEMARK_WAL_DATA_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/disk/disk.h"
#include "wal/manifest.h"
#include "wal/positions.h"

namespace tidemark::wal {

class DataDirectory {
 public:
  // Makes the directory if it is absent (the one above must exist), takes the lock, reads the
  // manifest, and removes what a process that died left half-made (*.tmp). A directory that has no
  // manifest is new and gets one, with the id `if_new`, drawn at random and not 0.
  //   FailedPrecondition  another process holds it; or it has segments or snapshots but no manifest
  //   InvalidArgument, DataLoss  the manifest, as DecodeManifest says
  // and the errors of Disk.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(Disk& disk, const std::string& path,
                                                             DirectoryId if_new);

  // For tools. A directory that must be there already, of which opening it changes nothing; kLive
  // does not even take the lock, and a process may be writing in it.
  //   NotFound            no directory, or no manifest in it
  //   FailedPrecondition  kLock: another process holds it
  // and as above.
  enum class Access { kLock, kLive };
  static absl::StatusOr<std::unique_ptr<DataDirectory>> OpenExisting(Disk& disk,
                                                                     const std::string& path,
                                                                     Access access);
  bool locked() const { return lock_ != nullptr; }
  // Makes a data directory of files that were put into `path`: the manifest comes last, and without
  // one nothing opens it.
  static absl::Status WriteManifest(Disk& disk, const std::string& path, const Manifest& manifest);

  const Manifest& manifest() const { return manifest_; }
  // Once OK, `manifest` is on disk. After an error manifest() is as before, and either may be found
  // by the next process.
  absl::Status Save(Manifest manifest);

  Disk& disk() const { return disk_; }
  const std::string& path() const { return path_; }
  DirectoryId id() const { return id_; }

  std::string SegmentPath(uint64_t number) const;
  std::string SnapshotPath(uint64_t number) const;
  std::string SnapshotTemporaryPath(uint64_t number) const;
  std::string ConsumersPath() const;
  // In lost/, which is made on first use: MakeLostPath("x") may fail, but no file is made.
  absl::StatusOr<std::string> MakeLostPath(std::string_view name) const;

  // The numbers of those that are there, ascending; snapshots: complete ones only. A name that is
  // not one of ours is passed over.
  absl::StatusOr<std::vector<uint64_t>> ListSegments() const;
  absl::StatusOr<std::vector<uint64_t>> ListSnapshots() const;

  // Under a temporary name first, so that a half-deleted snapshot is none.
  absl::Status RemoveSnapshot(uint64_t number) const;

  // Makes names that were added to the directory, or taken out, durable.
  absl::Status Sync() const { return disk_.SyncDirectory(path_); }

 private:
  DataDirectory(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  absl::Status Load(DirectoryId if_new);
  absl::Status LoadManifest();
  absl::Status RemoveHalfMade() const;
  std::string PathOf(std::string_view name) const;
  absl::StatusOr<std::vector<uint64_t>> ListNumbers(std::string_view prefix,
                                                    std::string_view suffix) const;

  Disk& disk_;
  const std::string path_;
  DirectoryId id_;
  Manifest manifest_;
  std::unique_ptr<DirectoryLock> lock_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DATA_DIRECTORY_H_
