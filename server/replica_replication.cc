#include "server/replica_replication.h"

namespace tidemark::server {

ReplicaReplication::ReplicaReplication(const Settings&, int) {}
cache::MutationSink* ReplicaReplication::SinkOf(ShardId) { return nullptr; }
void ReplicaReplication::AttachShard(cache::Shard&) {}
void ReplicaReplication::OnTurnEnd(ShardId, int64_t) {}
bool ReplicaReplication::DoSlice(ShardId) { return false; }
absl::Status ReplicaReplication::Start(cache::Engine&, int, std::function<void()>) {
  return absl::OkStatus();
}
void ReplicaReplication::Stop() {}
ReplicationView ReplicaReplication::View() const { return {}; }
void ReplicaReplication::AtCut(std::function<void(ShardId)>, std::function<void(HistoryId, Watermarks)>) {}
void ReplicaReplication::WaitFor(Watermarks, int64_t, int64_t, std::function<void(int64_t)>) {}

}  // namespace tidemark::server
