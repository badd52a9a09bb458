// NodeDurability is a node's data directory at work: the lock on it, the recovery from it, the log
// of the node's stream, the snapshots that shorten the log, and how all is left behind.
//
//   durability.Open();                           // Nobody else has the directory.
//   durability.Recover(engine, stopping);        // The shards hold what it held; the log is open.
//   replication.Begin(durability.Beginnings());  // Writes go to the log from here on.
//   durability.StartServices(...);               // Snapshots by schedule, and the change export.
//   ...
//   durability.StopSnapshots(true);              // Nobody writes any more: the last one.
//   durability.Close();                          // After the engine has stopped: a clean stop.
//
// On a replica (Minter::kPrimary) the stream is its primary's: the link begins with recovered() and
// hands frames to stream(); StartReplicaServices() takes the place of StartServices(). Its shards
// know nothing of the log: started() is false.
//
// The role may change while the node runs (role_switch.h), each time between StopServices() and the
// services of the new role:
//
//   durability.TakeOver(engine, fresh, &ending);  // A replica's link has ended: its log goes on
//   replication.TakeOver(...);                    // in a history of this node's own.
//   durability.BeginFollowing();                  // A primary's streams have ended: its log goes
//   on link.KeepIn(durability.stream());             // with what it follows.
//   durability.LeaveOwnLog(engine);               // No shard has anything of the old role.
//
// Without a data directory there is none of this: Node::durability() is null, and no shard pays for
// it.
//
// Threading: Open to Close on the main thread, changes of the role on the role thread, which runs
// between the two; the rest on any, except what says "the shard's thread". What is there for a role
// only goes when every shard has run since it was taken from sight.
// Ownership: borrows what it is made of; the engine's shards hold references to its logs until they
// have stopped.

#ifndef TIDEMARK_SERVER_DURABILITY_H_
#define TIDEMARK_SERVER_DURABILITY_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/backpressure.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/settings/settings.h"
#include "cache/engine.h"
#include "replication/chunk_queue.h"
#include "replication/frame_log.h"
#include "replication/link/stream_plan.h"
#include "replication/shard_publisher.h"
#include "replication/shell/replica_client.h"
#include "replication/snapshot_producer.h"
#include "server/backup_hold.h"
#include "server/export_service.h"
#include "server/followed_stream.h"
#include "server/log_archive.h"
#include "server/node_report.h"
#include "server/snapshot_service.h"
#include "wal/data_directory.h"
#include "wal/disk/disk.h"
#include "wal/log.h"
#include "wal/recovery.h"
#include "wal/retention.h"
#include "wal/stream_keeper.h"

namespace tidemark::server {

class RecoveryLoader;

class NodeDurability {
 public:
  using Minter = wal::StreamKeeper::Minter;
  NodeDurability(Settings& settings, int shards, wal::Disk& disk, const Clock& clock,
                 Minter minter = Minter::kThisNode);
  ~NodeDurability();
  NodeDurability(const NodeDurability&) = delete;
  NodeDurability& operator=(const NodeDurability&) = delete;

  // Takes the directory for this process. InvalidArgument: settings that contradict each other.
  absl::Status Open();
  // Under which other nodes know this one: the directory's, or one that is the directory's once
  // Recover() has returned OK. After Open().
  uint64_t node_id() const { return node_id_; }
  // Loads what the directory holds into the shards, which run and serve nobody, and opens the log
  // behind it. Asks `stopping` now and then: true ends it with Cancelled, and changes nothing on
  // disk.
  absl::Status Recover(cache::Engine& engine, const std::function<bool()>& stopping);
  // Where each shard's stream goes on, and its log. Requires: Recover() returned OK.
  std::vector<replication::ShardPublisher::Beginning> Beginnings();

  // What feeds replicas from the log. Requires: Recover() returned OK; it goes before this object.
  std::unique_ptr<LogArchive> MakeArchive();

  // What the services ask of the shards.
  struct Shards {
    std::function<replication::SnapshotProducer&(ShardId)> producer;  // The shard's thread.
    std::function<uint64_t()> assigned;  // Mutations of all shards so far. Any thread.
    std::function<Pressure()> pressure;  // Of the node. Any thread.
  };
  // Starts taking snapshots and, if the settings want it, exporting. Requires: the shards' streams
  // have begun. Errors are the export's: a port that cannot be had, a damaged file.
  absl::Status StartServices(cache::Engine& engine, Shards shards);
  // --- A replica's ---

