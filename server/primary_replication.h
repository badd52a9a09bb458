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
#include "server/node_replication.h"

namespace tidemark::server {

class PrimaryReplication final : public NodeReplication {
 public:
  // Borrows `settings`. A new history begins, unless Begin() says otherwise.
  PrimaryReplication(const Settings& settings, int shards);

  // Where every shard's stream goes on after a recovery: from here on the shards' mutations are
  // published. Indexed by shard, all of one history. Requires: the engine runs, no shard has a sink
  // yet, and Start() was not called. On the main thread; returns when every shard has begun.
  void Begin(const std::vector<replication::ShardPublisher::Beginning>& beginnings);
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

  void AddCounters(const replication::ReplicationServer::Status& status,
                   ReplicationView& view) const;

  const Settings& settings_;
  std::atomic<HistoryId> history_;
  std::vector<HistoryId> ancestors_;
  std::vector<replication::Ancestor> forks_;  // Likewise, and where each was left.
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
