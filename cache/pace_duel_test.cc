#include "cache/pace_duel.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "base/key_hash.h"

namespace tidemark::cache {
namespace {

uint64_t HashOf(uint64_t n) { return KeyHash(fmt::format("key:{}", n)); }

// A memory of 10,000 keys and 100,000 that are asked for.
class PaceDuelTest : public testing::Test {
 protected:
  static constexpr uint64_t kMemory = 10'000;
  static constexpr uint64_t kKeys = 100'000;

  PaceDuelTest() { duel_.Fit(kMemory); }

  void Ask(uint64_t key) {
    const auto tick = static_cast<uint32_t>(requests_++ / kMemory);
    const uint64_t hash = HashOf(key);
    if (duel_.Samples(hash)) duel_.Access(hash, tick);
  }
  void Loop(uint64_t requests) {
    for (uint64_t i = 0; i < requests; ++i) Ask(i % kKeys);
  }
  // Half a memory of popular keys, others after every 200,000 requests; one request in ten is for
  // any key.
  void MovingHotSet(uint64_t requests) {
    for (uint64_t i = 0; i < requests; ++i) {
      const uint64_t first_hot = i / 200'000 * (kMemory / 2);
      const bool hot = random_() % 10 != 0;
      Ask(hot ? (first_hot + random_() % (kMemory / 2)) % kKeys : random_() % kKeys);
    }
  }

  PaceDuel duel_;
  uint64_t requests_ = 0;
  std::mt19937_64 random_{3};
};

TEST_F(PaceDuelTest, SamplesAsManyOfMemorysKeysAsAShadowHolds) {
  uint64_t sampled = 0;
  for (uint64_t i = 0; i < kMemory; ++i) sampled += duel_.Samples(HashOf(i));
  EXPECT_NEAR(static_cast<double>(sampled), PaceDuel::kShadowKeys, 6 * 23);  // Six deviations.
}

TEST_F(PaceDuelTest, SamplesFewerWhenMemoryHoldsMore) {
  duel_.Fit(100 * kMemory);
  uint64_t sampled = 0;
  for (uint64_t i = 0; i < 100 * kMemory; ++i) sampled += duel_.Samples(HashOf(i));
  EXPECT_NEAR(static_cast<double>(sampled), PaceDuel::kShadowKeys, 6 * 23);
}

TEST_F(PaceDuelTest, AMovingHotSetIsForTheMovingPaceAndALoopForTheSteadyOne) {
  EXPECT_EQ(duel_.winner(), Pace::kSteady);
  MovingHotSet(2'000'000);
  EXPECT_EQ(duel_.winner(), Pace::kMoving);
  Loop(2'000'000);
  EXPECT_EQ(duel_.winner(), Pace::kSteady);
  EXPECT_EQ(duel_.changes(), 2u);
}

TEST_F(PaceDuelTest, WhereBothAreAsGoodTheWinnerStays) {
  for (int i = 0; i < 2'000'000; ++i) Ask(random_() % (kMemory / 4));
  EXPECT_EQ(duel_.changes(), 0u);
}

TEST_F(PaceDuelTest, TakesNoMemoryWhereThereIsNothingToSample) {
  PaceDuel duel;
  EXPECT_EQ(duel.memory_bytes(), 0u);
  duel.Fit(PaceDuel::kShadowKeys);
  EXPECT_EQ(duel.memory_bytes(), 0u);
  for (uint64_t i = 0; i < 1'000; ++i) EXPECT_FALSE(duel.Samples(HashOf(i)));
}

TEST_F(PaceDuelTest, ItsMemoryDoesNotGrow) {
  const size_t bytes = duel_.memory_bytes();
  EXPECT_LE(bytes, 16u * 1024);
  duel_.Fit(1'000'000'000);
  EXPECT_EQ(duel_.memory_bytes(), bytes);
  duel_.Fit(0);
  EXPECT_EQ(duel_.memory_bytes(), 0u);
  EXPECT_FALSE(duel_.Samples(0));
}

}  // namespace
}  // namespace tidemark::cache
