#include "tools/traces/sampled_models.h"

#include <algorithm>
#include <limits>

namespace tidemark::traces {

bool SampledModel::Access(KeyId key) {
  ++request_;
  if (const auto found = slot_of_.find(key); found != slot_of_.end()) {
    Touch(slots_[found->second]);
    return true;
  }
  size_t place = slots_.size();
  if (place < capacity_) {
    slots_.emplace_back();
  } else {
    place = Victim();
    slot_of_.erase(slots_[place].key);
  }
  slots_[place] = {.key = key, .used = request_, .count = kInitialCount};
  slot_of_[key] = place;
  return false;
}

void SampledModel::Touch(Slot& slot) {
  slot.used = request_;
  constexpr double kLogFactor = 10;  // lfu-log-factor
  const double above = slot.count > kInitialCount ? slot.count - kInitialCount : 0;
  if (slot.count < std::numeric_limits<uint8_t>::max() &&
      random_.Unit() < 1 / (above * kLogFactor + 1)) {
    ++slot.count;
  }
}

uint64_t SampledModel::Idle(const Slot& slot) const {
  if (policy_ == SampledPolicy::kLru) return request_ - slot.used;
  return std::numeric_limits<uint8_t>::max() - slot.count;
}

void SampledModel::Sample() {
  for (size_t i = 0; i < kSamples; ++i) {
    const Slot& slot = slots_[random_.Below(slots_.size())];
    const uint64_t idle = Idle(slot);
    if (std::any_of(pool_.begin(), pool_.end(),
                    [&](const Candidate& candidate) { return candidate.key == slot.key; })) {
      continue;
    }
    if (pool_.size() == kPool) {
      if (pool_.front().idle >= idle) continue;
      pool_.erase(pool_.begin());
    }
    const auto place =
        std::upper_bound(pool_.begin(), pool_.end(), idle,
                         [](uint64_t i, const Candidate& each) { return i < each.idle; });
    pool_.insert(place, {.idle = idle, .key = slot.key});
  }
}

size_t SampledModel::Victim() {
  if (policy_ == SampledPolicy::kRandom) return random_.Below(slots_.size());
  for (;;) {
    Sample();
    while (!pool_.empty()) {
      const auto found = slot_of_.find(pool_.back().key);
      pool_.pop_back();
      if (found != slot_of_.end()) return found->second;
    }
  }
}

}  // namespace tidemark::traces
