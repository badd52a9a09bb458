#include "cache/evicted_keys.h"

#include <gtest/gtest.h>

#include "base/key_hash.h"

namespace tidemark::cache {
namespace {

uint64_t HashOf(int n) { return KeyHash("key:" + std::to_string(n)); }

TEST(EvictedKeysTest, GivesBackACountOnce) {
  EvictedKeys keys;
  keys.Fit(1'000);
  keys.Add(HashOf(1), 6);
  EXPECT_EQ(keys.Take(HashOf(1)), 6u);
  EXPECT_EQ(keys.Take(HashOf(1)), 0u);
}

TEST(EvictedKeysTest, IsEmptyAndTakesNoMemoryUntilItIsFitted) {
  EvictedKeys keys;
  keys.Add(HashOf(1), 6);
  EXPECT_EQ(keys.Take(HashOf(1)), 0u);
  EXPECT_EQ(keys.memory_bytes(), 0u);
}

TEST(EvictedKeysTest, RemembersAboutAsManyAsItWasFittedFor) {
  constexpr int kKeys = 100'000;
  EvictedKeys keys;
  keys.Fit(kKeys);
  for (int n = 0; n < 10 * kKeys; ++n) keys.Add(HashOf(n), 3);
  int known = 0;
  for (int n = 9 * kKeys; n < 10 * kKeys; ++n) known += keys.Take(HashOf(n)) == 3;
  EXPECT_GT(known, kKeys * 6 / 10);
  EXPECT_LE(keys.memory_bytes(), size_t{4 * kKeys});
}

TEST(EvictedKeysTest, SeldomTakesAStrangerForOneItKnows) {
  constexpr int kKeys = 100'000;
  EvictedKeys keys;
  keys.Fit(kKeys);
  for (int n = 0; n < kKeys; ++n) keys.Add(HashOf(n), 3);
  int mistaken = 0;
  for (int n = kKeys; n < 2 * kKeys; ++n) mistaken += keys.Take(HashOf(n)) != 0;
  EXPECT_LT(mistaken, kKeys / 300);
}

TEST(EvictedKeysTest, GrowsAndShrinksWithTheKeyspace) {
  EvictedKeys keys;
  keys.Fit(1'000'000);
  const size_t large = keys.memory_bytes();
  keys.Fit(500'000);  // Not worth forgetting everything.
  EXPECT_EQ(keys.memory_bytes(), large);
  keys.Fit(1'000);
  EXPECT_LT(keys.memory_bytes(), large / 100);
}

}  // namespace
}  // namespace tidemark::cache
