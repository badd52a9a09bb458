// Subscriber is one reader of all shards' frames, shared between the shards, which push, and one
// link thread, which drains and sends.
//
//   shard:  Push(shard, frame) ... Push ... Signal()        // Signal once a turn wakes the link
//   thread. link:   Wake() comes; on its thread: BeginDrain(); while (Drain(...)) send;
//
// Bounded in frames (per shard) and bytes (all shards together), it never makes a shard wait: a
// push that finds it full cuts the subscriber as a whole, and it comes back by catching up. Once
// cut, nothing more goes in or comes out, and each side lets go: shards at their next turn, the
// link thread with DropAll().
//
// Threading: as said at each function.

#ifndef TIDEMARK_REPLICATION_SUBSCRIBER_H_
#define TIDEMARK_REPLICATION_SUBSCRIBER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/format/frame.h"
#include "base/ids.h"
#include "replication/subscriber_queue.h"

namespace tidemark::replication {

// How the two sides of a subscriber wake each other. Outlives the subscriber and the shards that
// know it.
class LinkWaker {
 public:
  virtual ~LinkWaker() = default;
  // There is something to drain, or the subscriber was cut. Any shard's thread; must not block.
  virtual void Wake() = 0;
  // There is room again in `shard`'s queue, for which its snapshot waits: make the shard run a turn
  // (Engine::Post of nothing does). Link thread.
  virtual void WakeShard(ShardId shard) = 0;
};

enum class CutCause : uint8_t {
  kNone,
  kTooManyFrames,  // A shard's queue was full: the link is too slow.
  kTooManyBytes,
  kStreamBroken,  // A shard could not encode a mutation; see ShardPublisher::writes_refused().
  kClosed,        // The link closed it.
  kNewStream,  // A replica's shard hands on another stream, or none; see ShardPublisher::Follow().
};
std::string_view CutCauseName(CutCause cause);  // "too-many-frames", for logs and metrics.

class Subscriber {
 public:
  struct Options {
    int shard_count = 1;
    size_t max_frames = 1024;  // In each shard's queue.
    // In all queues; looked at before a push, so one frame a shard more.
    size_t max_bytes = 64 << 20;
    // Of a walk's chunks, times shard_count: once so many wait, the walk does. One chunk of the
    // default size: the link thread then never has much to send in one go, and a shard that shares
    // its core is soon back with its clients.
    size_t walk_bytes = 32 << 10;
  };
  // Borrows `waker`.
  Subscriber(const Options& options, LinkWaker* waker);
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  // --- Any thread ---

  bool active() const { return cause() == CutCause::kNone; }
  CutCause cause() const { return cause_.load(std::memory_order_acquire); }
  // The first cause stays. True if it was this one. Wakes the link thread.
  bool Cut(CutCause cause);
  // Bytes in the queues that the bound counts; and all, with what a snapshot's walk put there.
  size_t counted_bytes() const { return counted_bytes_.load(std::memory_order_relaxed); }
  size_t queued_bytes() const {
    return counted_bytes() + uncounted_bytes_.load(std::memory_order_relaxed);
  }
  // The most that queued_bytes() has been.
  size_t high_watermark_bytes() const { return high_bytes_.load(std::memory_order_relaxed); }
  int shard_count() const { return static_cast<int>(queues_.size()); }
  const Options& options() const { return options_; }

  // --- The thread of `shard` ---

  // Once, before the shard's first push: frames from its backlog, which keep their place before
  // that push. They do not count towards the bounds: they are the backlog's memory.
  void Open(ShardId shard, std::vector<FrameRef> first);

  enum class PushResult { kPushed, kCutNow, kCutBefore };
  PushResult Push(ShardId shard, FrameRef frame) {
    const size_t bytes = frame->bytes().size();
    return Push(shard, std::move(frame), bytes);
  }
  // As above, counting only `counted_bytes` of the frame towards the bound: what a snapshot's walk
  // sends is paced by HasRoom() instead.
  PushResult Push(ShardId shard, FrameRef frame, size_t counted_bytes);
  // At the end of a turn in which something was pushed. Wakes the link thread unless it is awake
  // already.
  void Signal();
  // Whether a walk may send: both bounds are less than half used, with the walk's chunks counted,
  // and those are less than walk_bytes allows. When the answer is false, WakeShard() follows once
  // it would be true.
  bool HasRoom(ShardId shard);

  // --- The link thread ---

  // After Wake(), before draining.
  void BeginDrain();
  // Appends up to `max_frames` frames, and no more once they reach `max_bytes`, to *frames, taking
  // from the shards in turn; in order within a shard. True if there may be more. After a cut:
  // nothing, false.
  bool Drain(size_t max_frames, size_t max_bytes, std::vector<FrameRef>* frames);
  // Releases every frame that is queued. After a cut; call it again when all shards have let go
  // (ShardPublisher::Unsubscribe), as one may have been pushing meanwhile.
  void DropAll();

 private:
  bool TakesChunks(const SubscriberQueue& queue) const;
  FrameRef PopFrom(size_t shard);
  void WakeWaitingShards();

  const Options options_;
  LinkWaker* const waker_;
  std::vector<std::unique_ptr<SubscriberQueue>> queues_;
  size_t next_shard_ = 0;  // Link thread: where the next Drain goes on.

  std::atomic<CutCause> cause_{CutCause::kNone};
  std::atomic<bool> signalled_{false};
  std::atomic<bool> any_shard_waits_{false};
  alignas(64) std::atomic<size_t> counted_bytes_{0};
  std::atomic<size_t> uncounted_bytes_{0};
  std::atomic<size_t> high_bytes_{0};
};

// Shared because shards and the link thread let go of it in no fixed order.
using SubscriberRef = std::shared_ptr<Subscriber>;

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SUBSCRIBER_H_
