// SnapshotService takes the node's snapshots: when SnapshotSchedule says so, when somebody asks,
// and before a clean stop.
//
// One snapshot: remember the log's segment; ask every shard for its chunks (SnapshotProducer),
// which come through a bounded ChunkQueue; write them (SnapshotWriter); make the log durable as far
// as they need; put the snapshot in its place; prune. A snapshot that fails leaves nothing behind,
// is counted and logged, and is tried again after a backoff. On a replica all shards begin at one
// cut, for which the stream's watermarks are known (request_cut), and entries are routed to the
// primary's shards (replication::ChunkRouter). The log comes first: while its disk is
// full, a snapshot gives back the space that it has taken.
//
// Threading: thread-safe. The work is done on a thread of its own, of low priority. The functions
// of SnapshotSources are called there.
// Ownership: borrows the directory and the retention, which outlive it.

#ifndef TIDEMARK_SERVER_SNAPSHOT_SERVICE_H_
#define TIDEMARK_SERVER_SNAPSHOT_SERVICE_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/backpressure.h"
#include "base/clock.h"
#include "base/format/frame_compressor.h"
#include "base/ids.h"
#include "replication/chunk_queue.h"
#include "replication/link/stream_plan.h"
#include "server/backup_hold.h"
#include "wal/data_directory.h"
#include "wal/pruner.h"
#include "wal/retention.h"
#include "wal/snapshot_schedule.h"
#include "wal/snapshot_writer.h"

namespace tidemark::server {

// A snapshot of all shards at one cut of a stream that another node mints: a replica's.
struct SnapshotCut {
  replication::ReplicaPosition at;  // What the chunks together hold, by the primary's shard.
  uint64_t first_segment = 0;       // It and those after it hold all of the stream beyond `at`.
  // Of the log of that stream; see wal::Log.
  std::function<void(Watermarks, std::function<void(absl::Status)>)> sync_through;
  // Runs what puts the snapshot in its place, unless the stream was replaced by another.
  std::function<absl::Status(const std::function<absl::Status()>&)> put;
};

// What the service asks of the shards and of the log. All of it is there from construction to
// Stop().
struct SnapshotSources {
  int shard_count = 1;
  HistoryId history;
  // Makes `target` the receiver of the shard's next walk (SnapshotProducer::RequestChunks, posted
  // to the shard).
  std::function<void(ShardId, replication::ChunkTargetRef)> request_chunks;
  // On a replica, instead: has every shard begin to walk at one cut, its chunks go to the queue,
  // and calls the function given, on any thread, with the cut. Unavailable: not now, but soon.
  using CutKnown = std::function<void(absl::StatusOr<SnapshotCut>)>;
  std::function<void(std::shared_ptr<replication::ChunkQueue>, CutKnown)> request_cut;
  std::function<void(ShardId)> wake_shard;  // Makes it run a turn.
  // Mutations of all shards so far, since some moment that never changes.
  std::function<uint64_t()> writes;
  std::function<Pressure()> pressure;
  // Whether one must be taken whatever the schedule, as soon as it can be. Null: never.
  std::function<bool()> wanted;

  // Of wal::Log; see there.
  std::function<uint64_t()> current_segment;
  std::function<void(Watermarks, std::function<void(absl::Status)>)> sync_through;
  std::function<Watermarks()> durable_cut;
  // Not OK: the log cannot write now, and why.
  std::function<absl::Status()> log_state;

  BackupHold* backup_hold = nullptr;  // Asked before anything is pruned; null: nobody copies.
};

// For INFO and metrics.
struct SnapshotStatus {
  bool running = false;
  bool asked = false;               // One begins soon.
  int64_t running_ms = -1;          // So long has the one under way taken; -1: none.
  int64_t last_success_unix_s = 0;  // At first, when the node started, as in Redis.
  bool last_ok = true;
  std::string last_error;  // Empty: none so far.
  int64_t last_duration_ms = -1;
  uint64_t last_number = 0;  // Of the newest since the start; 0: none.
  uint64_t last_keys = 0;
  uint64_t last_bytes = 0;
  uint64_t uncovered_writes = 0;  // Redis' rdb_changes_since_last_save.
  uint64_t completed = 0;
  uint64_t failed = 0;
  uint64_t overflowed =
      0;  // Of those, because clients changed entries faster than they were written.
  uint64_t deferrals = 0;  // Put off because of pressure.
  uint64_t segments_pruned = 0;
  uint64_t prune_failures = 0;
  size_t queue_bytes = 0;                 // Now.
  size_t queue_high_watermark_bytes = 0;  // Of any snapshot.
};

class SnapshotService {
 public:
  struct Options {
    wal::SnapshotSchedule::Options schedule;
    bool zstd = false;
    int zstd_level = 3;
    // See replication::ChunkQueue.
    size_t walk_bytes = 8 << 20;
    size_t max_displaced_bytes = 64 << 20;
    size_t sync_every_bytes = 8 << 20;
    size_t keep_snapshots = 2;
    uint64_t writes_covered = 0;  // Of SnapshotSources::writes, what a snapshot on disk holds.
    const Clock* clock = &Clock::System();
    int64_t tick_ms = 100;
  };
  SnapshotService(const wal::DataDirectory& directory, wal::Retention& retention,
                  SnapshotSources sources, const Options& options);
  // As Stop().
  ~SnapshotService();
  SnapshotService(const SnapshotService&) = delete;
  SnapshotService& operator=(const SnapshotService&) = delete;

