// TierRaces counts how often what happened to a key met something that the tier had under way for
// it, so that a simulation of races (tier_race_world.h) cannot silently stop having some.

#ifndef TIDEMARK_CACHE_TIER_RACES_H_
#define TIDEMARK_CACHE_TIER_RACES_H_

#include <array>
#include <cstdint>
#include <string>

namespace tidemark::cache {

struct TierRaces {
  enum Change { kPut, kAppend, kDelete, kRename, kExpiry, kFlush, kWalk, kReclaim, kChanges };
  enum UnderWay { kDemotion, kPromotion, kRead, kUnderWays };

  std::array<std::array<uint64_t, kUnderWays>, kChanges> met{};
  uint64_t worlds = 0;

  uint64_t total() const;
  std::string Report() const;  // A line for each change.
  // The first pair that can meet and never did, in words; empty if there is none.
  std::string Missing() const;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_TIER_RACES_H_
