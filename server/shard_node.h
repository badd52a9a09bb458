// ShardNode is one shard thread's part of a node: its sockets, its clients, its publisher, and the
// hook that ties them into the shard's loop.
//
// Threading: confined to the shard's thread once the engine runs.

#ifndef TIDEMARK_SERVER_SHARD_NODE_H_
#define TIDEMARK_SERVER_SHARD_NODE_H_

#include <asio/steady_timer.hpp>
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "base/backpressure.h"
#include "base/pressure_board.h"
#include "cache/shard.h"
#include "net/connection_set.h"
#include "net/io_loop.h"
#include "net/listener.h"
#include "server/client.h"
#include "server/client_settings.h"
#include "server/digest_walk.h"
#include "server/error_counts.h"
#include "server/freshness.h"
#include "server/node_report.h"
#include "server/reply_gate.h"
#include "server/token_waiters.h"

namespace tidemark::server {

class Node;
class NodeDurability;

class ShardNode final : public cache::ShardHook, public net::ConnectionAcceptor {
 public:
  // All are borrowed; makes itself a hook of `shard`.
  ShardNode(Node& node, net::IoLoop& io, cache::Shard& shard);
  ~ShardNode() override;

  Node& node() { return node_; }
  ShardId id() const { return shard_.id(); }
  cache::Shard& shard() { return shard_; }
  cache::Keyspace& keyspace() { return shard_.keyspace(); }
  int64_t now_ms() const { return shard_.now_ms(); }  // Since 1970.
  int64_t now_ns() const { return io_.now_ns(); }     // Of a clock that never steps back.
  cache::SlowLog& slow_log() { return shard_.slow_log(); }
  ErrorCounts& errors() { return errors_; }

  // Binds to the node's address. `port` 0 lets the kernel choose. Before the engine starts.
  absl::Status Listen(uint16_t port);
  uint16_t port() const { return listener_->port(); }

  // Null if it is gone.
  Client* FindClient(uint64_t id);
  void ForEachClient(const std::function<void(Client&)>& visit);
  // The client's connection has closed: it dies at the end of this turn.
  void Bury(uint64_t id);

  void Apply(const ClientSettings& settings);
  // Replies that wait for disks or replicas.
  ReplyGate& gate() { return gate_; }
  // Whether a write may have to wait, or be refused, because of what is full.
  bool pressure_acts() const { return pressure_acts_ || shard_.writes_should_wait(); }
  // Whether this write must wait in its client's socket now; the client is resumed. Requires:
  // pressure_acts().
  bool DelaysWrite(const cache::CommandSpec& spec);
  // Whether it is to be refused, with NodePressure::Refusal().
  bool RefusesWrite(const cache::CommandSpec& spec) const;
  // How full the fullest way to another shard is, as of the latest turn. Any thread.
  int mesh_percent() const { return mesh_percent_.load(std::memory_order_relaxed); }
  // How much of what its tier may have to write it has, as of the latest turn. Any thread.
  int tier_percent() const { return tier_percent_.load(std::memory_order_relaxed); }
  // What every reader of this replica is promised.
  const StalenessBounds& staleness_bounds() const { return staleness_bounds_; }
  int64_t track_wait_ms() const { return track_wait_ms_; }
  int64_t monotonic_ms() const { return now_ns() / 1'000'000; }
  // Calls `use` from a task on this thread, or at once, with a position of which no reader of this
  // node has seen more, once what was answered so far is counted in.
  void WithPosition(std::function<void(const replication::ServedPosition&)> use);
  // Calls waiter.done from a task; not if the client goes first. A primary does not wait: it has
  // all that there is.
  void AwaitToken(TokenWaiters::Waiter waiter);
  // What this node serves has moved, and somebody here waits for that. From a task.
  void OnServedMoved() { ServeTokenWaiters(); }
  void CountStaleRead() { ++stale_reads_refused_; }
  void CountBusyWrite() { ++writes_refused_busy_; }
  // A command waits for a pause to end: offer it again then.
  void ResumeAfterPause() { held_back_ = true; }
  // See DigestWalk::Begin.
  bool BeginDigest(DigestWalk::Done done) {
    return digest_walk_.Begin(keyspace(), std::move(done));
  }

  ShardReport Report();  // Counters since ResetStats().
  // Any thread.
  uint64_t commands_processed() const;
  const net::ConnectionSet::Counters& socket_counters() const { return connections_.counters(); }
  void ResetStats();

  // Stops accepting, and closes every connection once its replies are out.
  void BeginDrain();

  // net::ConnectionAcceptor.
  net::ConnectionHandler* OnAccept(net::ClientConnection& connection) override;

  // --- cache::ShardHook ---
  void OnTurnEnd() override;
  void OnTick(int64_t now_ms) override;
  bool DoSlice() override;
  void OnStop() override;

 private:
  ShardReport ReportSinceStart();
  void ReportCommands(ShardReport& report);
  // The more is under way to other shards, or waits for the disk, the less is read from clients.
  void FollowPressure();
  bool FollowOwnQueues();
  // Tells the other shards when this one no longer waits for its tier.
  void FollowTier();
  // The shard takes writes again that it has delayed.
  bool WritesMayGoOn() const;
  size_t read_limit() const;
  // What changes with the log's state.
  void FollowLog(NodeDurability& durability);
  static void NoteLogState(const NodeDurability& durability);
  void ServeTokenWaiters();

  Node& node_;
  net::IoLoop& io_;
  cache::Shard& shard_;
  DigestWalk digest_walk_;
  ErrorCounts errors_;
  BackpressureController mesh_pressure_;
  BackpressureController log_pressure_;
  std::atomic<int> mesh_percent_{0};
  std::atomic<int> tier_percent_{0};
  uint64_t tier_waits_seen_ = 0;  // Of ShardMemory::waits_ended().
  bool log_suspended_ = false;    // By this shard's own way to the log.
  Action node_action_{};          // On writes, as of the latest turn.
  bool pressure_acts_ = false;
  bool delayed_writes_ = false;      // Some wait to be offered again.
  bool tier_delays_writes_ = false;  // Likewise, until a tier has written something.
  bool paced_write_ran_ = false;     // This turn: a pause follows.
  int64_t paused_until_ms_ = 0;      // Monotonic.
  asio::steady_timer pause_timer_;   // Ends the loop's sleep when a pause ends.
  uint64_t writes_delayed_ = 0;
  uint64_t writes_delayed_by_tier_ = 0;  // Of them.
  uint64_t writes_refused_busy_ = 0;
  bool held_back_ = false;      // Commands wait for a pause to end.
  bool hides_expired_ = false;  // The log takes no writes: keys past their time stay.

  ReplyGate gate_;

  StalenessBounds staleness_bounds_;
  int64_t track_wait_ms_ = 0;
  TokenWaiters token_waiters_;
  uint64_t stale_reads_refused_ = 0;

  ShardReport at_reset_;

  absl::flat_hash_map<uint64_t, std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Client>> buried_;  // Closed this turn.
  net::ConnectionSet connections_;  // Closes what is left, so it dies before the clients.
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_SHARD_NODE_H_
