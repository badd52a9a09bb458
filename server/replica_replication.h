// ReplicaReplication: the link thread that follows a primary, and every shard's part in applying
// its stream.

#ifndef TIDEMARK_SERVER_REPLICA_REPLICATION_H_
#define TIDEMARK_SERVER_REPLICA_REPLICATION_H_

#include "base/settings/settings.h"
#include "server/node_replication.h"

namespace tidemark::server {

class ReplicaReplication final : public NodeReplication {
 public:
  // Borrows `settings`.
  ReplicaReplication(const Settings& settings, int shards);

  cache::MutationSink* SinkOf(ShardId shard) override;
  void AttachShard(cache::Shard& shard) override;
  void OnTurnEnd(ShardId shard, int64_t now_ms) override;
  bool DoSlice(ShardId shard) override;
  absl::Status Start(cache::Engine& engine, int client_port,
                     std::function<void()> on_synced) override;
  void Stop() override;
  int port() const override { return 0; }
  ReplicationView View() const override;
  void AtCut(std::function<void(ShardId)> each,
             std::function<void(HistoryId, Watermarks)> done) override;
  void WaitFor(Watermarks target, int64_t replicas, int64_t timeout_ms,
               std::function<void(int64_t)> done) override;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_REPLICA_REPLICATION_H_
