// PrimaryLink is the primary's end of the link to one replica: bytes in, bytes and requests out. It
// knows the protocol (docs/protocol.md) and nothing of shards, sockets or threads: a StreamSource
// admits and subscribes the replica, and the owner moves the bytes.
//
//   link.OnBytes(read, now);             // After a read.
//   link.Send(frame, twin);              // For each frame that the subscription yields.
//   link.Gather(...), link.OnWritten(n, now);   // Around a write.
//   link.Tick(now);                      // At NextDeadlineMs(), or a little later.
//   if (link.closed()) ...               // After any of them: drop the connection and the
//   subscription.
//
// Times are milliseconds of one monotonic clock.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_REPLICATION_LINK_PRIMARY_LINK_H_
#define TIDEMARK_REPLICATION_LINK_PRIMARY_LINK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "base/link/link_tokens.h"
#include "base/link/output_queue.h"
#include "replication/link/control_message.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

// Who a replica says it is.
struct ReplicaIdentity {
  std::string node_id;
  uint16_t client_port = 0;
  bool wants_zstd = false;
  bool takes_promotion = false;
  bool takes_mixed_plans = false;
};

// What PrimaryLink asks of the node. Calls come from within PrimaryLink's own calls.
class StreamSource {
 public:
  virtual ~StreamSource() = default;

  // A replica has shown a good token. Null admits it; a refusal is sent and the link closed.
  virtual std::optional<wire::Refuse> Admit(const ReplicaIdentity& replica) = 0;
  // Subscribes the replica on every shard and decides what it is missing. Answer with OnPlan(),
  // from within the call or later; then Send() what the subscription yields.
  virtual void Subscribe(const ReplicaPosition& position) = 0;
  // What every shard has emitted, for a heartbeat.
  virtual Watermarks Emitted() = 0;
  // Wall time, for a heartbeat.
  virtual int64_t UnixMillis() = 0;
  // How old the news is that Emitted() is all: 0 on the primary itself; negative: not known.
  virtual int64_t BehindMs(int64_t now_ms) { return 0; }
};

class PrimaryLink {
 public:
  struct Options {
    LinkTokens tokens;
    int64_t hello_timeout_ms = 500;
    int64_t heartbeat_interval_ms = 100;
    int64_t silence_timeout_ms = 5'000;
    int64_t write_timeout_ms = 5'000;  // Without a byte of progress.
    // Of the node's history, oldest first; what of it a message has no room for is left out.
    std::vector<Ancestor> ancestors = {};
    // This node, whom it follows, and so on: StreamPlan::path of those who follow it.
    std::vector<std::string> path = {};
  };

  enum class State {
    kHello,     // Waiting for it.
    kDeciding,  // The source has been asked to subscribe.
    kSnapshot,  // Streaming, and the last chunk of some shard is still to be sent.
    kStreaming,
    kClosing,  // The last message is queued; closed once it is written.
    kClosed,
  };

  // `source` is borrowed and outlives the link.
  PrimaryLink(const Options& options, StreamSource* source, int64_t now_ms);

  void OnBytes(std::string_view bytes, int64_t now_ms);
  // Requires: Subscribe() was asked and not yet answered.
  void OnPlan(const StreamPlan& plan, int64_t now_ms);
  // The next frame of the subscription. `twin`: the same frame, or its compressed twin. Requires:
  // streaming().
  void Send(FrameRef frame, const Frame* twin);
  void Tick(int64_t now_ms);
  // Queues a Goodbye behind what is queued already; the link closes once all is written.
  void Close(wire::Goodbye::Code code, std::string_view text, int64_t now_ms);
  // Closes with where the new primary is.
  void CloseMoved(std::string_view host, uint16_t port, int64_t now_ms);
  // Asks the replica to become the primary, which answers with Goodbye. Requires: streaming(), and
  // identity().takes_promotion.
  void Promote(bool force);
  // The connection is gone.
  void OnDisconnected(const absl::Status& why);

