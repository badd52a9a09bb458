#include "tools/traces/trace.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/traces/word_trace.h"

namespace tidemark::traces {
namespace {

using ::testing::ElementsAre;

std::vector<KeyId> First(uint64_t requests, const TraceSpec& spec) {
  return Take(*MakeSource(spec), requests);
}

class EveryTraceTest : public testing::TestWithParam<NamedKind> {};

TEST_P(EveryTraceTest, IsTheSameForTheSameSpec) {
  const TraceSpec spec = {.kind = GetParam().kind, .keys = 1000, .seed = 5};
  EXPECT_EQ(First(10'000, spec), First(10'000, spec));
}

TEST_P(EveryTraceTest, StaysWithinItsKeys) {
  // 23: where the parts of a trace do not divide the keys evenly.
  for (const uint64_t keys : {20, 23, 1000}) {
    const auto trace = First(20'000, {.kind = GetParam().kind, .keys = keys, .seed = 5});
    EXPECT_LT(*std::max_element(trace.begin(), trace.end()), keys);
  }
}

TEST_P(EveryTraceTest, IsFoundByItsName) {
  EXPECT_EQ(TraceKindNamed(GetParam().name), GetParam().kind);
}

INSTANTIATE_TEST_SUITE_P(Traces, EveryTraceTest, testing::ValuesIn(kSyntheticTraces),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(TraceTest, NoTraceHasAnotherName) { EXPECT_EQ(TraceKindNamed("zipf"), std::nullopt); }

TEST(TraceTest, AnotherSeedIsAnotherTrace) {
  EXPECT_NE(First(100, {.kind = TraceKind::kZipf99, .keys = 1000, .seed = 1}),
            First(100, {.kind = TraceKind::kZipf99, .keys = 1000, .seed = 2}));
}

TEST(TraceTest, LoopAsksForAllKeysInOrder) {
  const auto trace = First(50, {.kind = TraceKind::kLoop, .keys = 20, .seed = 1});
  for (uint64_t i = 0; i < 50; ++i) EXPECT_EQ(trace[i], i % 20);
}

TEST(TraceTest, ScanReadsTheUnpopularHalfInOrder) {
  // Of 100 keys: 50 requests of popular ones, a stretch of 10 others, and so on.
  const auto trace = First(180, {.kind = TraceKind::kScan, .keys = 100, .seed = 1});
  std::vector<KeyId> scanned;
  for (size_t i = 0; i < trace.size(); ++i) {
    if (i % 60 < 50) {
      EXPECT_LT(trace[i], 50u);
    } else {
      scanned.push_back(trace[i]);
    }
  }
  ASSERT_EQ(scanned.size(), 30u);
  for (size_t i = 0; i < scanned.size(); ++i) EXPECT_EQ(scanned[i], 50 + i);
}

TEST(TraceTest, ShiftMovesItsHotSet) {
  const auto trace = First(4000, {.kind = TraceKind::kShift, .keys = 1000, .seed = 1});
  const auto hot = [&](size_t begin, KeyId first) {
    return std::count_if(trace.begin() + static_cast<ptrdiff_t>(begin),
                         trace.begin() + static_cast<ptrdiff_t>(begin) + 2000,
                         [first](KeyId key) { return key >= first && key < first + 50; });
  };
  // Nine tenths, and the twentieth of the rest that meets it by chance.
  EXPECT_NEAR(hot(0, 0), 1810, 100);
  EXPECT_NEAR(hot(2000, 50), 1810, 100);
  EXPECT_LT(hot(2000, 0), 100);
}

TEST(WordTraceTest, NeighboursAreOneRequest) {
  WordTrace trace;
  trace.Read("The cat, the CAT; the dog.");
  // the-cat cat-the the-cat cat-the the-dog
  EXPECT_THAT(trace.requests(), ElementsAre(0, 1, 0, 1, 2));
  EXPECT_EQ(trace.keys(), 3u);
}

TEST(WordTraceTest, TextsDoNotRunIntoEachOther) {
  WordTrace trace;
  trace.Read("one two");
  trace.Read("three");
  trace.Read("");
  trace.Read("one\ntwo");
  EXPECT_THAT(trace.requests(), ElementsAre(0, 0));
}

TEST(WordTraceTest, OtherBytesPartWords) {
  WordTrace trace;
  trace.Read(
      std::string_view("a\0b\xc3\xa9"
                       "c1d",
                       8));
  // a-b b-c c-d
  EXPECT_THAT(trace.requests(), ElementsAre(0, 1, 2));
}

}  // namespace
}  // namespace tidemark::traces
