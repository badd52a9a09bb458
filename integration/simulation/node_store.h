// NodeStore is what a simulated process has of its machine's disk: the data directory, the log of
// its stream, who keeps segments. It stays when the process changes its role.
//
// Directory, recovery, StreamKeeper and Log are the production ones.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows time and disk.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_NODE_STORE_H_
#define TIDEMARK_INTEGRATION_SIMULATION_NODE_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "integration/simulation/log_threads.h"
#include "integration/simulation/node_time.h"
#include "integration/simulation/process_disk.h"
#include "wal/data_directory.h"
#include "wal/fsync_policy.h"
#include "wal/recovery.h"
#include "wal/retention.h"
#include "wal/stream_keeper.h"

namespace tidemark::simulation {

class NodeStore {
 public:
  struct Options {
    wal::FsyncPolicy fsync = wal::FsyncPolicy::kAlways;
    int64_t fsync_interval_ms = 20;
    uint64_t segment_bytes = 32 << 10;
    bool zstd = false;
    size_t tail_bytes = 16 << 10;
    size_t max_queue_bytes = 64 << 10;  // Of one shard; past it nothing more should be taken.
    const int64_t* sync_us = nullptr;   // How long the disk takes now; borrowed.
  };
  NodeStore(NodeTime* time, wal::Disk& disk, const Options& options);
  // As a process that ends without a word: nothing on disk changes any more.
  ~NodeStore();
  NodeStore(const NodeStore&) = delete;
  NodeStore& operator=(const NodeStore&) = delete;

  // Brings back what the directory holds, and opens the log behind it. `follow`: as a replica.
  absl::Status Recover(bool follow, int shard_count, HistoryId fresh, wal::RecoverySink& sink);

  // From here on nothing of this process changes the disk.
  void Die() { disk_.Die(); }

  // A shard of the log has room again.
  void set_on_room(std::function<void()> on_room) { on_room_ = std::move(on_room); }

  wal::DataDirectory& directory() { return *directory_; }
  wal::Retention& retention() { return retention_; }
  wal::StreamKeeper& keeper() { return *keeper_; }
  std::shared_ptr<wal::Log> log() const { return keeper_->log(); }  // Null: there is no stream.
  const wal::Recovered& recovered() const { return recovered_; }

 private:
  ProcessDisk disk_;
  LogThreads threads_;
  wal::Log::Options log_options_;
  std::function<void()> on_room_ = [] {};
  std::unique_ptr<wal::DataDirectory> directory_;
  wal::Retention retention_;
  wal::Recovered recovered_;
  std::unique_ptr<wal::StreamKeeper> keeper_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_NODE_STORE_H_