  // What the shards hold now: all up to `start`, and of the frames that follow the records up to
  // `held` (see Applier::Begin). Empty in a new directory. Requires: Recover() returned OK.
  struct RecoveredStream {
    replication::ReplicaPosition start;
    Watermarks held;
    std::vector<replication::Ancestor> ancestors;  // Of its history.
    std::vector<uint64_t> keys;                    // By own shard.
  };
  const RecoveredStream& recovered() const { return recovered_stream_; }
  // What takes the frames that come. Requires: as above.
  FollowedStream* stream() { return stream_.get(); }

  struct ReplicaShards {
    // Has every shard begin to walk at one cut, the chunks going to the queue, and calls the
    // function given with the cut, or not OK if a shard could not.
    using CutKnown = std::function<void(absl::StatusOr<replication::ReplicaPosition>)>;
    std::function<void(std::shared_ptr<replication::ChunkQueue>, CutKnown)> request_cut;
    std::function<uint64_t()> applied;   // Records so far. Any thread.
    std::function<Pressure()> pressure;  // Of the node. Any thread.
  };
  // Starts taking snapshots, by schedule and after a full sync.
  void StartReplicaServices(cache::Engine& engine, ReplicaShards shards);

  // Takes a snapshot of what is in none yet, if `save` says so, and ends snapshots. The engine
  // still runs, and no shard mints mutations any more. Harmless before StartServices().
  void StopSnapshots(bool save);

  // --- A change of the role. Not from a shard's thread. ---

  // Why a replica must not take over now; empty: it may.
  std::string WhyNotTakeOver() const;
  // Ends snapshots, giving up one that is under way, and export.
  void StopServices(cache::Engine& engine);
  // A replica's link has ended as `ending` says: its log goes on as that of a history of this
  // node's own, `fresh`, which begins there. Makes `ending` say exactly what the shards hold.
  // Beginnings' logs: logs(). Not OK: the node is still a replica, of which Follow() makes the
  // best.
  absl::Status TakeOver(cache::Engine& engine, HistoryId fresh,
                        replication::ReplicaClient::Ending* ending);
  // By shard, what takes its frames.
  std::vector<replication::FrameLog*> logs();
  // A primary's streams have ended, and no shard touches the log. What fails is told by stream().
  void BeginFollowing();
  // There is a stream() from here on. On a replica that has one nothing happens.
  void Follow();
  // After BeginFollowing(), once no shard has anything of the old role in its hands.
  void LeaveOwnLog(cache::Engine& engine);

  // Writes down what is not yet, seals, sends consumers what they lack of it, and notes that this
  // was a clean stop. Requires: the shards' threads have ended. Does nothing unless Recover()
  // returned OK.
  absl::Status Close();

  // --- The log's state, for those who write. ---

  // The log of this node's own writes is open.
  bool started() const { return log() != nullptr; }
  // False: writes must be refused, and cause() says why.
  bool writing() const {
    wal::Log* log = this->log();
    return log == nullptr || log->state() == wal::LogState::kWriting;
  }
  // Final: what is not durable never will be.
  bool failed() const {
    const wal::Log* const log = this->log();
    return log != nullptr && log->state() == wal::LogState::kFailed;
  }
  std::string cause() const {
    const wal::Log* const log = this->log();
    return log == nullptr ? "" : log->cause();
  }
  // How full the shard's way to the log is. Any thread.
  int utilisation_percent(ShardId shard) const {
    wal::Log* log = this->log();
    return log == nullptr ? 0 : log->shard(shard).utilisation_percent();
  }

  // What the log has taken and not yet written, over all shards. Any thread.
  uint64_t queued_bytes() const;

  // --- Held replies. Without a log of this node's own writes nothing is durable. ---

