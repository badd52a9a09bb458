// PromotionQueue is the bounded queue of PromotionPool, and its accounting: first in, first out,
// the oldest thrown out for a new one when it is full.
//
// Two bounds. `capacity` requests; and `max_carried_bytes` that requests may carry along: beyond it
// a request is queued without its bytes, which costs the executor a read and nobody else anything.
//
// Threading: one thread at a time (PromotionPool holds its lock). No clock, no I/O.

#ifndef TIDEMARK_TIER_PROMOTION_QUEUE_H_
#define TIDEMARK_TIER_PROMOTION_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "base/ids.h"
#include "tier/value_location.h"

namespace tidemark::tier {

// When a value that was read from disk is promoted.
enum class PromotionPolicy : uint8_t {
  kImmediate,    // At its first read.
  kOnSecondHit,  // At its second; see SecondHitMarks (second_hit_marks.h).
  kNever,
};

// A value to promote.
struct PromotionRequest {
  ShardId shard = {};
  std::string key = {};
  ValueLocation location = {};  // Where it was read.
  size_t value_bytes = 0;
  // What the reader got, shared. Null: the executor reads again. The location says whether they are
  // still the key's value, so that what they were a moment ago can do no harm.
  BufferRef bytes = {};
  size_t bytes_offset = 0;  // Of the value within `bytes`.
  PromotionPolicy policy = PromotionPolicy::kOnSecondHit;
};

enum class PromotionOutcome : uint8_t {
  kQueued,
  kQueuedEvictedOldest,  // Queued; the oldest was thrown out for it.
  kRefused,              // Not queued: the queue is closed.
};

struct PromotionCounts {
  uint64_t queued = 0;         // Taken in, whatever became of them.
  uint64_t refused = 0;        // Turned away: closed.
  uint64_t evicted = 0;        // Taken in, then thrown out for a newer one.
  uint64_t completed = 0;      // The executor ran, however it ended.
  uint64_t failed = 0;         // Of completed: it said or threw an error.
  uint64_t without_bytes = 0;  // Queued without the bytes they came with.
  size_t depth = 0;
  size_t carried_bytes = 0;

  uint64_t dropped() const { return refused + evicted; }
};

class PromotionQueue {
 public:
  // A capacity of 0 counts as 1.
  PromotionQueue(size_t capacity, size_t max_carried_bytes);

  PromotionOutcome Push(PromotionRequest request);
  // The oldest; nullopt if there is none.
  std::optional<PromotionRequest> Pop();
  // A request that was popped has been executed.
  void Completed(bool ok);
  // From here on Push() refuses.
  void Close() { closed_ = true; }

  bool closed() const { return closed_; }
  bool empty() const { return requests_.empty(); }
  size_t capacity() const { return capacity_; }
  size_t depth() const { return requests_.size(); }
  PromotionCounts counts() const;

 private:
  // A small value keeps all of the buffer that it is a part of.
  static size_t CarriedBytes(const PromotionRequest& request) {
    return request.bytes ? request.bytes->size() : 0;
  }

  const size_t capacity_;
  const size_t max_carried_bytes_;
  bool closed_ = false;
  std::deque<PromotionRequest> requests_;  // Oldest first.
  PromotionCounts counts_;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_PROMOTION_QUEUE_H_
