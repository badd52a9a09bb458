#include "cache/use_tracker.h"

namespace tidemark::cache {
namespace {

constexpr uint32_t kWordMask = (1u << 24) - 1;

}  // namespace

uint32_t UseTracker::Touched(uint32_t word) {
  if (options_.mode == UseMode::kTinyLfu) return tiny_lfu::Touched(word, tick_, pace_);
  uint32_t count = Frequency(word);
  const double above = count > kLfuInitialCount ? count - kLfuInitialCount : 0;
  if (count < kMaxLfuCount && Chance(1 / (above * options_.lfu_log_factor + 1))) ++count;
  return clock_ << 8 | count;
}

uint32_t UseTracker::Fresh(uint32_t count) const {
  switch (options_.mode) {
    case UseMode::kClock:
      break;
    case UseMode::kLfu:
      return clock_ << 8 | kLfuInitialCount;
    case UseMode::kTinyLfu:
      return tiny_lfu::Word(count + 1, tick_);
  }
  return clock_;
}

uint32_t UseTracker::Frequency(uint32_t word) const {
  switch (options_.mode) {
    case UseMode::kClock:
      return 0;
    case UseMode::kTinyLfu:
      return tiny_lfu::Count(word, tick_, pace_);
    case UseMode::kLfu:
      break;
  }
  const uint32_t count = word & 0xff;
  if (options_.lfu_decay_minutes == 0) return count;
  const uint32_t idle_minutes = (clock_ - (word >> 8)) & kMinuteMask;
  return count - std::min(count, idle_minutes / static_cast<uint32_t>(options_.lfu_decay_minutes));
}

uint64_t UseTracker::Rank(uint32_t word) const {
  switch (options_.mode) {
    case UseMode::kClock:
      return kWordMask - ((clock_ - word) & kWordMask);
    case UseMode::kLfu:
      return Frequency(word);
    case UseMode::kTinyLfu:
      break;
  }
  return tiny_lfu::Rank(word, tick_, pace_);
}

bool UseTracker::Chance(double probability) {
  // xorshift64 (G. Marsaglia, 2003).
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return static_cast<double>(random_ >> 11) * 0x1p-53 < probability;
}

}  // namespace tidemark::cache
