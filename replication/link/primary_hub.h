// PrimaryHub is the primary's side of replication as a whole, without sockets: its replicas, how
// each catches up, and who waits for their acknowledgements.
//
// A replica that serves replicas has one, too (Options::relays): it hands on the stream that it
// follows, and admits nobody but while it has one (StreamRelay).
//
// Times are milliseconds of one monotonic clock.
//
// Threading: the link thread.

#ifndef TIDEMARK_REPLICATION_LINK_PRIMARY_HUB_H_
#define TIDEMARK_REPLICATION_LINK_PRIMARY_HUB_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/format/frame_compressor.h"
#include "replication/ack_levels.h"
#include "replication/link/catch_up.h"
#include "replication/link/primary_link.h"
#include "replication/link/replica_feed.h"
#include "replication/link/replica_registry.h"
#include "replication/link/replica_session.h"
#include "replication/link/shard_access.h"
#include "replication/link/stream_relay.h"

namespace tidemark::replication {

// What became of PrimaryHub::Promote.
struct PromotionOutcome {
  enum class Kind {
    kPromoted,  // It is the primary.
    kRefused,   // It is not, and will not become one by this.
    kUnknown,   // The connection ended without a word.
  };
  Kind kind = Kind::kRefused;
  std::string text;  // Why not.
};

class PrimaryHub {
 public:
  struct Options {
    PrimaryLink::Options link;
    Subscriber::Options subscriber;  // shard_count is set by the hub.
    int max_replicas = 16;
    int max_handshakes = 16;            // Connections on top that have not said hello.
    size_t max_output_bytes = 1 << 20;  // Taken out of a replica's feed and not yet written.
    ReplicaFeed::Options feed;
    ReplicaRegistry::Options registry;
    bool zstd = false;  // For replicas that want it.
    FrameCompressor::Options compressor;
    const Clock* clock = &Clock::System();  // Borrowed; wall time for heartbeats.
    std::string node_id = {};     // Of this node, which is no replica of itself; empty: not known.
    AckLevels* levels = nullptr;  // Borrowed; kept up to date with what replicas acknowledge.
    bool relays = false;          // This node is a replica; nobody is admitted before OpenRelay().
  };
  // Borrows all, which outlive it and every callback of `shards`. `archive`: null: there is none.
  PrimaryHub(const Options& options, ShardAccess* shards, LinkWaker* waker,
             FrameArchive* archive = nullptr);

  // Admits connections that come from now on.
  void set_tokens(LinkTokens tokens) { options_.link.tokens = std::move(tokens); }

  // A connection from `host`. Null: too many are open that have not said hello; close it.
  ReplicaSession* Add(std::string host, int64_t now_ms);
  // The connection is gone; `session` dies.
  void Remove(ReplicaSession* session);

  void Tick(int64_t now_ms);
  int64_t NextDeadlineMs() const;

  // Calls back with the number of replicas whose applied (or durable) vector covers `target`, once
  // they are at least `replicas` or the deadline has come; kStopped if the hub stops first. Perhaps
  // from within the call. An element 0 of `target` is covered by all.
  static constexpr int kStopped = -1;
  using WaitCallback = absl::AnyInvocable<void(int covering)>;
  void WaitFor(const Watermarks& target, int replicas, int64_t deadline_ms, WaitCallback callback,
               int64_t now_ms, AckKind kind = AckKind::kApplied);

  // Asks the replica to become the primary. The caller has seen to it that nothing more is emitted.
  // Calls back once, perhaps from within the call.
  using PromotionCallback = absl::AnyInvocable<void(const PromotionOutcome&)>;
  void Promote(uint64_t replica, bool force, PromotionCallback callback);

  // --- Of a node that is itself a replica; see StreamRelay. ---
  void OpenRelay(const RelayedStream& stream, int64_t now_ms);
  void HoldRelay(std::string why) { not_ready_ = std::move(why); }
  void CloseRelay(std::string why, int64_t now_ms);
  // What the primary had emitted at `as_of_ms`.
  void OnUpstream(Watermarks emitted, int64_t as_of_ms);

  // Sends each replica what is emitted by now, then says goodbye; new ones are refused. With the
  // new primary's address replicas follow it by themselves.
  struct NewPrimary {
    std::string host;
    uint16_t port = 0;  // Of its clients.
  };
  void BeginStop(int64_t now_ms, std::optional<NewPrimary> moved = std::nullopt);
  bool stopped() const { return stopping_ && sessions_.empty(); }

  std::vector<ReplicaStatus> Status(int64_t now_ms) const;
  std::vector<ReplicaSession*> sessions() const;
  // Over all replicas, those that are gone included.
  PrimaryLink::Counters sent() const;
  const FeedCounters& feeds() const { return feed_counters_; }
  const ReplicaRegistry& registry() const { return registry_; }
  const FrameCompressor::Stats& compression() const { return compressor_.stats(); }

 private:
  friend class ReplicaSession;

  struct Waiter {
    Watermarks target;
    int replicas;
    int64_t deadline_ms;
    WaitCallback callback;
    AckKind kind;
  };

  std::optional<wire::Refuse> Admit(ReplicaSession* session, const ReplicaIdentity& replica);
  std::optional<wire::Refuse> RelayRefusal(const ReplicaIdentity& replica) const;
  // By this node, or by whom it follows, as far as it has heard.
  Watermarks EmittedAtSource() const;
  int64_t BehindMs(int64_t now_ms) const;
  // Whether a replica of our stream has more of it than a node that is itself a replica.
  bool IsBehind(const ReplicaPosition& position) const;
  void OnAck();
  void SayStopping(ReplicaSession* session, int64_t now_ms);
  void PublishAcks();
  void AnswerWaiters();
  int CountCovering(const Watermarks& target, AckKind kind) const;
  int CountAdmitted() const;

  Options options_;  // Constant but for the tokens, and what OpenRelay() says.
  ShardAccess* const shards_;
  LinkWaker* const waker_;
  FrameCompressor compressor_;
  CatchUp catch_up_;
  FeedCounters feed_counters_;
  ReplicaRegistry registry_;
  std::map<uint64_t, std::unique_ptr<ReplicaSession>> sessions_;
  uint64_t next_id_ = 1;
  std::vector<Waiter> waiters_;
  std::optional<uint64_t> promoting_;  // The replica that was asked to become the primary.
  PromotionCallback on_promotion_;
  std::optional<NewPrimary> moved_;
  AckBoard board_;
  std::vector<AckedCopy> copies_;    // Scratch.
  std::vector<int64_t> covered_ms_;  // Scratch.
  PrimaryLink::Counters sent_by_gone_;
  int64_t now_ms_ = 0;
  bool stopping_ = false;
  Watermarks stop_target_;

  // Where options_.relays.
  std::string not_ready_ = "this node is a replica that has nothing to serve yet";  // Empty: it is.
  std::vector<std::string> upstream_;  // The nodes that it follows, nearest first.
  Watermarks upstream_emitted_;        // Empty: not known.
  int64_t upstream_as_of_ms_ = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_PRIMARY_HUB_H_
