// SubscriberQueue is the part of a Subscriber that belongs to one shard: frames that the shard
// hands over when the subscriber joins, then a bounded ring of frames. One shard puts in, the link
// thread takes out.
//
// Threading: as said at each function; nothing is locked.

#ifndef TIDEMARK_REPLICATION_SUBSCRIBER_QUEUE_H_
#define TIDEMARK_REPLICATION_SUBSCRIBER_QUEUE_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/format/frame.h"
#include "base/spsc_ring.h"

namespace tidemark::replication {

class SubscriberQueue {
 public:
  explicit SubscriberQueue(size_t max_frames)
      : ring_(std::bit_ceil(max_frames)), max_frames_(max_frames) {}

  struct Item {
    FrameRef frame;
    size_t counted_bytes = 0;  // What it added to the subscriber's two counts.
    size_t uncounted_bytes = 0;
  };

  // Shard. Once, before the first TryPush; nothing can be popped before. `first` come before any
  // frame that is pushed; they may be more than the ring holds, as the backlog holds them anyway.
  void Open(std::vector<FrameRef> first);
  // Shard. False: the ring is full, and `item` is unchanged.
  bool TryPush(Item&& item);
  // Either. Frames in the ring, without the first. The shard may see too many, never too few; the
  // link thread may miss what is being pushed. Consistent: see Subscriber::HasRoom().
  size_t size() const {
    const size_t popped = popped_.load(std::memory_order_seq_cst);
    return pushed_.load(std::memory_order_relaxed) - popped;
  }
  size_t max_frames() const { return max_frames_; }

  // Link thread. False: there is nothing now.
  bool TryPop(Item* item);

  // The shard sets it when it waits for room; the link thread takes it back and wakes the shard.
  std::atomic<bool> shard_waits{false};

 private:
  SpscRing<Item> ring_;
  const size_t max_frames_;

  // Written by the shard before opened_ is set, the link thread's from then on.
  std::vector<FrameRef> first_;
  std::atomic<bool> opened_{false};
  size_t next_first_ = 0;

  std::atomic<size_t> pushed_{0};              // Written by the shard.
  alignas(64) std::atomic<size_t> popped_{0};  // Written by the link thread.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SUBSCRIBER_QUEUE_H_
