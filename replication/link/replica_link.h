// ReplicaLink is the replica's end of the link: when to connect, what to say, and whether what
// arrives is the primary's stream without a gap. It knows the protocol (docs/protocol.md) and
// nothing of sockets, threads or keyspaces: checked frames go to a FrameReceiver, and the owner
// moves the bytes.
//
//   link.OnConnected(now), OnConnectFailed(why, now), OnDisconnected(why, now);
//   link.OnBytes(read, now);
//   link.Gather(...), link.OnWritten(n);   // Around a write.
//   link.Tick(now);                        // At NextDeadlineMs(), or a little later.
//
// After each of these the owner connects or disconnects, as link.wants_connection() says.
//
// Times are milliseconds of one monotonic clock.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_REPLICATION_LINK_REPLICA_LINK_H_
#define TIDEMARK_REPLICATION_LINK_REPLICA_LINK_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "base/link/backoff.h"
#include "base/link/output_queue.h"
#include "replication/link/control_message.h"
#include "replication/link/received_stream.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

// Takes what ReplicaLink has checked (replication/apply/applier.h). Calls come from within
// ReplicaLink's own.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;

  // What is applied, to say hello with. Null while something of an earlier connection is still
  // being applied: the link asks again a little later.
  virtual std::optional<ReplicaPosition> Position() = 0;
  // What is here, whether or not the link may say hello with it: what a full sync would take the
  // place of. More than Position(), by what was recovered of a frame's records, and where no
  // position describes what is served. Digests are right up to where Position() is only. Asked for
  // when Position() is not null.
  virtual ReplicaPosition Held() = 0;
  // Whether any key is held: data that a snapshot from an empty primary would wipe.
  virtual bool HoldsKeys() = 0;
  // The stream begins: from the position given, or with a snapshot.
  virtual void OnPlan(const StreamPlan& plan) = 0;
  // The next frame of its shard. Records at or below `skip_through` were received before. An error
  // ends the link.
  virtual absl::Status OnFrame(FrameRef frame, Sequence skip_through) = 0;
  // The last chunk of every shard has been given to OnFrame.
  virtual void OnSnapshotEnd() = 0;
  // The connection ended. What it brought may still be applied as far as it is whole; Position() is
  // null until that has come to an end.
  virtual void OnLinkLost() = 0;
};

// Whether a snapshot from a primary of another history may replace the replica's data.
enum class AcceptForeignHistory {
  kNever,     // Only while the replica holds no key.
  kNonempty,  // Unless the primary is empty and the replica is not.
  kAlways,
};

class ReplicaLink {
 public:
  struct Options {
    std::string node_id;
    std::string token;
    uint16_t client_port = 0;
    bool want_zstd = false;
    AcceptForeignHistory accept_foreign_history = AcceptForeignHistory::kNonempty;
    int64_t connect_timeout_ms = 500;
    int64_t accept_timeout_ms = 10'000;
    int64_t silence_timeout_ms =
        5'000;  // At least four of the primary's heartbeat intervals, whatever is set.
    int64_t stable_after_ms = 5'000;  // A link that streamed for so long starts the backoff anew.
    Backoff::Options backoff;
    size_t max_frame_bytes = kMaxFrameBytes;
    uint64_t seed = 0;  // Of the backoff's jitter.
  };

  enum class State {
    kBackoff,  // Waiting for the time of the next attempt.
    kConnecting,
    kHandshake,  // Hello is on its way.
    kSnapshot,
    kStreaming,
    kClosing,  // Goodbye is being written.
    kStopped,
  };

  // `receiver` is borrowed and outlives the link. The first attempt is due at once.
  ReplicaLink(const Options& options, FrameReceiver* receiver, int64_t now_ms);
  ReplicaLink(const ReplicaLink&) = delete;
  ReplicaLink& operator=(const ReplicaLink&) = delete;

  // What it shows the primary from the next connection on.
  void set_token(std::string token) { options_.token = std::move(token); }

  void OnConnected(int64_t now_ms);
  void OnConnectFailed(const absl::Status& why, int64_t now_ms);
  void OnBytes(std::string_view bytes, int64_t now_ms);
  void OnDisconnected(const absl::Status& why, int64_t now_ms);
  // What of this connection's stream is applied and visible has moved. An ack follows.
  void OnApplied(const Watermarks& applied, int64_t now_ms);
  // What of it is on this replica's own disk has moved. Empty, as at first: it keeps no log. Acks
  // say as much of it as is applied.
  void OnDurable(const Watermarks& durable, int64_t now_ms);
  // The owner stops or resumes reading; while it does not read, silence means nothing.
  void OnReadingPaused(int64_t now_ms);
  void OnReadingResumed(int64_t now_ms);
  // Ends the connection by a fault of ours or of the data: Goodbye, then backoff.
  void Fail(wire::Goodbye::Code code, const absl::Status& why, int64_t now_ms);
  void Tick(int64_t now_ms);
  // Says goodbye and stays stopped.
  void Stop(int64_t now_ms, wire::Goodbye::Code code = wire::Goodbye::STOPPING);

  // The primary has asked this replica to take its place, and all that it emitted is applied (or it
  // said that this does not matter). Answer with Stop(PROMOTED), or Fail(PROMOTION_REFUSED). Asking
  // takes the order.
  bool TakePromotionOrder() { return std::exchange(promotion_ordered_, false); }
  // The primary has said that another took its place, and where. Asking takes the news.
  struct NewPrimary {
    std::string host;
    uint16_t port = 0;  // Of its clients.
  };
  std::optional<NewPrimary> TakeNewPrimary() { return std::exchange(new_primary_, std::nullopt); }

