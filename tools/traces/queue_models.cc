#include "tools/traces/queue_models.h"

#include <algorithm>
#include <iterator>

namespace tidemark::traces {

// --- LRU ---

bool LruModel::Access(KeyId key) {
  if (const auto found = place_of_.find(key); found != place_of_.end()) {
    queue_.splice(queue_.begin(), queue_, found->second);
    return true;
  }
  if (queue_.size() == capacity_) {
    place_of_.erase(queue_.back());
    queue_.pop_back();
  }
  queue_.push_front(key);
  place_of_[key] = queue_.begin();
  return false;
}

// --- SIEVE ---

bool SieveModel::Access(KeyId key) {
  if (const auto found = place_of_.find(key); found != place_of_.end()) {
    found->second->visited = true;
    return true;
  }
  if (queue_.size() == capacity_) Evict();
  queue_.push_front({.key = key, .visited = false});
  place_of_[key] = queue_.begin();
  return false;
}

void SieveModel::Evict() {
  auto victim = hand_ == queue_.end() ? std::prev(queue_.end()) : hand_;
  while (victim->visited) {
    victim->visited = false;
    victim = victim == queue_.begin() ? std::prev(queue_.end()) : std::prev(victim);
  }
  hand_ = victim == queue_.begin() ? queue_.end() : std::prev(victim);
  place_of_.erase(victim->key);
  queue_.erase(victim);
}

// --- S3-FIFO ---

bool S3FifoModel::Access(KeyId key) {
  if (const auto found = uses_.find(key); found != uses_.end()) {
    found->second = std::min<uint8_t>(found->second + 1, kMaxUses);
    return true;
  }
  while (small_.size() + main_.size() >= capacity_) {
    if (small_.size() >= small_capacity_) {
      EvictFromSmall();
    } else {
      EvictFromMain();
    }
  }
  (Forget(key) ? main_ : small_).push_front(key);
  uses_[key] = 0;
  return false;
}

void S3FifoModel::EvictFromSmall() {
  const KeyId key = small_.back();
  small_.pop_back();
  uint8_t& uses = uses_[key];
  if (uses > 1) {
    uses = 0;
    main_.push_front(key);
    if (main_.size() > main_capacity_) EvictFromMain();
    return;
  }
  uses_.erase(key);
  Remember(key);
}

void S3FifoModel::EvictFromMain() {
  for (;;) {
    const KeyId key = main_.back();
    main_.pop_back();
    uint8_t& uses = uses_[key];
    if (uses == 0) {
      uses_.erase(key);
      return;
    }
    --uses;
    main_.push_front(key);
  }
}

void S3FifoModel::Remember(KeyId key) {
  ghosts_.push_front(key);
  ghost_of_[key] = ghosts_.begin();
  if (ghosts_.size() <= main_capacity_) return;
  ghost_of_.erase(ghosts_.back());
  ghosts_.pop_back();
}

bool S3FifoModel::Forget(KeyId key) {
  const auto found = ghost_of_.find(key);
  if (found == ghost_of_.end()) return false;
  ghosts_.erase(found->second);
  ghost_of_.erase(found);
  return true;
}

}  // namespace tidemark::traces
