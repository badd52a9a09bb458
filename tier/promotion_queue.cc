#include "tier/promotion_queue.h"

#include <algorithm>
#include <utility>

namespace tidemark::tier {

PromotionQueue::PromotionQueue(size_t capacity, size_t max_carried_bytes)
    : capacity_(std::max<size_t>(capacity, 1)), max_carried_bytes_(max_carried_bytes) {}

PromotionOutcome PromotionQueue::Push(PromotionRequest request) {
  if (closed_) {
    ++counts_.refused;
    return PromotionOutcome::kRefused;
  }
  PromotionOutcome outcome = PromotionOutcome::kQueued;
  if (requests_.size() == capacity_) {
    counts_.carried_bytes -= CarriedBytes(requests_.front());
    requests_.pop_front();
    ++counts_.evicted;
    outcome = PromotionOutcome::kQueuedEvictedOldest;
  }
  // After the eviction, which may have made room for them.
  if (CarriedBytes(request) > max_carried_bytes_ - counts_.carried_bytes) {
    request.bytes = nullptr;
    ++counts_.without_bytes;
  }
  counts_.carried_bytes += CarriedBytes(request);
  requests_.push_back(std::move(request));
  ++counts_.queued;
  return outcome;
}

std::optional<PromotionRequest> PromotionQueue::Pop() {
  if (requests_.empty()) return std::nullopt;
  PromotionRequest request = std::move(requests_.front());
  requests_.pop_front();
  counts_.carried_bytes -= CarriedBytes(request);
  return request;
}

void PromotionQueue::Completed(bool ok) {
  ++counts_.completed;
  if (!ok) ++counts_.failed;
}

PromotionCounts PromotionQueue::counts() const {
  PromotionCounts counts = counts_;
  counts.depth = requests_.size();
  return counts;
}

}  // namespace tidemark::tier
