// FaultyDisk is a real disk that fails when a test in another process says so, by files whose
// presence is a fault:
//
//   FaultyDisk disk(PosixDisk::Get(), {.switches = "/scratch/faults", .torn_write = 7});
//   touch /scratch/faults/full     no file grows or is made: ResourceExhausted
//   touch /scratch/faults/eio      every Sync() of a file fails: Internal
//   touch /scratch/faults/stalled  no Sync() of a file returns before it is gone again
//
// `torn_write`: the so-manieth write to a segment writes its first half only, and then calls
// `on_torn_write`, which does not return. 0: none.
//
// Threading: as Disk's. Ownership: borrows the disk below.

#ifndef TIDEMARK_INTEGRATION_HARNESS_FAULTY_DISK_H_
#define TIDEMARK_INTEGRATION_HARNESS_FAULTY_DISK_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "wal/disk/disk.h"

namespace tidemark::integration {

class FaultyDisk final : public wal::Disk {
 public:
  struct Options {
    std::string switches;  // A directory; empty: there are none.
    int64_t torn_write = 0;
    void (*on_torn_write)() = nullptr;
  };
  FaultyDisk(wal::Disk& below, Options options);

  absl::StatusOr<std::unique_ptr<wal::File>> OpenFile(const std::string& path, Open how) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveTree(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<wal::DirectoryLock>> Lock(const std::string& path) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& directory) override;

 private:
  friend class FaultyFile;
  bool IsOn(const char* fault) const;
  // Whether this write is the one to tear.
  bool TearsNow(const std::string& path);

  wal::Disk& below_;
  const Options options_;
  std::atomic<int64_t> segment_writes_{0};
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_FAULTY_DISK_H_
