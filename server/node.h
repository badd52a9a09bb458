// Node is one running process of Tidemark: the engine, its sockets, and its end of replication,
// wired together by role. A primary takes writes and serves replicas; a replica follows one primary
// and serves reads. The settings say as what a node starts; RoleKeeper changes it while it runs.
//
// Threading: Start and Stop on the main thread. The rest may be called on any thread, except what
// takes a Client, which belongs to that client's.

#ifndef TIDEMARK_SERVER_NODE_H_
#define TIDEMARK_SERVER_NODE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/backpressure.h"
#include "base/clock.h"
#include "base/settings/settings.h"
#include "cache/engine.h"
#include "net/connection_set.h"
#include "net/io_loop.h"
#include "replication/shell/served_board.h"
#include "server/digest_service.h"
#include "server/durability.h"
#include "server/node_pressure.h"
#include "server/node_replication.h"
#include "server/node_report.h"
#include "server/node_tier.h"
#include "server/password.h"
#include "server/pause_gate.h"
#include "server/port_reservation.h"
#include "server/rate_meter.h"
#include "server/role_keeper.h"
#include "server/server_command.h"
#include "server/shard_node.h"
#include "server/stop_request.h"
#include "wal/disk/disk.h"
#include "wal/disk/posix_disk.h"

namespace tidemark::server {

class PrimaryReplication;
class ReplicaReplication;

class Node {
 public:
  // Borrows `settings`, whose role is the node's, and the disk for its data directory.
  explicit Node(Settings& settings, wal::Disk& disk = wal::PosixDisk::Get());
  // Stops.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Binds and starts everything. Clients may connect early and are told that the node is loading:
  // a primary's until this returns, with what its data directory holds; a replica's until its first
  // sync is complete. Errors name the address, the file or the setting; InvalidArgument is the
  // operator's mistake, Cancelled a stop that was asked for meanwhile.
  absl::Status Start();
  // Stops accepting, answers what was asked, hands replicas the last frames, leaves the data
  // directory as a clean stop. Bounded in time but for the disk.
  void Stop();

  // Waits until the node serves: a primary does at once. False if a stop was asked for first.
  bool WaitUntilServing();
  void RequestStop(std::string reason) { stop_.Ask(std::move(reason)); }
  // As RequestStop, but without a last snapshot: the next start replays the log.
  void RequestStopWithoutSaving(std::string reason) {
    stop_saves_.store(false);
    stop_.Ask(std::move(reason));
  }
  // SHUTDOWN SAVE is under way between the two; AbortShutdown says whether it was.
  bool BeginShutdown() { return !shutting_down_.exchange(true); }
  bool AbortShutdown() { return shutting_down_.exchange(false); }
  std::string WaitForStop() { return stop_.Wait(); }
  // Where the node takes replicas; 0: nowhere. On the main thread.
  int replication_port() const;
  // "tidemark ready role=primary port=6379 replication_port=7631 shards=2 pid=4242"
  std::string ReadyLine() const;

  // As of now; may change between two calls.
  bool is_replica() const { return role_.load(std::memory_order_acquire) == NodeRole::kReplica; }
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
  const NodePressure& pressure() const { return *pressure_; }
  DigestService& digests() { return *digests_; }
  // Of the present role. On a shard's thread it stays good until the end of the turn.
  NodeReplication& replication() const {
    return *published_replication_.load(std::memory_order_acquire);
  }
  RoleKeeper& roles() { return *roles_; }
  // Of a replica: how far what is served has come.
  replication::ServedBoard& served_board() { return *served_board_; }
  // Null without a data directory.
  NodeDurability* durability() { return durability_.get(); }
  // The disk tier as of now.
  TierView tier_view() const { return tier_ == nullptr ? TierView() : tier_->View(); }
  // Null while the node keeps nothing on disk, or has not brought it back yet.
  SnapshotService* snapshots() const {
    return durability_ == nullptr ? nullptr : durability_->snapshots();
  }
  // Whether the shard must take no writes: its log or its stream cannot take them.
  bool WritesRefused(ShardId shard) const {
    return replication().WritesRefused(shard) ||
           (durability_ != nullptr && !durability_->writing()) || LacksReplicas();
  }
  // Fewer replicas are good enough than min_replicas_to_write asks for.
  bool LacksReplicas() const {
    return settings_.Int(Setting::kMinReplicasToWrite) != 0 && !is_replica() &&
           GoodReplicas() < settings_.Int(Setting::kMinReplicasToWrite);
  }
  // Replicas that had everything within min_replicas_max_lag_ms.
  int GoodReplicas() const;

