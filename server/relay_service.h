// RelayService makes a replica serve replicas of its own: every shard's part in handing on the
// stream that it applies, and the link thread that serves those who follow.
//
// ReplicaClient decides when there is a stream to hand on and tells relay(); the shards' appliers
// tell their ShardRelay of each frame. What stops it leaves the shards untouched.
//
// Threading: construction, Start, Stop and Detach on one thread, the rest on any, but for what
// names a shard, which is that shard's thread's. Ownership: borrows the settings and the engine.
// The client that uses it stops before it does.

#ifndef TIDEMARK_SERVER_RELAY_SERVICE_H_
#define TIDEMARK_SERVER_RELAY_SERVICE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/settings/settings.h"
#include "cache/engine.h"
#include "cache/shard.h"
#include "replication/backlog.h"
#include "replication/shard_relay.h"
#include "replication/shell/replication_server.h"
#include "server/node_replication.h"

namespace tidemark::server {

class RelayService {
 public:
  RelayService(const Settings& settings, int shards, NodeIdentity identity);
  RelayService(const RelayService&) = delete;
  RelayService& operator=(const RelayService&) = delete;

  // The shard exists.
  void Attach(cache::Shard& shard);
  // All do. From here on shard_relays() and relay() are good.
  void Prepare(cache::Engine& engine);
  // Listens. Nobody is admitted before relay() says so.
  absl::Status Start();
  // Hands over what is due, for a short while, says goodbye, and leaves the shards alone. The
  // engine runs. Idempotent.
  void Stop();
  // After Stop(), when no shard comes here any more: what was posted to them has run when this
  // returns, and this object may go although they live on.
  void Detach();

  // What each shard's applier tells; by shard.
  std::vector<replication::ShardRelay*> shard_relays();
  replication::StreamRelay* relay() { return server_.get(); }

  void OnTurnEnd(ShardId shard, int64_t now_ms) { relays_[shard.value()]->OnTurnEnd(now_ms); }
  bool DoSlice(ShardId shard) { return relays_[shard.value()]->DoSlice(); }

  void OnTokensChanged();
  // 0: it does not listen.
  int port() const;
  void AddTo(ReplicationView& view) const;

 private:
  const Settings& settings_;
  const NodeIdentity identity_;
  replication::BacklogBudget backlog_budget_;
  std::vector<std::unique_ptr<replication::ShardRelay>> relays_;
  cache::Engine* engine_ = nullptr;
  std::unique_ptr<replication::ReplicationServer> server_;  // From Prepare() on.
  std::atomic<bool> started_{false};
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_RELAY_SERVICE_H_