  // Has the shard run a turn when durable moves next or the log's state changes. The shard's
  // thread.
  void NotifyWhenDurable(ShardId shard) {
    if (wal::Log* const log = this->log()) log->shard(shard).NotifyWhenDurable();
  }
  void ReadDurable(Watermarks* durable) const;
  // As wal::Log::SyncThrough. On a shard's thread.
  void SyncThrough(Watermarks target, std::function<void(absl::Status)> done) {
    wal::Log* const log = this->log();
    if (log == nullptr) return done(absl::CancelledError("this node writes nothing of its own"));
    log->SyncThrough(std::move(target), std::move(done));
  }

  // --- Backups of the files while the node runs. Any thread. ---

  // As BackupHold; nothing is pruned meanwhile.
  absl::StatusOr<uint64_t> BeginBackup(int64_t for_ms);
  bool EndBackup(uint64_t id);
  // What they hold, at least.
  struct DurablePosition {
    HistoryId history;
    Watermarks durable;
  };
  // Unavailable: not yet, or not now.
  absl::StatusOr<DurablePosition> Durable() const;

  // Null before StartServices() and after StopSnapshots().
  SnapshotService* snapshots() const {
    return published_snapshots_.load(std::memory_order_acquire);
  }

  // Null: the settings want no export, or it has not begun.
  ExportService* exports() const { return published_export_.load(std::memory_order_acquire); }
  // Where consumers connect; 0: nowhere.
  int export_port() const;

  // --- To look at. ---

  DurabilityView View() const;

 private:
  class Door;
  class StoppableSink;

  wal::Log* log() const { return published_log_.load(std::memory_order_acquire); }
  void UseOwnLog();
  void LeaveStream(cache::Engine& engine);
  void ShowLoading(RecoveryLoader* loader);
  void AddLoading(DurabilityView& view) const;
  void NoteLosses(const wal::Recovered& recovered) const;
  absl::Status KeepNodeId();
  wal::Log::Options LogOptions(cache::Engine& engine);
  // What both roles' snapshots need.
  SnapshotSources SourcesFrom(cache::Engine& engine, const std::function<uint64_t()>& writes,
                              const std::function<Pressure()>& pressure);
  void StartSnapshots(SnapshotSources sources);
  absl::Status PutSnapshot(const wal::Log& log, const std::function<absl::Status()>& put);
  absl::StatusOr<SnapshotCut> CutFor(replication::ReplicaPosition at);
  void FindRecoveredStream(cache::Engine& engine);
  void FollowSettings();
  void ApplySchedule();
  // Names and saves what a full sync throws away.
  void KeepDiscarded(const replication::ReplicaPosition& held, const Watermarks& after);
  Pressure LogPressure() const;
  void AddSnapshots(DurabilityView& view) const;
  void AddExport(DurabilityView& view) const;

  Settings& settings_;
  const int shards_;
  wal::Disk& disk_;
  const Clock& clock_;
  const Minter minter_;  // At first.

  std::unique_ptr<wal::DataDirectory> directory_;  // From Open() to Close().
  uint64_t node_id_ = 0;                           // From Open() on.
  mutable std::mutex loading_mutex_;
  RecoveryLoader* loading_ = nullptr;  // Guarded by loading_mutex_; null: not now.
  wal::Recovered recovered_;           // Once the keeper is published.
  std::unique_ptr<wal::StreamKeeper> keeper_;
  std::atomic<wal::StreamKeeper*> published_keeper_{nullptr};
  std::shared_ptr<wal::Log> log_;  // Of this node's own writes.
  std::atomic<wal::Log*> published_log_{nullptr};
  RecoveredStream recovered_stream_;
  std::atomic<uint64_t> discarded_records_{0};  // By full syncs.
  std::unique_ptr<FollowedStream> stream_;      // A replica's.
  std::atomic<FollowedStream*> published_stream_{nullptr};
  std::vector<std::unique_ptr<Door>> doors_;  // By shard.
  wal::Retention retention_;
  BackupHold backup_hold_;
  std::unique_ptr<SnapshotService> snapshot_service_;
  std::atomic<SnapshotService*> published_snapshots_{nullptr};
  uint64_t uncovered_writes_ = 0;                  // When the service starts: in no snapshot.
  std::unique_ptr<ExportService> export_service_;  // Null: off.
  std::atomic<ExportService*> published_export_{nullptr};
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_DURABILITY_H_
