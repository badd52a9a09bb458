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

#include "wal/disk/passing_disk.h"

namespace tidemark::integration {

class FaultyDisk final : public wal::PassingDisk {
 public:
  struct Options {
    std::string switches;  // A directory; empty: there are none.
    int64_t torn_write = 0;
    void (*on_torn_write)() = nullptr;
  };
  FaultyDisk(wal::Disk& below, Options options);

  absl::StatusOr<std::unique_ptr<wal::File>> OpenFile(const std::string& path, Open how) override;

 private:
  friend class FaultyFile;
  bool IsOn(const char* fault) const;
  // Whether this write is the one to tear.
  bool TearsNow(const std::string& path);

  const Options options_;
  std::atomic<int64_t> segment_writes_{0};
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_FAULTY_DISK_H_
