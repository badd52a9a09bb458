// SnapshotTask takes one snapshot of a simulated primary to its disk, then prunes: what
// server::SnapshotService does on a thread, in events. Chunk queue, writer, pruner and the order of
// the steps are the production ones.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows the directory, the retention and the log; dies before them.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_SNAPSHOT_TASK_H_
#define TIDEMARK_INTEGRATION_SIMULATION_SNAPSHOT_TASK_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "integration/simulation/node_time.h"
#include "integration/simulation/simulated_log.h"
#include "replication/chunk_queue.h"
#include "wal/data_directory.h"
#include "wal/retention.h"
#include "wal/snapshot_writer.h"

namespace tidemark::simulation {

class SnapshotTask {
 public:
  using RequestChunks = std::function<void(ShardId, replication::ChunkTargetRef)>;

  SnapshotTask(NodeTime* time, const wal::DataDirectory& directory, wal::Retention& retention,
               SimulatedLog& log);
  ~SnapshotTask();

  // Begins one, unless one is under way.
  void Begin(const RequestChunks& request_chunks);

  struct Counts {
    uint64_t completed = 0;
    uint64_t failed = 0;
    uint64_t pruned_segments = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  void Poll();
  absl::Status WriteWhatCame();
  void SyncLog();
  void Finish(const absl::Status& synced);
  void Fail();

  NodeTime* const time_;
  const wal::DataDirectory& directory_;
  wal::Retention& retention_;
  SimulatedLog& log_;
  std::shared_ptr<replication::ChunkQueue> queue_;
  std::unique_ptr<wal::SnapshotWriter> writer_;  // Null: none is under way.
  Counts counts_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_SNAPSHOT_TASK_H_
