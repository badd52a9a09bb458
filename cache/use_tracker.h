// UseTracker decides what the 24 bits of an entry's "use word" mean and how an access changes them.
// What they are good for is the policy's matter: it ranks entries by them (Rank()).
//
//   clock    The second of the last access. LRU, random, TTL; and whenever nothing is evicted, so
//            that OBJECT IDLETIME works.
//   lfu      Redis' approximate counter (redis.io, "Using Redis as an LRU cache", "The new LFU
//            mode"): the minute of the last access in 16 bits, and 8 bits that count
//            logarithmically and lose one every `lfu_decay_minutes`.
//   tinylfu  Accesses, counted up to 7 in 4 bits, and in 20 bits the tick of the latest
//            (cache/tiny_lfu_word.h). Time is counted in requests, so that it passes as fast as the
//            traffic: a tick is as many requests as there are keys. How fast counts lose their
//            worth is the pace, which others choose (PaceDuel).
//
// When the meaning changes, old words are misread until their entries are used again, as in Redis.
//
// Threading: as its Keyspace.

#ifndef TIDEMARK_CACHE_USE_TRACKER_H_
#define TIDEMARK_CACHE_USE_TRACKER_H_

#include <algorithm>
#include <cstdint>

#include "cache/entry.h"
#include "cache/tiny_lfu_word.h"

namespace tidemark::cache {

enum class UseMode : uint8_t { kClock, kLfu, kTinyLfu };

class UseTracker {
 public:
  struct Options {
    UseMode mode = UseMode::kClock;
    // Of kLfu: the higher the factor, the more accesses saturate the counter; 0 minutes: no decay.
    int lfu_log_factor = 10;
    int lfu_decay_minutes = 1;
  };

  static constexpr uint32_t kLfuInitialCount = 5;  // A new key is no worse than a rarely used one.

  void set_options(const Options& options) {
    options_ = options;
    set_now_ms(now_ms_);
  }
  const Options& options() const { return options_; }
  UseMode mode() const { return options_.mode; }

  // Wall time, for kClock and kLfu.
  void set_now_ms(int64_t now_ms) {
    now_ms_ = now_ms;
    clock_ = options_.mode == UseMode::kLfu ? static_cast<uint32_t>(now_ms / 60'000) & kMinuteMask
                                            : Entry::AccessClock(now_ms);
  }
  // For kTinyLfu: so many requests have come since the last call, and there are `keys` keys.
  void Advance(uint64_t requests, size_t keys) {
    requests_ += requests;
    const uint64_t per_tick = std::max<uint64_t>(keys, 1);
    tick_ = (tick_ + static_cast<uint32_t>(requests_ / per_tick)) & tiny_lfu::kTickMask;
    requests_ %= per_tick;
  }
  uint32_t tick() const { return tick_; }
  void set_pace(Pace pace) { pace_ = pace; }
  Pace pace() const { return pace_; }

  // The entry is used.
  void Touch(Entry* entry) {
    const uint32_t word = entry->use();
    const uint32_t touched = options_.mode == UseMode::kClock ? clock_ : Touched(word);
    if (touched != word) entry->set_use(touched);  // A read should not dirty a line in vain.
  }
  // What a new entry gets. `count`: how often it is known to have been used before (kTinyLfu).
  uint32_t Fresh(uint32_t count = 0) const;

  // How often it was used lately: LFU's counter, or TinyLFU's count; 0 in kClock.
  uint32_t Frequency(uint32_t word) const;
  // Of two entries the one with the lower rank is the better victim: the longest unused, or the
  // least often used.
  uint64_t Rank(uint32_t word) const;

 private:
  static constexpr uint32_t kMinuteMask = 0xffff;
  static constexpr uint32_t kMaxLfuCount = 255;

  uint32_t Touched(uint32_t word);
  bool Chance(double probability);

  Options options_;
  int64_t now_ms_ = 0;
  uint32_t clock_ = 0;  // Seconds, or LFU's minutes.
  uint32_t tick_ = 0;
  Pace pace_ = Pace::kSteady;
  uint64_t requests_ = 0;  // Since the tick began.
  uint64_t random_ = 0x9e3779b97f4a7c15;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_USE_TRACKER_H_
