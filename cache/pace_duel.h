// PaceDuel finds out which pace of TinyLFU the traffic of a keyspace wants (cache/tiny_lfu_word.h),
// by trying both on a small scale: a miniature simulation (Waldspurger, Saemundsson, Ahmad and
// Park, "Cache Modeling and Optimization using Miniature Simulations", USENIX ATC 2017).
//
// Two shadow caches, one for each pace, hold hashes and use words of 512 keys, without keys or
// values. They are shown the accesses of a sample of the keys: those whose hash lies below a limit,
// chosen such that a shadow is as large in relation to the sample as memory is in relation to all.
// Whichever misses less is ahead, and its pace is the keyspace's. Hit ratios, and what one pace
// alone would lose: docs/benchmarks.md, "Hit ratio".
//
// A shadow is 32 sets of 16 keys; beside each set it remembers the 16 keys that went last and what
// their counts were, as EvictedKeys does for the keyspace. 16 KiB together, whatever the keyspace
// holds, and only while they are used.
//
// A core. Threading: as its Keyspace.

#ifndef TIDEMARK_CACHE_PACE_DUEL_H_
#define TIDEMARK_CACHE_PACE_DUEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cache/tiny_lfu_word.h"

namespace tidemark::cache {

class PaceDuel {
 public:
  static constexpr size_t kShadowKeys = 512;

  // Memory holds so many keys. 0 ends the duel and forgets it. With kShadowKeys and fewer there is
  // nothing to sample, and the winner stays what it was.
  void Fit(size_t keys);

  // Whether accesses of this key are to be shown. On the path of every read: one comparison. The
  // low half of the hash, for the high half has chosen the shard.
  bool Samples(uint64_t hash) const { return static_cast<uint32_t>(hash) < limit_; }
  // A read that found its key, or a write, at TinyLFU's `tick`. Requires: Samples(hash).
  void Access(uint64_t hash, uint32_t tick);

  Pace winner() const { return winner_; }
  uint64_t changes() const { return changes_; }  // Of the winner.
  size_t memory_bytes() const { return shadows_ != nullptr ? sizeof(Shadows) : 0; }

 private:
  static constexpr size_t kWays = 16;
  static constexpr size_t kSets = kShadowKeys / kWays;
  // A verdict every so many accesses; what was missed before counts half.
  static constexpr uint32_t kRoundAccesses = 4 * kShadowKeys;

  struct Key {
    uint32_t tag;  // Of the hash; 0: empty.
    uint32_t use;
  };
  struct Set {
    std::array<Key, kWays> kept;
    std::array<Key, kWays> gone;  // The newest first.
  };
  using Shadow = std::array<Set, kSets>;
  using Shadows = std::array<Shadow, 2>;  // By Pace.

  // False if the key had to be taken in.
  static bool Touch(Set& set, uint32_t tag, uint32_t tick, Pace pace);
  // The count of a key that went, which is then not among those any more; 0 if it is none of them.
  static uint32_t TakeGone(Set& set, uint32_t tag, uint32_t tick, Pace pace);
  void EndRound();

  std::unique_ptr<Shadows> shadows_;
  size_t keys_ = 0;     // For which limit_ was worked out.
  uint32_t limit_ = 0;  // Samples() what is below.
  std::array<uint32_t, 2> misses_{};
  uint32_t accesses_ = 0;  // Of this round.
  Pace winner_ = Pace::kSteady;
  uint64_t changes_ = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_PACE_DUEL_H_