  void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) const {
    output_.Gather(max_pieces, pieces);
  }
  void OnWritten(size_t bytes, int64_t now_ms);
  size_t output_bytes() const { return output_.bytes(); }

  // Whether there should be a connection, or an attempt at one.
  bool wants_connection() const { return state_ != State::kBackoff && state_ != State::kStopped; }
  int64_t NextDeadlineMs() const;

  State state() const { return state_; }
  // "connect", "connecting", "sync", "connected", "refused": as ROLE and INFO say it.
  std::string_view state_name() const;
  // The primary refused, or was refused by accept_foreign_history, in the last attempt.
  bool refused() const { return refused_; }
  // Why the last connection or attempt ended; OK if none has.
  const absl::Status& last_failure() const { return last_failure_; }
  int64_t last_heard_ms() const { return last_heard_ms_; }

  const StreamPlan& plan() const { return plan_; }  // Of the latest connection that was accepted.
  const Watermarks& received() const { return stream_.received(); }  // Of this connection's stream.
  const Watermarks& emitted() const { return emitted_; }             // As the last heartbeat said.
  // When emitted() was all that the primary had emitted, on this replica's clock: when the
  // heartbeat came, and before that by what it had been on its way through other replicas. 0: not
  // known.
  int64_t emitted_as_of_ms() const { return emitted_as_of_ms_; }
  // What this replica held beyond the point where the primary's history left its own, as Accept
  // told: it is lost when the snapshot is swapped in. Shards that lose nothing are left out.
  struct DiscardedSpan {
    ShardId shard;
    Sequence first, last;
  };
  const std::vector<DiscardedSpan>& discarded() const { return discarded_; }
  // When what is applied was last all that the primary had emitted, on this replica's clock; 0: not
  // yet.
  int64_t current_as_of_ms() const { return current_as_of_ms_; }

  struct Counters : ReceivedStream::Counters {
    uint64_t attempts = 0;
    uint64_t connections = 0;  // Accepted.
    uint64_t plans_without_snapshot = 0;
    uint64_t plans_with_snapshot = 0;
    uint64_t plans_mixed = 0;  // Of those: of some shards only.
    uint64_t received_bytes = 0;
    uint64_t discarded_records = 0;  // See discarded().
    uint64_t damaged_messages = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  // A heartbeat whose vector is not yet applied.
  struct Uncovered {
    Watermarks emitted;
    int64_t sent_ms;   // The sender's clock.
    int64_t as_of_ms;  // Ours; see emitted_as_of_ms().
  };
  using Fault = LinkFault;
  using MaybeFault = std::optional<Fault>;

  void Attempt(int64_t now_ms);
  MaybeFault Handle(LinkMessage message, int64_t now_ms);
  MaybeFault HandleAccept(const wire::Accept& accept, int64_t now_ms);
  MaybeFault HandleFrame(FrameRef frame);
  MaybeFault HandleSnapshotEnd(const wire::SnapshotEnd& end);
  void EndSnapshotIfWhole();
  void NoteDivergence(ShardId shard);
  void NameDiverged();
  MaybeFault HandlePromote(const wire::Promote& promote);
  void HandleGoodbye(const wire::Goodbye& goodbye, int64_t now_ms);
  void NoteDiscarded(const ReplicaPosition& held);
  MaybeFault HandleHeartbeat(const wire::Heartbeat& heartbeat, int64_t now_ms);
  void HandleRefuse(const wire::Refuse& refusal, int64_t now_ms);
  MaybeFault CheckForeignHistory(const StreamPlan& plan, const ReplicaPosition& held);
  // To backoff, from any state with a connection or an attempt.
  void Drop(const absl::Status& why, int64_t now_ms);
  void LoseStream();
  void NoteCovered();
  void QueueAck(int64_t now_ms);
  bool accepted() const { return state_ == State::kSnapshot || state_ == State::kStreaming; }
  int64_t SilenceDeadlineMs() const;

  Options options_;  // Constant but for the token.
  FrameReceiver* const receiver_;
  Backoff backoff_;
  State state_ = State::kBackoff;
  int64_t deadline_ms_;        // Of the state: the next attempt, or the end of patience.
  int64_t not_before_ms_ = 0;  // The primary's advice for the next attempt.
  bool refused_ = false;
  bool stopping_ = false;
  absl::Status last_failure_;
  std::optional<NewPrimary> new_primary_;
  // Shards of that history's stream of which a frame did not continue what is here, until a
  // snapshot has replaced it. Named in every Hello.
  HistoryId diverged_history_;
  std::vector<ShardId> diverged_;
  bool takes_mixed_plans_ = true;  // Not after one that we had to end, until a snapshot is whole.

  // Of this connection.
  std::optional<MessageReader> reader_;
  OutputQueue output_;
  ReplicaPosition hello_position_;
  StreamPlan plan_;
  bool stream_open_ =
      false;  // receiver_ has been given a plan and not yet told that the link is lost.
  ReceivedStream stream_{&counters_};
  Watermarks applied_;  // Empty while nothing of this stream is served.
  Watermarks durable_;  // Empty: no log is kept.
  int64_t heartbeat_interval_ms_ = 100;
  int64_t accepted_ms_ = 0;
  int64_t last_heard_ms_ = 0;
  int64_t last_ack_ms_ = 0;
  bool ack_due_ = false;  // One was wanted while another was not yet written.
  bool reading_paused_ = false;
  bool promotion_ordered_ = false;
  std::vector<DiscardedSpan> discarded_;
  Watermarks emitted_;
  int64_t emitted_as_of_ms_ = 0;
  std::deque<Uncovered> uncovered_;  // Oldest first; bounded.
  int64_t covered_ms_ = 0;           // On the primary's clock.
  int64_t current_as_of_ms_ = 0;

  Counters counters_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_REPLICA_LINK_H_
