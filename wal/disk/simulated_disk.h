// SimulatedDisk is a file system in memory that fails as real ones do, from a seed, so that every
// run can be had again.
//
//   SimulatedDisk disk(seed);
//   ... write, sync, rename ...
//   disk.Crash();                 // What was not synced is lost, torn or kept, as the seed has it.
//   ... open again, recover ...
//
// A crash decides for each 512-byte sector that was written since the file's last sync whether the
// platter has it, for a change of length likewise, and for each directory which of its changes of
// names since its last sync it has: an arbitrary one of the orders in which a real disk may have
// worked. Files and locks that were open before a crash are dead: every call on them fails.
//
// Threading: thread-safe, by one lock; the hook of slow syncs is called without it.

#ifndef TIDEMARK_WAL_DISK_SIMULATED_DISK_H_
#define TIDEMARK_WAL_DISK_SIMULATED_DISK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/disk/disk.h"

namespace tidemark::wal {

class SimulatedDisk final : public Disk {
 public:
  // The directory "/" is there.
  explicit SimulatedDisk(uint64_t seed);
  ~SimulatedDisk() override;

  absl::StatusOr<std::unique_ptr<File>> OpenFile(const std::string& path, Open how) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveTree(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<DirectoryLock>> Lock(const std::string& path) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& directory) override;

  // --- Crashes ---

  enum class Unsynced {
    kAny,   // Each sector, length and name: kept or lost by the seed.
    kLose,  // All that was not synced is gone.
    kKeep,  // All of it was on the platter after all: a kill, not a power cut.
  };
  void Crash(Unsynced unsynced = Unsynced::kAny);

  // --- Failures. Counts begin with the next call; 1: the next one. ---

  // The nth write (WriteAt, Allocate, Truncate), or sync of a file or directory, fails with an I/O
  // error; then once more everything works. A write that fails has written any part of its bytes. A
  // sync that fails has synced nothing, and what was unsynced is dropped from what a later sync
  // makes durable, as Linux does.
  void FailWrite(uint64_t nth);
  void FailSync(uint64_t nth);
  // Everything that changes anything fails with PermissionDenied while set.
  void set_read_only(bool read_only);
  // Space for file contents; beyond it ResourceExhausted. May shrink below what is used, and grow.
  void set_capacity_bytes(uint64_t bytes);
  // Called within every sync of a file, before it takes effect: advance a clock, or wait for a
  // test.
  void set_sync_hook(std::function<void(const std::string& path)> hook);

  // --- What is in memory. ---

  enum class Cached {
    kAny,  // Each ReadAtIfCached() finds its bytes or not, by the seed.
    kAll,
    kNone,
  };
  void set_cached(Cached cached);

  // --- Tampering, as an operator, a bad cable or a cosmic ray would; takes effect on the platter
  // ---

  // All the file holds now, synced or not. NotFound.
  absl::StatusOr<std::string> Contents(const std::string& path) const;
  // Replaces, or makes, the file, synced.
  void SetContents(const std::string& path, std::string_view contents);
  // Flips bit `bit` (0 to 7) of the byte. Requires: it is there.
  void FlipBit(const std::string& path, uint64_t offset, int bit);

  // --- What happened ---

  struct Counts {
    uint64_t writes = 0;
    uint64_t syncs = 0;  // Of files.
    uint64_t directory_syncs = 0;
    uint64_t written_bytes = 0;
  };
  Counts counts() const;

 private:
  struct State;
  class OpenedFile;
  class HeldLock;
  const std::shared_ptr<State> state_;  // Shared with the files that are open.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DISK_SIMULATED_DISK_H_
