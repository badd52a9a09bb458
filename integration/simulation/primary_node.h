// PrimaryNode is a simulated process while it is the primary: from the recovery of its data
// directory, or from its promotion, to a crash or a stop. Keyspaces, publishers, snapshots, log,
// recovery, replication hub, archive and change feed are the production ones; threads and sockets
// are events.
//
// A crash destroys it, after the disk has lost what was not synced. What acts in its name later (an
// event, a byte that arrives) does nothing.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows time, disk and ledger.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_PRIMARY_NODE_H_
#define TIDEMARK_INTEGRATION_SIMULATION_PRIMARY_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/keyspace.h"
#include "integration/simulation/contents.h"
#include "integration/simulation/export_port.h"
#include "integration/simulation/ledger.h"
#include "integration/simulation/node_store.h"
#include "integration/simulation/node_time.h"
#include "integration/simulation/replica_port.h"
#include "integration/simulation/shard_door.h"
#include "integration/simulation/simulated_archive.h"
#include "integration/simulation/snapshot_task.h"
#include "replication/ack_levels.h"
#include "replication/link/primary_hub.h"
#include "replication/link/shard_access.h"
#include "server/fork.h"
#include "server/log_archive.h"
#include "wal/disk/disk.h"
#include "wal/recovery.h"

namespace tidemark::simulation {

class PrimaryNode final : public replication::ShardAccess, public replication::LinkWaker {
 public:
  struct Options {
    std::string name;  // For the ledger.
    int shards = 1;
    HistoryId fresh_history;
    size_t backlog_bytes = 32 << 10;
    replication::BatchLimits limits;
    replication::SnapshotProducer::Options snapshots;
    replication::PrimaryHub::Options hub;
    ExportPort::Options feed;
    uint64_t replica_retain_bytes = 64 << 10;  // Of the log, for each replica.
    NodeStore::Options store;
  };
  // Recovers what the disk holds and serves it. An error: the process ends at once.
  static absl::StatusOr<std::unique_ptr<PrimaryNode>> Start(NodeTime* time, wal::Disk& disk,
                                                            Ledger* ledger, const Options& options);
  // A replica's process becomes the primary: it has this on disk and in memory, and the keeper of
  // its stream has begun the history of `succession`.
  static std::unique_ptr<PrimaryNode> TakeOver(
      NodeTime* time, std::unique_ptr<NodeStore> store,
      std::vector<std::unique_ptr<cache::Keyspace>> keyspaces, server::Succession succession,
      Ledger* ledger, const Options& options);
  ~PrimaryNode() override;

  // --- What clients do. Each returns what their connection's writes have reached: a sequence for
  // each shard written to, 0 for the others. ---
  bool takes_writes() const;
  Watermarks Set(const std::string& key, std::string_view value, int64_t expire_at_ms);
  Watermarks Delete(const std::string& key);
  Watermarks Append(const std::string& key, std::string_view bytes);
  Watermarks Expire(const std::string& key, int64_t expire_at_ms);
  Watermarks SetAll(const std::vector<std::string>& keys, std::string_view value);
  Watermarks FlushAll();

  // What a reply waits for.
  struct Need {
    bool own_disk = false;
    int replicas = 0;  // 0: none.
    replication::AckKind kind = replication::AckKind::kApplied;
  };
  // Calls back with true once `target` is held as needed, with false at the deadline; not at all if
  // the node ends first.
  void WhenHeld(Watermarks target, Need need, int64_t timeout_ms, std::function<void(bool)> then);
  // WAIT: calls back with the number of replicas that have applied `target`, at the deadline at the
  // latest.
  void WhenReplicated(const Watermarks& target, int replicas, int64_t timeout_ms,
                      std::function<void(int)> then);

