// SnapshotTask takes one snapshot of a simulated node to its disk, then prunes: what
// server::SnapshotService does on a thread, in events. Chunk queue, router, writer, keeper, pruner
// and the order of the steps are the production ones.
//
// A primary's shards begin one after another, each at a watermark of its own; a replica's at one
// cut of the stream that it follows.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows the store; dies before it.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_SNAPSHOT_TASK_H_
#define TIDEMARK_INTEGRATION_SIMULATION_SNAPSHOT_TASK_H_

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "integration/simulation/node_store.h"
#include "integration/simulation/node_time.h"
#include "replication/chunk_queue.h"
#include "replication/chunk_router.h"
#include "replication/link/stream_plan.h"
#include "wal/log.h"
#include "wal/snapshot_writer.h"

namespace tidemark::simulation {

class SnapshotTask {
 public:
  using QueueRef = std::shared_ptr<replication::ChunkQueue>;
  SnapshotTask(NodeTime* time, NodeStore& store) : events_(time), store_(store) {}
  ~SnapshotTask();

  // Begin one, unless one is under way. A primary's: `request_chunks` posts to the shard.
  void Begin(const std::function<void(ShardId, replication::ChunkTargetRef)>& request_chunks);
  // A replica's: `request_cut` has all shards walk from one cut, and says where that was.
  using CutKnown = std::function<void(absl::StatusOr<replication::ReplicaPosition>)>;
  void BeginAtCut(int own_shards, const std::function<void(QueueRef, CutKnown)>& request_cut);

  bool running() const { return running_; }
  struct Counts {
    uint64_t completed = 0;
    uint64_t failed = 0;
    uint64_t pruned_segments = 0;
  };
  const Counts& counts() const { return counts_; }
  // Of the latest that failed.
  const absl::Status& last_failure() const { return last_failure_; }

 private:
  void Open(int shards);
  absl::Status Create(HistoryId history, int shards, uint64_t first_segment);
  absl::Status OnCut(const replication::ReplicaPosition& at, int own_shards);
  void Poll();
  absl::Status WriteWhatCame();
  void SyncLog();
  absl::Status Finish();
  void End(const absl::Status& result);

  NodeEvents events_;
  NodeStore& store_;
  bool running_ = false;
  uint64_t number_ = 0;  // Of the tasks so far: what an earlier one asked for may come late.
  QueueRef queue_;
  std::shared_ptr<wal::Log> log_;                   // Of the stream that it is of.
  std::unique_ptr<wal::SnapshotWriter> writer_;     // Null: not begun yet.
  std::optional<replication::ChunkRouter> router_;  // A replica's.
  Counts counts_;
  absl::Status last_failure_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_SNAPSHOT_TASK_H_