  // Gathers the node's state from every shard and answers `client` with it.
  void AnswerReport(Client& client,
                    std::function<void(const NodeReport&, cache::ReplyBuilder&)> answer);
  // Called by shard 0 at each of its ticks.
  void OnTick(int64_t now_ns);

  // --- For a change of role, on the role thread. ---
  const NodeIdentity& identity() const { return identity_; }
  int client_port() const { return shards_[0]->port(); }
  // Makes `next` the node's end of replication, tells every client, and returns the old one once no
  // shard is in it.
  std::unique_ptr<NodeReplication> Exchange(std::unique_ptr<NodeReplication> next, NodeRole role);
  // Cuts that are asked for between the two wait for the second.
  void HoldCuts();
  void ResumeCuts();
  // Lets every client try again what it held back.
  void ResumeClients();
  // There is something to serve.
  void StartServing();
  // What a node with a data directory does beside its role: snapshots, and the export of changes.
  absl::Status StartServices(PrimaryReplication& primary);
  void StartServices(ReplicaReplication& replica);
  // The port is about to be listened on. / It was listened on, and is to be again.
  void ReleaseReplicationPort() { reserved_port_.reset(); }
  void RememberReplicationPort(int port) {
    if (port != 0) identity_.replication_port = port;
  }

 private:
  using CutTask = std::function<void(ShardId)>;
  using CutDone = std::function<void(HistoryId, Watermarks)>;

  // Who this node is to others, by its settings.
  absl::Status Identify();
  std::unique_ptr<NodeReplication> MakeReplication(int shards);
  void AtCut(CutTask each, CutDone done);
  absl::Status Listen();
  // The data directory's part of Start().
  absl::Status StartDurability();
  // Hands the settings that clients obey to every shard, now and at each change.
  void FollowSettings();
  void ApplyToShards();
  void ApplyAckSettings();
  NodeReport MakeReport(std::vector<ShardReport>& shards) const;
  void DrainClients();
  void FollowPressure(int64_t now_ns);
  // Hands maxmemory and what belongs to it to the engine.
  void ApplyMemorySettings();
  // With a tier, what is loaded from the data directory keeps to maxmemory by itself.
  void LimitMemoryWhileLoading();
  // What the keyspaces may hold now, by what else there is. Returns how much of the slack above the
  // limit is in use, in percent.
  int FollowMemory(const ReplicationView& view, int64_t now_ns);

  Settings& settings_;
  wal::Disk& disk_;
  const Clock& clock_ = Clock::System();
  const int64_t started_ns_;
  const ServerCommandTable table_;
  net::ConnectionLimit connection_limit_;
  Password password_;
  PauseGate pause_gate_;
  PressureThresholds pressure_thresholds_;  // From Start() on, as is the next.
  std::unique_ptr<NodePressure> pressure_;
  StopRequest stop_;
  std::atomic<bool> stop_saves_{true};
  std::atomic<bool> shutting_down_{false};
  std::atomic<bool> serving_{false};
  std::atomic<NodeRole> role_;
  NodeIdentity identity_;
  std::optional<PortReservation> reserved_port_;  // Until a replica listens on it.

  std::mutex memory_mutex_;
  bool limits_memory_ = false;  // Guarded by memory_mutex_: the settings of memory hold by now.

  std::mutex cuts_mutex_;
  bool cuts_held_ = false;  // Guarded by cuts_mutex_, as is:
  std::vector<std::pair<CutTask, CutDone>> held_cuts_;
  int64_t next_purge_ns_ = 0;   // Shard 0's.
  uint64_t startup_bytes_ = 0;  // From Start() on.
  RateMeter command_rate_, input_rate_, output_rate_;

  // In the order in which they are made; the engine's threads stop before any of it goes.
  std::vector<std::unique_ptr<net::IoLoop>> io_loops_;
  std::unique_ptr<NodeDurability> durability_;
  std::unique_ptr<replication::ServedBoard> served_board_;
  std::unique_ptr<NodeReplication> replication_;  // The role thread's, once that runs.
  std::atomic<NodeReplication*> published_replication_{nullptr};
  std::unique_ptr<NodeTier> tier_;  // Null without a directory for it.
  std::unique_ptr<cache::Engine> engine_;
  std::vector<std::unique_ptr<ShardNode>> shards_;
  std::unique_ptr<DigestService> digests_;
  std::unique_ptr<RoleKeeper> roles_;
  bool running_ = false;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_NODE_H_