  void Start();
  // Gives up what is under way and ends the thread. The shards and the log still run.
  void Stop();

  // --- Asking for one ---

  enum class Answer {
    kStarted,    // Begins at once.
    kScheduled,  // Begins when it can: when pressure is over, or after the one under way.
    kRunning,    // Not taken: one is under way.
  };
  // Called once, on the service's thread, with how it went; Cancelled if the service stops first.
  using Done = std::function<void(absl::Status)>;

  // kStarted or kRunning. `done` may be null; it is not called if the answer is kRunning.
  Answer Begin(Done done);
  // As Begin, but under pressure it waits: kScheduled.
  Answer BeginGently();
  // A snapshot of everything up to now: after the one under way, which does not hold it all
  // (kScheduled); kRunning if that one has already been asked for.
  Answer BeginAnother();
  // Unless every write is in a snapshot: takes one now and waits for it, at most until the
  // deadline; for a clean stop. DeadlineExceeded: it was given up.
  absl::Status CoverAll(std::chrono::steady_clock::time_point deadline);

  void SetSchedule(int64_t every_ms, uint64_t min_writes);  // A live change.
  SnapshotStatus status() const;
  // How full the queue is of what clients changed before it could be written; an input of the
  // node's pressure: at 100 the snapshot is given up.
  int queue_utilisation_percent() const;

 private:
  struct LogSync;
  using Lock = std::unique_lock<std::mutex>;

  void Run();
  void RunOne(Lock& lock);
  absl::Status Take();
  absl::Status TakeCut();
  absl::StatusOr<SnapshotCut> RequestCut(std::shared_ptr<replication::ChunkQueue>* queue);
  absl::StatusOr<SnapshotCut> TryCut(const std::shared_ptr<replication::ChunkQueue>& queue);
  wal::SnapshotWriter::Options WriterOptions(FrameCompressor& compressor) const;
  void NoteComplete(const wal::SnapshotManifest& manifest);
  absl::Status CheckRoom() const;
  absl::StatusOr<uint64_t> NextNumber() const;
  // Until `complete()`; each chunk goes to `write`.
  using Write = std::function<absl::Status(const replication::ChunkQueue::Chunk&)>;
  absl::Status WriteChunks(replication::ChunkQueue& queue, const std::function<bool()>& complete,
                           const Write& write) const;
  // Until `through` answers that `target` is durable.
  using SyncThrough = std::function<void(Watermarks, std::function<void(absl::Status)>)>;
  absl::Status SyncLog(const SyncThrough& through, const Watermarks& target) const;
  absl::Status CheckLog() const;
  void Prune();
  bool stopping() const;
  std::shared_ptr<replication::ChunkQueue> OpenQueue();
  void CloseQueue();
  int64_t NowMs() const { return options_.clock->MonotonicNanos() / 1'000'000; }

  const wal::DataDirectory& directory_;
  const SnapshotSources sources_;
  const Options options_;
  wal::Pruner pruner_;

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable wake_;
  wal::SnapshotSchedule schedule_;
  bool stopping_ = false;
  bool woken_ = false;                              // Since the thread looked.
  int64_t wanted_after_ms_ = 0;                     // Not before, though `wanted`.
  std::vector<Done> asking_;                        // For the next one.
  std::vector<Done> waiting_;                       // For the one under way.
  int64_t begun_ms_ = 0;                            // Of the one under way.
  std::shared_ptr<replication::ChunkQueue> queue_;  // Likewise; null: none.
  SnapshotStatus status_;

  std::thread thread_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_SNAPSHOT_SERVICE_H_
