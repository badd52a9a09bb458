// ShardPublisher is one shard's door to its readers: it numbers and encodes the shard's mutations,
// keeps the backlog, and hands each sealed frame, once encoded, to every subscriber.
//
// At the end of a turn (or earlier, at a limit) the open frame is sealed and goes, in this order,
// to the log, to the backlog, into `emitted`, to the subscribers: whoever reads `emitted` finds its
// frame in the backlog or has been sent it.
//
// Without a log nothing is encoded until the first subscriber comes: mutations only take their
// sequences. With one every mutation is, from the first.
//
// A replica that serves replicas has publishers, too. Their frames are those that it has received
// and applied, as they came: nothing is numbered or encoded there.
//
// Threading: confined to its shard's thread, except what says "any thread".

#ifndef TIDEMARK_REPLICATION_SHARD_PUBLISHER_H_
#define TIDEMARK_REPLICATION_SHARD_PUBLISHER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "cache/mutation_sink.h"
#include "replication/backlog.h"
#include "replication/encoded_batch_builder.h"
#include "replication/frame_log.h"
#include "replication/stream_tail.h"
#include "replication/subscriber.h"

namespace tidemark::replication {

// Makes the snapshots that subscribers need (snapshot_producer.h). On the shard's thread.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  // `subscriber` needs a snapshot. The source calls ShardPublisher::GoLive() for it when the
  // snapshot begins.
  virtual void Request(SubscriberRef subscriber) = 0;
  // A frame is about to go out: what its mutations displaced must go first.
  virtual void BeforeFrame() = 0;
  // The keyspace was emptied; the frame that says so is still open. Must not touch the keyspace.
  virtual void OnFlush() = 0;
  // Forget `subscriber`, which may be unknown.
  virtual void Withdraw(const Subscriber* subscriber) = 0;
};

// Where a reader says that it is in a shard's stream.
struct StreamPosition {
  HistoryId history = {};  // 0: it has nothing.
  Sequence applied = {};
  std::optional<uint64_t> digest = {};  // The stream's digest there.
};

// A history from which the shard's own descends: a prefix of its stream, up to `fork`, is a prefix
// of ours.
struct StreamAncestor {
  HistoryId history = {};
  Sequence fork = {};
};

// Where a shard's stream ends so far.
struct StreamEnd {
  Sequence last = {};
  uint64_t digest = 0;
};

// How a reader joined, or why it did not.
struct Join {
  enum class Kind {
    kUpToDate,
    kBacklog,
    kSnapshot,  // It waits for one. Subscribe() only.
    kEvicted,   // Not joined: what follows its position is no longer in the backlog. Resume() only.
    kNotOurs,   // Not joined: the position is not one of this stream's. Resume() only.
  };
  Kind kind = Kind::kUpToDate;
  Sequence emitted = {};  // The stream's end at that moment.
  size_t frames = 0;      // From the backlog.
  size_t bytes = 0;
};

// Written by the shard, read by any thread.
struct PublisherCounters {
  std::atomic<uint64_t> emitted_mutations{0};
  std::atomic<uint64_t> emitted_frames{0};
  std::atomic<uint64_t> sent_frames{0};  // Pushed or handed over, each subscriber for itself.
  std::atomic<uint64_t> sent_records{0};
  std::atomic<uint64_t> sent_bytes{0};  // Uncompressed; FrameCompressor counts the rest.
  std::atomic<uint64_t> drops{0};       // Frames that a subscriber did not get, as it was cut.
  std::atomic<uint64_t> backpressure_events{0};  // Subscribers cut because a queue was full.
  std::atomic<uint64_t> catch_up_nothing{0};
  std::atomic<uint64_t> catch_up_backlog{0};
  std::atomic<uint64_t> catch_up_snapshot{0};
  std::atomic<uint64_t> encode_failures{0};
  std::atomic<uint64_t> backlog_bytes{0};
  std::atomic<uint64_t> backlog_frames{0};
  std::atomic<uint64_t> subscribers{0};
};

class ShardPublisher final : public cache::MutationSink {
 public:
  struct Options {
    ShardId shard = {};
    int shard_count = 1;
    HistoryId history = {};
    BatchLimits limits = {};
    BacklogBudget* budget = nullptr;        // Borrowed; shared with the other shards.
    const Clock* clock = &Clock::System();  // Borrowed; read only if limits.max_delay_ns is set.
  };
  explicit ShardPublisher(const Options& options);

  // Where the stream goes on after a restart, in place of Options::history and sequence 0.
  struct Beginning {
    HistoryId history = {};
    StreamEnd end = {};                          // The newest mutation that there is.
    std::vector<StreamAncestor> ancestors = {};  // Oldest first.
    FrameLog* log = nullptr;                     // Borrowed; null: none.
    // Others will come who were at `end` or a little before it: frames are made from the first
    // mutation on, and those of `tail`, which ends at `end` or is empty, are there for them.
    bool has_readers = false;
    StreamTail tail = {};
  };
  // Once, before the first mutation and the first Subscribe.
  void Begin(Beginning beginning);

  // Borrowed, and set before the first Subscribe; null for "none can be made" (tests).
  void set_snapshots(SnapshotSource* snapshots) { snapshots_ = snapshots; }