  // What there is to write; see OutputQueue.
  void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) const {
    output_.Gather(max_pieces, pieces);
  }
  void OnWritten(size_t bytes, int64_t now_ms);
  size_t output_bytes() const { return output_.bytes(); }

  State state() const { return state_; }
  bool closed() const { return state_ == State::kClosed; }
  bool deciding() const { return state_ == State::kDeciding; }
  bool streaming() const { return state_ == State::kSnapshot || state_ == State::kStreaming; }
  // Why it is closing or closed, for the log.
  const absl::Status& cause() const { return cause_; }
  // What the replica said goodbye with; null: it did not.
  const std::optional<wire::Goodbye>& heard_goodbye() const { return heard_goodbye_; }
  // The next time at which Tick() has something to do.
  int64_t NextDeadlineMs() const;

  const ReplicaIdentity& identity() const { return identity_; }  // Good after Admit().
  const StreamPlan& plan() const { return plan_; }               // Good when streaming.
  const Watermarks& sent() const { return sent_; }          // Queued for it; good when streaming.
  const Watermarks& received() const { return received_; }  // As last acknowledged.
  const Watermarks& applied() const { return applied_; }
  const Watermarks& durable() const { return durable_; }  // Empty: it keeps no log.
  uint64_t acks() const {
    return acks_;
  }  // How many have come: a change says to look at the vectors.
  // When the replica was last known to hold all that was emitted, on this clock; 0: not yet.
  int64_t covered_ms() const { return covered_ms_; }
  int64_t last_heard_ms() const { return last_heard_ms_; }

  struct Counters {
    uint64_t sent_frames = 0;
    uint64_t sent_records = 0;
    uint64_t sent_bytes = 0;  // As they travel.
    uint64_t sent_bytes_uncompressed = 0;
    uint64_t sent_chunks = 0;
    uint64_t plans_with_snapshot = 0;
    uint64_t plans_mixed = 0;  // Of those: of some shards only.
    uint64_t plans_without_snapshot = 0;
    uint64_t positions_refused =
        0;  // Of plans_with_snapshot: the replica had something to build on.
  };
  const Counters& counters() const { return counters_; }

 private:
  struct SnapshotProgress {
    uint64_t chunks = 0;
    uint64_t entries = 0;
  };

  void Handle(const ControlMessage& message, int64_t now_ms);
  void HandleHello(const wire::Hello& hello, int64_t now_ms);
  void HandleAck(const wire::Ack& ack, int64_t now_ms);
  void Refuse(const wire::Refuse& refusal);
  void SayGoodbye(const wire::Goodbye& goodbye);
  void BeginClosing(absl::Status cause);
  void Push(const ControlMessage& message) { output_.Push(EncodeControl(message)); }
  void QueueHeartbeat(int64_t now_ms);
  void NoteChunk(const Frame& frame);

  const Options options_;
  StreamSource* const source_;
  State state_ = State::kHello;
  absl::Status cause_;
  std::optional<wire::Goodbye> heard_goodbye_;
  MessageReader reader_;
  OutputQueue output_;
  ReplicaIdentity identity_;
  std::string token_;             // That it has shown.
  bool asked_to_resume_ = false;  // Hello named a history.
  StreamPlan plan_;

  const int64_t opened_ms_;
  int64_t last_heard_ms_;
  int64_t write_progress_ms_;
  int64_t heartbeat_ms_ = 0;  // When the last was queued.

  std::vector<SnapshotProgress> snapshot_;  // Indexed by shard.
  size_t snapshot_shards_left_ = 0;
  Watermarks sent_;
  Watermarks received_;
  Watermarks applied_;
  Watermarks durable_;
  uint64_t acks_ = 0;
  int64_t covered_ms_ = 0;
  Counters counters_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_PRIMARY_LINK_H_
