#include "replication/subscriber_queue.h"

#include <utility>

#include "base/check.h"

namespace tidemark::replication {

void SubscriberQueue::Open(std::vector<FrameRef> first) {
  CHECK(!opened_.load(std::memory_order_relaxed));
  first_ = std::move(first);
  // Release: who sees the flag sees the vector.
  opened_.store(true, std::memory_order_release);
}

bool SubscriberQueue::TryPush(Item&& item) {
  DCHECK(opened_.load(std::memory_order_relaxed));
  if (size() >= max_frames_) return false;
  // Before the frame can be popped, so that size() is never below zero.
  pushed_.store(pushed_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  CHECK(ring_.TryPush(std::move(item)));
  return true;
}

bool SubscriberQueue::TryPop(Item* item) {
  if (!opened_.load(std::memory_order_acquire)) return false;
  if (next_first_ < first_.size()) {
    *item = {.frame = std::move(first_[next_first_])};
    if (++next_first_ == first_.size()) std::vector<FrameRef>().swap(first_);
    return true;
  }
  if (!ring_.TryPop(*item)) return false;
  // Sequentially consistent: see Subscriber::HasRoom().
  popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
  return true;
}

}  // namespace tidemark::replication
