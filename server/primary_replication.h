// PrimaryReplication: every shard's publisher and snapshots, and the link thread that serves
// replicas.

#ifndef TIDEMARK_SERVER_PRIMARY_REPLICATION_H_
#define TIDEMARK_SERVER_PRIMARY_REPLICATION_H_

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "base/settings/settings.h"
#include "replication/ack_levels.h"
#include "replication/backlog.h"
#include "replication/shard_publisher.h"
#include "replication/shell/blocking_archive.h"
#include "replication/shell/replication_server.h"
#include "replication/snapshot_producer.h"
#include "server/fork.h"
#include "server/node_replication.h"

namespace tidemark::server {

class PrimaryReplication final : public NodeReplication {
 public:
  // Borrows `settings`. A new history begins, unless Begin() says otherwise.
  PrimaryReplication(const Settings& settings, int shards, NodeIdentity identity);

  // Where every shard's stream goes on after a recovery: from here on the shards' mutations are
  // published. Indexed by shard, all of one history. Requires: the engine runs, no shard has a sink
  // yet, and Start() was not called. On the main thread; returns when every shard has begun.
  void Begin(std::vector<replication::ShardPublisher::Beginning> beginnings);
  // As Begin(), on a replica that takes over: nobody applies to the shards any more, and they take
  // writes when this returns.
  void TakeOver(Succession succession);

  // Where the streams are, and what the shards hold.
  struct StreamEnds {
    replication::ReplicaPosition position;
    std::vector<replication::Ancestor> ancestors;
    std::vector<uint64_t> keys;  // By shard.
  };
  // Ends the streams, at one cut: from then on the shards refuse writes and mint nothing. Not from
  // a shard's thread. Requires: the engine runs. Once more, it says the same.
  StreamEnds EndStreams();
  // After EndStreams(), which is then final: no shard touches the log any more.
  void LeaveLog();
  // Takes back EndStreams().
  void ResumeStreams();
  // All shards' newest mutations at one cut. Not from a shard's thread.
  Watermarks AssignedAtCut();
  // Asks a replica to take over; see ReplicationServer::Promote. Requires: started with a port.
  void Promote(uint64_t replica, bool force,
               std::function<void(const replication::PromotionOutcome&)> done);
  // As Stop(), naming the new primary to those who still follow.
  void StopMoved(std::string host, uint16_t port);
  // Lets go of the shards, so that this object may go although they live on. After Stop(), when
  // Node::replication() is another. Not from a shard's thread.
  void Detach();
  // What feeds replicas that fell behind this node's memory. Before Start().
  void set_archive(std::unique_ptr<replication::BlockingArchive> archive) {
    archive_ = std::move(archive);
  }
  // The newest mutations of all shards, added up. Any thread.
  uint64_t AssignedOfAll() const;
  // Of a shard, for snapshots to files.
  replication::SnapshotProducer& snapshots(ShardId shard) {
    return *shards_[shard.value()].snapshots;
  }

  cache::MutationSink* SinkOf(ShardId shard) override;
  void AttachShard(cache::Shard& shard) override;
  void OnTurnEnd(ShardId shard, int64_t now_ms) override;
  bool DoSlice(ShardId shard) override;
  bool WritesRefused(ShardId shard) const override;
  absl::Status Prepare(cache::Engine& engine, int client_port) override;
  absl::Status Start(std::function<void()> on_synced) override;
  void Stop() override;
  void OnTokensChanged() override;
  int port() const override;
  ReplicationView View() const override;
  replication::ServedPosition Served() const override;
  void AtCut(std::function<void(ShardId)> each,
             std::function<void(HistoryId, Watermarks)> done) override;
  void WaitFor(Watermarks target, replication::AckKind kind, int64_t replicas, int64_t timeout_ms,
               std::function<void(int64_t)> done) override;
  replication::AckLevels* ack_levels() override { return &ack_levels_; }

 private:
  struct PerShard {
    std::unique_ptr<replication::ShardPublisher> publisher;
    cache::Keyspace* keyspace = nullptr;  // Once the shard exists, as below.
    std::unique_ptr<replication::SnapshotProducer> snapshots;
  };

  const Settings& settings_;
  const NodeIdentity identity_;
  std::atomic<HistoryId> history_;
  std::vector<replication::Ancestor> ancestors_;  // Before Start().
  Fork fork_;                                     // Likewise; without a parent: not promoted.
  replication::BacklogBudget backlog_budget_;
  std::vector<PerShard> shards_;
  cache::Engine* engine_ = nullptr;  // From Prepare() on.
  replication::AckLevels ack_levels_;
  std::unique_ptr<replication::BlockingArchive> archive_;   // Null: none.
  std::unique_ptr<replication::ReplicationServer> server_;  // Once started_ is seen; null: no port.
  std::atomic<bool> started_{false};
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_PRIMARY_REPLICATION_H_
