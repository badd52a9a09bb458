// ProcessDisk is a machine's disk as one process sees it: once the process is dead it changes
// nothing any more, whatever its destructors try.
//
// It also says which disk was touched last, for a crash at a point that only the code knows.
//
// Threading: none; a simulation runs on one thread.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_PROCESS_DISK_H_
#define TIDEMARK_INTEGRATION_SIMULATION_PROCESS_DISK_H_

#include <memory>
#include <string>
#include <vector>

#include "wal/disk/passing_disk.h"

namespace tidemark::simulation {

// Files that are open die with the disk below (SimulatedDisk::Crash); this is about all else.
class ProcessDisk final : public wal::PassingDisk {
 public:
  using PassingDisk::PassingDisk;

  ~ProcessDisk() override {
    if (last_touched_ == this) last_touched_ = nullptr;
  }

  void Die() { dead_ = true; }
  bool dead() const { return dead_; }
  // Null: none that is there.
  static ProcessDisk* last_touched() { return last_touched_; }

  absl::StatusOr<std::unique_ptr<wal::File>> OpenFile(const std::string& path, Open how) override {
    if (const absl::Status live = Touch(); !live.ok()) return live;
    return PassingDisk::OpenFile(path, how);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    if (const absl::Status live = Touch(); !live.ok()) return live;
    return PassingDisk::List(directory);
  }
  absl::StatusOr<std::unique_ptr<wal::DirectoryLock>> Lock(const std::string& path) override {
    if (const absl::Status live = Touch(); !live.ok()) return live;
    return PassingDisk::Lock(path);
  }

 private:
  absl::Status MayChange() override { return Touch(); }
  absl::Status Touch() {
    if (dead_) return absl::InternalError("the process is dead");
    last_touched_ = this;
    return absl::OkStatus();
  }

  static inline ProcessDisk* last_touched_ = nullptr;
  bool dead_ = false;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_PROCESS_DISK_H_
