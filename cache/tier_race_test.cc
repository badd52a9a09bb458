// Simulated races between what clients do and what the tier has under way; tier_race_world.h.
//
//   TIER_RACES_SECONDS=60       as long, instead of a fixed number of worlds
//   TIER_RACES_FIRST_SEED=17    from this seed on
//   TIER_RACES_WORLDS=1         so many

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>

#include "base/clock.h"
#include "cache/tier_race_world.h"
#include "cache/tier_races.h"

namespace tidemark::cache {
namespace {

constexpr uint64_t kWorlds = 500;
// Each pair is met in a few of a hundred worlds at least.
constexpr uint64_t kEnoughForEveryPair = 500;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(TierRaceTest, NoValueIsStaleOrLost) {
  const uint64_t seconds = FromEnvironment("TIER_RACES_SECONDS", 0);
  const uint64_t worlds = FromEnvironment("TIER_RACES_WORLDS", kWorlds);
  const Clock& clock = Clock::System();
  const int64_t began_ns = clock.MonotonicNanos();
  const auto elapsed_s = [&] {
    return static_cast<double>(clock.MonotonicNanos() - began_ns) / 1e9;
  };
  TierRaces races;
  for (uint64_t seed = FromEnvironment("TIER_RACES_FIRST_SEED", 1);; ++seed) {
    const bool more =
        seconds > 0 ? elapsed_s() < static_cast<double>(seconds) : races.worlds < worlds;
    if (!more) break;
    const std::string fault = TierRaceWorld(seed, &races).Run();
    ASSERT_EQ(fault, "") << "TIER_RACES_FIRST_SEED=" << seed << " TIER_RACES_WORLDS=1";
  }
  fmt::print("{}{} races in {} worlds, {:.1f} s: {:.0f} a second\n", races.Report(), races.total(),
             races.worlds, elapsed_s(), static_cast<double>(races.total()) / elapsed_s());
  if (races.worlds < kEnoughForEveryPair) return;
  EXPECT_EQ(races.Missing(), "") << "never met";
}

// Without this no seed could be replayed.
TEST(TierRaceTest, ASeedGivesTheSameRunEachTime) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    TierRaces first;
    TierRaces second;
    TierRaceWorld(seed, &first).Run();
    TierRaceWorld(seed, &second).Run();
    EXPECT_EQ(first.met, second.met) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tidemark::cache