  // --- cache::MutationSink ---
  void Set(std::string_view key, std::string_view value, const Expiry& expiry) override;
  void Delete(std::string_view key, cache::DeleteCause cause) override;
  void Expire(std::string_view key, const Expiry& expiry) override;
  void SetRange(std::string_view key, uint64_t offset, std::string_view bytes) override;
  void Flush() override;
  void BeginTransaction(const cache::TransactionInfo& info) override;
  void EndTransaction() override;
  Sequence assigned() const override { return builder_.last_sequence(); }

  // Seals what is due, publishes, wakes the links that got something, and lets go of cut
  // subscribers. `now_ms`: the shard's wall clock. Frames that a limit seals within a turn carry
  // the time of the turn before.
  void OnTurnEnd(int64_t now_ms);
  // Seals and publishes at once whatever is open. Requires: not in a transaction.
  void SealNow();
  // The log has all that there is of this stream: it is not touched any more. Requires: nothing is
  // open, and nothing more comes.
  void LeaveLog();

  // --- On a replica, which hands on the stream that it follows and mints nothing ---

  // The stream is at `beginning.end`, from now on under this name. Whoever has subscribed is cut
  // (CutCause::kNewStream). What the backlog holds stays if it ends there; otherwise it begins with
  // `beginning.tail`. There is no log.
  void Follow(Beginning beginning);
  // The next frame, which may begin in what is here already. Ignored before Follow(), and after
  // StopFollowing().
  void Relay(const FrameRef& frame);
  // What the shard holds is no state of that stream any more. Whoever has subscribed is cut, and so
  // is who comes before the next Follow().
  void StopFollowing();

  // In one step: subscribes and decides, so that nothing falls between. From here on `subscriber`
  // gets, in order, what it misses from the backlog and every later frame; or, when it needs one, a
  // snapshot and every frame after its watermark. Not in a transaction. Subscribing twice is not
  // allowed.
  Join Subscribe(SubscriberRef subscriber, const StreamPosition& position);
  // As Subscribe(), for a reader that a snapshot would not help: where that would make one it
  // changes nothing and says why.
  Join Resume(SubscriberRef subscriber, const StreamPosition& position);
  // Lets go of it, wherever it stands. Harmless if that has happened.
  void Unsubscribe(const Subscriber* subscriber);

  // For SnapshotSource: from now on every frame goes to `subscriber`, too.
  void GoLive(SubscriberRef subscriber);
  // For SnapshotSource: hands a chunk to one subscriber and counts it; see Subscriber::Push.
  void SendChunk(Subscriber* subscriber, const FrameRef& chunk, size_t counted_bytes);

  ShardId shard() const { return options_.shard; }
  int shard_count() const { return options_.shard_count; }
  HistoryId history() const { return history_; }
  Sequence emitted() const { return builder_.sealed_sequence(); }
  uint64_t digest() const { return builder_.digest(); }  // At emitted().
  int64_t now_ms() const { return now_ms_; }             // As of the last turn's end.
  size_t subscriber_count() const { return live_.size(); }

  // --- Any thread ---

  // The newest mutation as of the last turn's end, and the newest in a frame that every reader can
  // get.
  Sequence published_assigned() const {
    return Sequence(assigned_.load(std::memory_order_acquire));
  }
  Sequence published_emitted() const { return Sequence(emitted_.load(std::memory_order_acquire)); }
  // As of the last turn's end: who stands below can no longer go on from the backlog.
  Sequence published_backlog_low() const {
    return Sequence(backlog_low_.load(std::memory_order_acquire));
  }
  // A mutation could not be encoded: readers were cut and need snapshots, and the node should take
  // no more writes on this shard until an operator has looked. Final.
  bool writes_refused() const { return writes_refused_.load(std::memory_order_relaxed); }
  const PublisherCounters& counters() const { return counters_; }

 private:
  void PublishIfFull() {
    if (builder_.full()) [[unlikely]]
      Publish();
  }
  void Publish();
  void GiveUpBatch();
  bool IsOurs(const StreamPosition& position) const;
  void Broadcast(const FrameRef& frame);
  void CutAll(CutCause cause);
  void TakeTail(StreamTail tail);
  void CountSent(const Frame& frame);
  void SignalLive();
  void ShowEmitted();
  void ActivateBacklog();

  const Options options_;
  HistoryId history_;
  std::vector<StreamAncestor> ancestors_;
  FrameLog* log_ = nullptr;
  EncodedBatchBuilder builder_;
  Backlog backlog_;
  SnapshotSource* snapshots_ = nullptr;
  std::vector<SubscriberRef> live_;
  int64_t now_ms_ = 0;
  Sequence hole_;           // Mutations up to here, some at least, are in no frame.
  bool streaming_ = false;  // There is a log, or someone has subscribed: frames are made.
  bool following_ = false;  // Frames come from elsewhere.
  // Since StopFollowing(): what is here belongs to no stream, and whoever comes is cut.
  bool between_streams_ = false;
  bool unsignalled_ = false;  // A frame was broadcast since SignalLive().

  PublisherCounters counters_;
  std::atomic<bool> writes_refused_{false};
  alignas(64) std::atomic<uint64_t> assigned_{0};
  std::atomic<uint64_t> emitted_{0};
  std::atomic<uint64_t> backlog_low_{0};
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHARD_PUBLISHER_H_
