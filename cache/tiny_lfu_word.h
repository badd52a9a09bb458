// The use word under TinyLFU (see UseTracker): accesses counted up to 7 in 4 bits, and in 20 bits
// the tick of the latest. What a count is worth later, and which of two words is the better victim,
// depends on the pace at which things are forgotten; the words are the same under both, so that a
// keyspace may change its pace at any time.
//
//   steady   Counts halve every 32 ticks; between equals the one used last goes, so that a scan or
//            a loop wears away itself and not what was there before. Best while the popular keys
//            stay the same.
//   moving   Counts halve every 4 ticks; between equals the one longest unused goes. Best while
//            the popular keys change.
//
// The halving is the "reset" of Einziger, Friedman and Manes, "TinyLFU", ACM ToS 2017, though
// nobody visits the counts: what one has lost is worked out when it is looked at.
//
// Threading: pure functions.

#ifndef TIDEMARK_CACHE_TINY_LFU_WORD_H_
#define TIDEMARK_CACHE_TINY_LFU_WORD_H_

#include <algorithm>
#include <cstdint>

namespace tidemark::cache {

enum class Pace : uint8_t { kSteady, kMoving };

namespace tiny_lfu {

inline constexpr uint32_t kMaxCount = 7;
inline constexpr uint32_t kTickMask = (1u << 20) - 1;

// Ages are powers of two so that they go on evenly where the tick wraps.
constexpr uint32_t TicksPerAge(Pace pace) { return pace == Pace::kSteady ? 32 : 4; }

constexpr uint32_t Word(uint32_t count, uint32_t tick) {
  return tick << 4 | std::min(count, kMaxCount);
}

// What the count is worth at `tick`.
constexpr uint32_t Count(uint32_t word, uint32_t tick, Pace pace) {
  const uint32_t ticks = TicksPerAge(pace);
  // Words are read at any time: a tick that seems to lie ahead is one from before the wrap.
  const uint32_t ages = (tick / ticks - (word >> 4) / ticks) & (kTickMask / ticks);
  return ages > 3 ? 0 : (word & 0xf) >> ages;
}

// The word after one more access.
constexpr uint32_t Touched(uint32_t word, uint32_t tick, Pace pace) {
  return Word(Count(word, tick, pace) + 1, tick);
}

// Lower goes first.
constexpr uint32_t Rank(uint32_t word, uint32_t tick, Pace pace) {
  const uint32_t unused = (tick - (word >> 4)) & kTickMask;
  return Count(word, tick, pace) << 20 | (pace == Pace::kSteady ? unused : kTickMask - unused);
}

}  // namespace tiny_lfu
}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_TINY_LFU_WORD_H_
