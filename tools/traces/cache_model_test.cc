#include "tools/traces/cache_model.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"

namespace tidemark::traces {
namespace {

std::vector<KeyId> TraceOf(TraceKind kind) {
  return Take(*MakeSource({.kind = kind, .keys = 10'000, .seed = 1}), 200'000);
}
constexpr size_t kTenth = 1'000;

double Ratio(std::string_view name, const std::vector<KeyId>& trace) {
  return HitRatio(*MakeModel(name, kTenth), trace);
}

class EveryModelTest : public testing::TestWithParam<std::string_view> {};

TEST_P(EveryModelTest, HoldsWhatFits) {
  const auto model = MakeModel(GetParam(), 100);
  for (KeyId key = 0; key < 100; ++key) EXPECT_FALSE(model->Access(key));
  for (int round = 0; round < 3; ++round) {
    for (KeyId key = 0; key < 100; ++key) EXPECT_TRUE(model->Access(key));
  }
}

TEST_P(EveryModelTest, NeverHoldsMoreThanFits) {
  const auto model = MakeModel(GetParam(), 100);
  for (KeyId key = 0; key < 100'000; ++key) model->Access(key % 1'000);
  // Each of them is asked for once, and each miss throws one out.
  int hits = 0;
  for (KeyId key = 0; key < 1'000; ++key) hits += model->Access(key);
  EXPECT_LE(hits, 100);
}

TEST_P(EveryModelTest, NoneIsBetterThanTheBest) {
  for (const NamedKind& each : kSyntheticTraces) {
    const auto trace = TraceOf(each.kind);
    EXPECT_LE(Ratio(GetParam(), trace), BestHitRatio(trace, kTenth)) << each.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EveryModelTest, testing::ValuesIn(kModelNames),
                         [](const auto& info) {
                           std::string name(info.param);
                           std::erase(name, '-');
                           return name;
                         });

TEST(CacheModelTest, NoModelHasAnotherName) { EXPECT_EQ(MakeModel("fifo", 100), nullptr); }

TEST(CacheModelTest, LruThrowsOutTheLongestUnused) {
  const auto model = MakeModel("lru", 20);
  for (KeyId key = 0; key < 20; ++key) model->Access(key);
  EXPECT_TRUE(model->Access(0));
  EXPECT_FALSE(model->Access(20));  // In the place of 1.
  EXPECT_TRUE(model->Access(0));
  EXPECT_FALSE(model->Access(1));
}

TEST(CacheModelTest, SieveKeepsWhatWasVisited) {
  const auto model = MakeModel("sieve", 20);
  for (KeyId key = 0; key < 20; ++key) model->Access(key);
  EXPECT_TRUE(model->Access(0));
  EXPECT_FALSE(model->Access(20));  // The hand passes 0 and throws out 1.
  EXPECT_TRUE(model->Access(0));
  EXPECT_FALSE(model->Access(1));
}

TEST(CacheModelTest, TheBestKeepsPartOfALoop) {
  // Of 100 keys in a circle 10 fit: all but one of the places keep a key from round to round.
  const auto trace = Take(*MakeSource({.kind = TraceKind::kLoop, .keys = 100}), 100'000);
  EXPECT_NEAR(BestHitRatio(trace, 10), 9.0 / 99, 0.002);
}

// The line that our default policy has to hold, where it is nearly exact: against models of what
// Redis has. Measured against redis-server itself: docs/benchmarks.md, "Hit ratio".
class DefaultPolicyTest : public testing::TestWithParam<NamedKind> {};

TEST_P(DefaultPolicyTest, HitsAsOftenAsTheBestOfRedis) {
  const auto trace = TraceOf(GetParam().kind);
  const double redis =
      std::max({Ratio("redis-lru", trace), Ratio("redis-lfu", trace), Ratio("random", trace)});
  EXPECT_GE(Ratio("tidemark", trace), redis - 0.005);
}

INSTANTIATE_TEST_SUITE_P(Traces, DefaultPolicyTest, testing::ValuesIn(kSyntheticTraces),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(CacheModelTest, OurDefaultKeepsPartOfALoop) {
  EXPECT_GT(Ratio("tidemark", TraceOf(TraceKind::kLoop)), 0.05);
}

}  // namespace
}  // namespace tidemark::traces