  // --- What operators and the network do ---
  void AcceptReplica(ConnectionRef connection) { replicas_->Accept(std::move(connection)); }
  void AcceptConsumer(ConnectionRef connection) { feed_->Accept(std::move(connection)); }
  void TakeSnapshot();
  void SyncLog();  // Whatever the policy, everything emitted by now.
  // Publishes and stores everything. An error: the disk does not let it.
  absl::Status Stop();
  // The machine loses power: no connection says goodbye.
  void LosePower();

  // --- What may be looked at ---
  // What is not as it must be, or empty.
  std::string Check();
  bool walking() const;
  Contents ContentsNow();  // Requires: !walking().
  // Of a node that was not promoted while it ran.
  const wal::Recovered& recovered() const { return store_->recovered(); }
  const wal::Log& log() const { return *log_; }
  replication::PrimaryHub& hub() const { return *hub_; }
  const SnapshotTask::Counts& snapshots() const { return snapshots_->counts(); }
  uint64_t overflows() const;  // Subscribers that were cut because a queue was full.
  int64_t WallMillis() const { return time_->UnixMillis(); }

  // ShardAccess.
  int shard_count() const override { return options_.shards; }
  HistoryId history() const override { return history_; }
  bool Knows(HistoryId history) const override;
  Watermarks Emitted() const override;
  Watermarks BacklogLow() const override;
  void OnEachShard(EachShard each, Done done) override;
  void AtCut(EachShard each, Done done) override;
  // LinkWaker.
  void Wake() override;
  void WakeShard(ShardId) override {}  // Its next turn comes anyway.

 private:
  struct Shard {
    Shard(ShardId id, const Options& options, replication::BacklogBudget* budget,
          std::unique_ptr<cache::Keyspace> of);
    std::unique_ptr<cache::Keyspace> owned;
    cache::Keyspace& keyspace;
    replication::ShardPublisher publisher;
    replication::SnapshotProducer snapshots;
    std::unique_ptr<ShardDoor> door;
    int64_t busy_until_us = 0;  // Posted tasks run in order.
  };
  struct Held {
    Watermarks target;
    Need need;
    int64_t deadline_ms;
    std::function<void(bool)> then;
  };

  PrimaryNode(NodeTime* time, Ledger* ledger, const Options& options,
              std::vector<std::unique_ptr<cache::Keyspace>> keyspaces,
              std::unique_ptr<NodeStore> store);
  std::vector<replication::ShardPublisher::Beginning> RecoveredBeginnings() const;
  void BeginStreams(std::vector<replication::ShardPublisher::Beginning> beginnings);
  void Serve();

  Shard& Owner(std::string_view key);
  Watermarks Wrote(const std::vector<ShardId>& shards) const;
  Watermarks Transaction(const std::vector<ShardId>& participants,
                         const std::function<void(Shard&, ShardId)>& part);
  void Turn(size_t shard);
  void Tick();
  void OnLogMoved();
  bool Holds(const Held& held) const;
  void AnswerHeld();

  NodeTime* const time_;
  Ledger* const ledger_;
  const Options options_;
  std::unique_ptr<NodeStore> store_;
  std::shared_ptr<wal::Log> log_;
  uint64_t log_listener_ = 0;
  HistoryId history_;
  std::vector<replication::Ancestor> ancestors_;  // Of it, oldest first.
  replication::BacklogBudget budget_;
  std::vector<std::unique_ptr<Shard>> shards_;
  replication::AckLevels levels_;
  std::unique_ptr<SnapshotTask> snapshots_;
  std::unique_ptr<server::LogArchive> log_archive_;
  std::unique_ptr<SimulatedArchive> archive_;
  std::unique_ptr<replication::PrimaryHub> hub_;
  std::unique_ptr<ReplicaPort> replicas_;
  std::unique_ptr<ExportPort> feed_;
  std::vector<Held> held_;
  uint64_t next_transaction_ = 1;
  bool wake_scheduled_ = false;
  NodeEvents events_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_PRIMARY_NODE_H_
