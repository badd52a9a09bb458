// ReplicaReplication: the link thread that follows a primary, and every shard's part in applying
// its stream. With a replication_port it hands that on to replicas of its own (RelayService).

#ifndef TIDEMARK_SERVER_REPLICA_REPLICATION_H_
#define TIDEMARK_SERVER_REPLICA_REPLICATION_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/settings/settings.h"
#include "replication/chunk_queue.h"
#include "replication/cut_walk.h"
#include "replication/shell/replica_client.h"
#include "server/durability.h"
#include "server/node_replication.h"
#include "server/relay_service.h"

namespace tidemark::server {

class ReplicaReplication final : public NodeReplication {
 public:
  // Whom to follow, and from where on.
  struct Course {
    std::string host;
    int port = 0;
    bool locate = false;                         // `port` may be that of the primary's clients.
    replication::ReplicaPosition position = {};  // What the shards hold; history 0: nothing.
    std::vector<replication::Ancestor> ancestors = {};
    std::vector<uint64_t> keys = {};  // By own shard; empty: none.
    // The newest frames up to `position`, for who follows this node; may be empty.
    std::vector<replication::StreamTail> tail = {};
  };
  // As the settings say.
  static Course FromSettings(const Settings& settings);

  // The primary's orders, on the link thread.
  struct Orders {
    std::function<void()> promote;
    std::function<void(std::string host, uint16_t port)> follow;
  };
  // Borrows `settings`.
  ReplicaReplication(const Settings& settings, int shards, NodeIdentity identity, Course course,
                     replication::ServedBoard& served, Orders orders);

  const Course& course() const { return course_; }
  // See ReplicaClient.
  replication::ReplicaClient::Ending Finish(replication::wire::Goodbye::Code code);
  // After Finish(), when Node::replication() is another: this object may go although the shards
  // live on. Not from a shard's thread.
  void Detach() {
    if (relay_ != nullptr) relay_->Detach();
  }
  void RefusePromotion(std::string why) { client_->RefusePromotion(std::move(why)); }

  // A node with a data directory: what its own log brought back, and where the stream goes from
  // here on. After Prepare(), before Start().
  void Begin(const NodeDurability::RecoveredStream& recovered, FollowedStream* stream);
  // As Begin(), for a node whose log stands where the course says.
  void KeepIn(FollowedStream* stream) { client_->KeepIn(stream); }
  // See NodeDurability::ReplicaShards.
  void RequestCut(std::shared_ptr<replication::ChunkQueue> queue,
                  NodeDurability::ReplicaShards::CutKnown known);
  uint64_t AppliedRecords() const { return client_->status().applier.applied_records; }

  cache::MutationSink* SinkOf(ShardId) override { return nullptr; }
  void AttachShard(cache::Shard& shard) override;
  void OnTurnEnd(ShardId shard, int64_t now_ms) override {
    if (relay_ != nullptr) relay_->OnTurnEnd(shard, now_ms);
  }
  bool DoSlice(ShardId shard) override;
  void LeaveShard(ShardId shard) override { client_->LeaveShard(shard); }
  bool WritesRefused(ShardId) const override { return false; }
  absl::Status Prepare(cache::Engine& engine, int client_port) override;
  absl::Status Start(std::function<void()> on_synced) override;
  void Stop() override;
  void OnTokensChanged() override;
  int port() const override { return relay_ == nullptr ? 0 : relay_->port(); }
  ReplicationView View() const override;
  replication::ServedPosition Served() const override { return served_.Get(); }
  void AtCut(std::function<void(ShardId)> each,
             std::function<void(HistoryId, Watermarks)> done) override;
  void WaitFor(Watermarks target, replication::AckKind kind, int64_t replicas, int64_t timeout_ms,
               std::function<void(int64_t)> done) override;

 private:
  const Settings& settings_;
  const NodeIdentity identity_;
  const Course course_;
  const Orders orders_;
  replication::ServedBoard& served_;
  std::vector<cache::Keyspace*> keyspaces_;  // By shard, as below.
  std::vector<std::unique_ptr<replication::CutWalk>> cut_walks_;
  std::unique_ptr<RelayService> relay_;                 // Null: without a replication_port.
  std::unique_ptr<replication::ReplicaClient> client_;  // From Prepare() on.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_REPLICA_REPLICATION_H_
