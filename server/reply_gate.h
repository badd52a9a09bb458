// ReplyGate is one shard's part in replies that wait: it knows what the node's settings ask of a
// write, which of the shard's clients hold replies back, and lets them go when disks and replicas
// have moved. Each client's HeldReplies decides what may leave.
//
// Nobody is looked at but those who wait: a move (an fsync, an ack) wakes the shard once, and the
// next turn's end takes one pass over them, before its one gathered write a connection.
//
// A reply that waits longer than --ack_timeout_ms becomes an error. That is looked at each tick, so
// it may take a tick longer.
//
// Threading: its shard's thread.
// Ownership: a part of its ShardNode, whose clients it finds by id; some may be gone.

#ifndef TIDEMARK_SERVER_REPLY_GATE_H_
#define TIDEMARK_SERVER_REPLY_GATE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/metrics/latency_histogram.h"
#include "base/settings/ack_policy.h"
#include "server/ack_need.h"
#include "server/node_report.h"

namespace tidemark::server {

class Client;
class Node;
class ShardNode;

class ReplyGate final : private AckProgress {
 public:
  explicit ReplyGate(ShardNode& shard) : shard_(shard) {}

  // What a write must meet under `policy`; none: the node's.
  AckNeed NeedOf(const std::optional<AckPolicy>& policy) const;
  const AckPolicy& node_policy() const { return node_policy_; }
  // The settings ack, fsync or data_dir's state have changed: tells every client.
  void FollowSettings();

  // The client has begun to hold replies back; once until it has let go of them all.
  void OnHolding(uint64_t client);
  // Some reply waits for this node's disk to have `written`: a policy that syncs now and then is
  // asked to do so now.
  void WantOwnDisk(const Watermarks& written);
  // A write was refused for want of replicas (min_replicas_to_write).
  void OnRefused() { ++refused_; }

  // Calls `expire` after `timeout_ms`, or a tick later, unless the client is gone by then.
  void AtTime(uint64_t client, int64_t timeout_ms, std::function<void()> expire);

  // After the turn's frames are on their way, before its replies are.
  void OnTurnEnd();
  void OnTick();
  // Answers every held reply with `error`: this node is no longer the one whose replicas they wait
  // for.
  void FailHeld(std::string_view error);

  void Report(ShardReport& report) const;

 private:
  // --- AckProgress ---
  Sequence OnOwnDisk(ShardId shard) const override;
  Sequence OnReplicas(replication::AckKind kind, int replicas, ShardId shard) const override;

  Node& node() const;
  void Release();
  // Whether anything has moved since the last look; asks to be woken when it does.
  bool HasMoved();
  void CutThoseForDisk(std::string_view why);
  void Fail(int64_t since_ns, const std::function<std::string(const AckNeed&)>& error_of);
  std::string TimeoutText(const AckNeed& need) const;
  void RequestSync();
  void RingAlarms(int64_t now_ns);

  ShardNode& shard_;
  AckPolicy node_policy_;
  bool fsync_always_ = false;

  std::vector<uint64_t> holding_;  // Clients; each once.
  size_t looked_at_ = 0;           // The first so many at durable_ and version_.
  Watermarks durable_;             // As of the last look.
  Watermarks durable_now_;
  uint64_t version_ = 0;

  Watermarks sync_target_;  // Wanted on disk; empty: nothing.
  bool syncing_ = false;    // The log was asked, and has not answered.

  struct Alarm {
    uint64_t client;
    int64_t at_ns;
    std::function<void()> expire;
  };
  std::vector<Alarm> alarms_;  // One for each client that blocks, and those not looked at yet.

  LatencyHistogram waited_;
  size_t most_holding_ = 0;
  uint64_t timeouts_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_REPLY_GATE_H_
