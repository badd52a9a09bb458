// NodeReplication is a node's end of replication, whichever its role: what a primary publishes and
// to whom, or what a replica follows.
//
// Threading: construction, Start and Stop on the main thread; the rest on any.

#ifndef TIDEMARK_SERVER_NODE_REPLICATION_H_
#define TIDEMARK_SERVER_NODE_REPLICATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/ids.h"
#include "cache/engine.h"
#include "cache/mutation_sink.h"
#include "cache/shard.h"
#include "replication/ack_levels.h"
#include "replication/served_position.h"
#include "server/node_report.h"

namespace tidemark::server {

// What both ends say of the node.
struct NodeIdentity {
  std::string node_id;        // The data directory's, or this process's; no two nodes share one.
  int replication_port = -1;  // Where the node takes replicas as a primary; -1: nowhere.
};

class NodeReplication {
 public:
  virtual ~NodeReplication() = default;

  // Where a shard's mutations go; null on a replica. Before the engine is made.
  virtual cache::MutationSink* SinkOf(ShardId shard) = 0;
  // The shard exists: hang what belongs into its loop. Before the engine starts.
  virtual void AttachShard(cache::Shard& shard) = 0;
  // What the shard does at the end of every turn, before its replies leave, and in its background
  // slices.
  virtual void OnTurnEnd(ShardId shard, int64_t now_ms) = 0;
  virtual bool DoSlice(ShardId shard) = 0;
  // The shard stops, or another takes this one's place: on the shard's thread, after Stop().
  virtual void LeaveShard(ShardId shard) {}
  // A mutation of the shard could not be encoded: readers have a hole in its stream, and no more
  // writes should be taken.
  virtual bool WritesRefused(ShardId shard) const = 0;

  // All shards are attached and the node listens on `client_port`. Before the engine starts.
  virtual absl::Status Prepare(cache::Engine& engine, int client_port) = 0;
  // The engine runs. `on_synced` is called once, on some thread, when there is something to serve.
  virtual absl::Status Start(std::function<void()> on_synced) = 0;
  // Hands over what is due, says goodbye, and ends the link thread. The engine still runs.
  virtual void Stop() = 0;

  // The settings' tokens have changed: connections that come now go by the new ones.
  virtual void OnTokensChanged() = 0;

  // The port that replicas can connect to; 0 if there is none now.
  virtual int port() const = 0;
  virtual ReplicationView View() const = 0;
  // What readers of this node see. On a primary as of the shards' latest turns.
  virtual replication::ServedPosition Served() const = 0;
  // Runs `each` on every shard at one cut, then `done` with the watermarks of that cut.
  virtual void AtCut(std::function<void(ShardId)> each,
                     std::function<void(HistoryId, Watermarks)> done) = 0;
  // Calls `done` with the number of replicas that have `target` (in the sense of `kind`): once that
  // is at least `replicas`, or after `timeout_ms` (0: never give up); or with kUnblocked if this
  // node stops serving replicas first.
  static constexpr int64_t kUnblocked = -1;
  virtual void WaitFor(Watermarks target, replication::AckKind kind, int64_t replicas,
                       int64_t timeout_ms, std::function<void(int64_t)> done) = 0;
  // What replicas have acknowledged, for shards that hold replies back; null on a replica.
  virtual replication::AckLevels* ack_levels() { return nullptr; }
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_NODE_REPLICATION_H_
