// Node is one running process of Tidemark: the engine, its sockets, and its end of replication,
// wired together by role. A primary takes writes and serves replicas; a replica follows one primary
// and serves reads.
//
// Threading: Start and Stop on the main thread. The rest may be called on any thread, except what
// takes a Client, which belongs to that client's.

#ifndef TIDEMARK_SERVER_NODE_H_
#define TIDEMARK_SERVER_NODE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/backpressure.h"
#include "base/clock.h"
#include "base/settings/settings.h"
#include "cache/engine.h"
#include "net/connection_set.h"
#include "net/io_loop.h"
#include "server/digest_service.h"
#include "server/node_replication.h"
#include "server/node_report.h"
#include "server/password.h"
#include "server/pause_gate.h"
#include "server/rate_meter.h"
#include "server/server_command.h"
#include "server/shard_node.h"
#include "server/stop_request.h"

namespace tidemark::server {

class Node {
 public:
  // Borrows `settings`, whose role is the node's.
  explicit Node(Settings& settings);
  // Stops.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Binds and starts everything. A replica's clients are told that it is loading until its first
  // sync is complete. Errors name the address or the setting; InvalidArgument is the operator's
  // mistake.
  absl::Status Start();
  // Stops accepting, answers what was asked, hands replicas the last frames, closes. Bounded in
  // time.
  void Stop();

  // Waits until the node serves: a primary does at once. False if a stop was asked for first.
  bool WaitUntilServing();
  void RequestStop(std::string reason) { stop_.Ask(std::move(reason)); }
  std::string WaitForStop() { return stop_.Wait(); }
  // "tidemark ready role=primary port=6379 replication_port=7631 shards=2 pid=4242"
  std::string ReadyLine() const;

  bool is_replica() const { return settings_.role() == NodeRole::kReplica; }
  // Whether there is something to show: false on a replica before its first sync.
  bool serving() const { return serving_.load(std::memory_order_acquire); }
  Settings& settings() { return settings_; }
  cache::Engine& engine() { return *engine_; }
  ShardNode& shard(ShardId id) { return *shards_[id.value()]; }
  const cache::CommandTable& commands() const { return table_.commands(); }
  const ServerCommandTable& table() const { return table_; }
  net::ConnectionLimit& connection_limit() { return connection_limit_; }
  const Password& password() const { return password_; }
  PauseGate& pause_gate() { return pause_gate_; }
  const PressureThresholds& pressure_thresholds() const { return pressure_thresholds_; }
  DigestService& digests() { return *digests_; }
  NodeReplication& replication() { return *replication_; }

  // Gathers the node's state from every shard and answers `client` with it.
  void AnswerReport(Client& client,
                    std::function<void(const NodeReport&, cache::ReplyBuilder&)> answer);
  // Called by shard 0 at each of its ticks.
  void OnTick(int64_t now_ns);

 private:
  absl::Status Listen();
  // Hands the settings that clients obey to every shard, now and at each change.
  void FollowSettings();
  void ApplyToShards();
  NodeReport MakeReport(std::vector<ShardReport>& shards) const;
  void DrainClients();

  Settings& settings_;
  const Clock& clock_ = Clock::System();
  const int64_t started_ns_;
  const ServerCommandTable table_;
  net::ConnectionLimit connection_limit_;
  Password password_;
  PauseGate pause_gate_;
  PressureThresholds pressure_thresholds_;  // From Start() on.
  StopRequest stop_;
  std::atomic<bool> serving_{false};
  uint64_t startup_bytes_ = 0;  // From Start() on.
  RateMeter command_rate_, input_rate_, output_rate_;

  // In the order in which they are made; the engine's threads stop before any of it goes.
  std::vector<std::unique_ptr<net::IoLoop>> io_loops_;
  std::unique_ptr<NodeReplication> replication_;
  std::unique_ptr<cache::Engine> engine_;
  std::vector<std::unique_ptr<ShardNode>> shards_;
  std::unique_ptr<DigestService> digests_;
  bool running_ = false;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_NODE_H_
