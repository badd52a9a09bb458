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

#include "wal/disk/disk.h"

namespace tidemark::simulation {

// Files that are open die with the disk below (SimulatedDisk::Crash); this is about all else.
class ProcessDisk final : public wal::Disk {
 public:
  explicit ProcessDisk(wal::Disk& disk) : disk_(disk) {}

  ~ProcessDisk() override {
    if (last_touched_ == this) last_touched_ = nullptr;
  }

  void Die() { dead_ = true; }
  bool dead() const { return dead_; }
  wal::Disk* below() const { return &disk_; }
  // Null: none that is there.
  static ProcessDisk* last_touched() { return last_touched_; }

  absl::StatusOr<std::unique_ptr<wal::File>> OpenFile(const std::string& path, Open how) override {
    if (!Live()) return Dead();
    return disk_.OpenFile(path, how);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Live() ? disk_.Rename(from, to) : Dead();
  }
  absl::Status Remove(const std::string& path) override {
    return Live() ? disk_.Remove(path) : Dead();
  }
  absl::Status RemoveTree(const std::string& path) override {
    return Live() ? disk_.RemoveTree(path) : Dead();
  }
  absl::Status CreateDirectory(const std::string& path) override {
    return Live() ? disk_.CreateDirectory(path) : Dead();
  }
  absl::Status SyncDirectory(const std::string& path) override {
    return Live() ? disk_.SyncDirectory(path) : Dead();
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    if (!Live()) return Dead();
    return disk_.List(directory);
  }
  absl::StatusOr<std::unique_ptr<wal::DirectoryLock>> Lock(const std::string& path) override {
    if (!Live()) return Dead();
    return disk_.Lock(path);
  }
  absl::StatusOr<uint64_t> FreeBytes(const std::string& directory) override {
    return disk_.FreeBytes(directory);
  }

 private:
  bool Live() {
    if (!dead_) last_touched_ = this;
    return !dead_;
  }
  static absl::Status Dead() { return absl::InternalError("the process is dead"); }

  static inline ProcessDisk* last_touched_ = nullptr;
  wal::Disk& disk_;
  bool dead_ = false;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_PROCESS_DISK_H_
