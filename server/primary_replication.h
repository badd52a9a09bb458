// PrimaryReplication: every shard's publisher and snapshots, and the link thread that serves
// replicas.

#ifndef TIDEMARK_SERVER_PRIMARY_REPLICATION_H_
#define TIDEMARK_SERVER_PRIMARY_REPLICATION_H_

#include <memory>
#include <vector>

#include "base/settings/settings.h"
#include "replication/backlog.h"
#include "replication/shard_publisher.h"
#include "replication/snapshot_producer.h"
#include "server/node_replication.h"

namespace tidemark::server {

class PrimaryReplication final : public NodeReplication {
 public:
  // Borrows `settings`. A new history begins.
  PrimaryReplication(const Settings& settings, int shards);

  cache::MutationSink* SinkOf(ShardId shard) override;
  void AttachShard(cache::Shard& shard) override;
  void OnTurnEnd(ShardId shard, int64_t now_ms) override;
  bool DoSlice(ShardId shard) override;
  absl::Status Start(cache::Engine& engine, int client_port,
                     std::function<void()> on_synced) override;
  void Stop() override;
  int port() const override;
  ReplicationView View() const override;
  void AtCut(std::function<void(ShardId)> each,
             std::function<void(HistoryId, Watermarks)> done) override;
  void WaitFor(Watermarks target, int64_t replicas, int64_t timeout_ms,
               std::function<void(int64_t)> done) override;

 private:
  struct PerShard {
    std::unique_ptr<replication::ShardPublisher> publisher;
    std::unique_ptr<replication::SnapshotProducer> snapshots;  // Once the shard exists.
  };

  const Settings& settings_;
  const HistoryId history_;
  replication::BacklogBudget backlog_budget_;
  std::vector<PerShard> shards_;
  cache::Engine* engine_ = nullptr;  // While started.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_PRIMARY_REPLICATION_H_
