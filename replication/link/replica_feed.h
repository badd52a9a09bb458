// ReplicaFeed is what one replica is fed from, as that changes: the live feed, the log on disk, and
// the way back to the live feed.
//
//   feed.Begin(position, ..., on_plan, now);     // From a hello. on_plan: what to tell the
//   replica. feed.Tick(now);                              // When woken. while (feed.Take(64, 1 <<
//   20, now, &frames)) send;   // In order in each shard, no gap, no
//                                                        // repeat, wherever they come from.
//   if (!feed.failure().ok()) ...                // It can be fed no further but by a snapshot.
//
// A replica whose queue overflows leaves the live feed: the queue is dropped, and nothing is kept
// for it in memory. Once it takes bytes again, which its owner shows by asking for more, it comes
// back down the ladder from where it is: from the backlog, or by reading the log until every
// shard's backlog reaches its position, and then from that. All this is between the primary and
// itself; the replica sees frames that follow each other.
//
// A snapshot has no such way back, for its chunks lie between live frames. If it overflows, or what
// the replica lacks is nowhere, the feed fails, the link ends, and the replica comes back with a
// hello; ReplicaRegistry decides what it may then have.
//
// Wakes its owner (LinkWaker::Wake) when something asynchronous has come.
//
// Threading: the link thread.

#ifndef TIDEMARK_REPLICATION_LINK_REPLICA_FEED_H_
#define TIDEMARK_REPLICATION_LINK_REPLICA_FEED_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/format/frame.h"
#include "replication/link/catch_up.h"

namespace tidemark::replication {

// Over all feeds of a primary.
struct FeedCounters {
  uint64_t left_live = 0;           // A queue overflowed, with no snapshot on its way.
  uint64_t returned = 0;            // To the live feed, of those and of those that read the log.
  uint64_t began_in_log = 0;        // Hellos that were answered from the log.
  uint64_t fell_to_log = 0;         // Had left the live feed and went on from the log.
  uint64_t log_frames = 0;          // Sent from the log.
  uint64_t log_bytes = 0;           // Likewise, uncompressed.
  uint64_t out_of_reach = 0;        // Ended: neither backlog nor log had what followed.
  uint64_t snapshot_overflows = 0;  // Ended: the queue overflowed during a snapshot.
};

class ReplicaFeed {
 public:
  struct Options {
    int64_t log_wait_ms = 10;  // Until the log is asked again when it had nothing.
    // So long without a frame from the log, and with none in reach of the backlog, is the end: the
    // log has stopped (a failed disk), and waiting will not mend it.
    int64_t log_stuck_ms = 5'000;
  };
  // Borrows all.
  ReplicaFeed(const Options& options, CatchUp* catch_up, ShardAccess* shards, LinkWaker* waker,
              FeedCounters* counters)
      : options_(options),
        catch_up_(catch_up),
        shards_(shards),
        waker_(waker),
        counters_(counters) {}
  ~ReplicaFeed() { End(); }
  ReplicaFeed(const ReplicaFeed&) = delete;
  ReplicaFeed& operator=(const ReplicaFeed&) = delete;

  // `on_plan` comes once, from within the call or later. See CatchUp::Begin.
  using OnPlan = std::function<void(const StreamPlan& plan)>;
  void Begin(const ReplicaPosition& position, LastRung last, int queue_growth, OnPlan on_plan,
             int64_t now_ms);
  // Lets go of everything. Harmless at any time.
  void End();

  // Drops the queue if it has overflowed, even while nothing is taken.
  void Tick(int64_t now_ms);
  // Appends what follows to *frames: up to `max_frames`, and no more once they reach `max_bytes`.
  // True if there may be more now. Asking says that the replica has taken most of what it was
  // given.
  bool Take(size_t max_frames, size_t max_bytes, int64_t now_ms, std::vector<FrameRef>* frames);
  // When to ask even if nobody wakes us.
  int64_t NextDeadlineMs() const;

  // Not OK, once it was begun: nothing more will come.
  //   ResourceExhausted  the queue overflowed during a snapshot
  //   OutOfRange         only a snapshot can go on
  const absl::Status& failure() const { return failure_; }
  // The failure says that the replica's own position is no place to go on from: a log that does not
  // continue it would be offered again and again.
  bool needs_snapshot() const { return needs_snapshot_; }
  // Since when it has been fed live without a break; 0: it is not.
  int64_t live_since_ms() const { return state_ == State::kLive ? live_since_ms_ : 0; }
  // "snapshot", "live", "log", "returning" or "none", for people.
  std::string_view source_name() const;

  // Waiting to be taken, and the most there has been.
  size_t queued_bytes() const;
  size_t queue_high_bytes() const;

 private:
  enum class State : uint8_t {
    kNone,       // Not begun, ended or failed.
    kDeciding,   // Between Begin() and on_plan.
    kSnapshot,   // Subscribed; the last chunk of some shard is still to come.
    kLive,       // Subscribed.
    kLeft,       // Not fed; the next Take() brings it back.
    kReturning,  // On the way back to live, or to the log.
    kLog,        // Reading the log.
    kJoining,    // From the log to the live feed.
  };

  void OnDecided(Feed feed, const OnPlan& on_plan);
  void Return(LastRung last);
  void OnReturned(Feed feed);
  void OnRead(ArchiveBatch batch);
  bool TakeLive(size_t max_frames, size_t max_bytes, int64_t now_ms, std::vector<FrameRef>* frames);
  bool TakeFromLog(size_t max_frames, size_t max_bytes, int64_t now_ms,
                   std::vector<FrameRef>* frames);
  void ReadOn();
  bool WithinBacklog() const;
  // Where the stream stands after `frame`. False: the frame does not follow.
  bool Advance(const Frame& frame);
  void OnCut();
  void Fail(absl::Status failure, bool needs_snapshot);

  const Options options_;
  CatchUp* const catch_up_;
  ShardAccess* const shards_;
  LinkWaker* const waker_;
  FeedCounters* const counters_;

  State state_ = State::kNone;
  absl::Status failure_;
  bool needs_snapshot_ = false;
  int queue_growth_ = 1;
  CatchUp::RequestRef request_;
  SubscriberRef subscriber_;
  ReplicaPosition at_;  // What was taken reaches; during a snapshot, what follows its watermark.
  size_t snapshot_shards_left_ = 0;
  int64_t live_since_ms_ = 0;

  // Reading the log.
  std::unique_ptr<ArchiveCursor> cursor_;
  std::vector<FrameRef> read_;  // Not yet taken, from next_read_ on.
  size_t next_read_ = 0;
  std::vector<bool> proved_;  // By shard: that the log continues the replica's stream.
  bool reading_ = false;
  bool read_nothing_ = false;  // The last time.
  bool may_join_ = false;      // Something was read since joining was tried.
  int64_t read_at_ms_ = 0;     // When to read again after nothing was there.
  int64_t progress_ms_ = 0;    // When something was there.
  int64_t now_ms_ = 0;         // As of the last call that said it.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_REPLICA_FEED_H_
