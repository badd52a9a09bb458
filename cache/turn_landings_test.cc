#include "cache/turn_landings.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidemark::cache {
namespace {

tier::ReadValue Value(const std::string& text) {
  BufferRef owner = Buffer::Copy(text);
  const std::string_view bytes = owner->view();
  return {.owner = std::move(owner), .bytes = bytes};
}

tier::ValueLocation At(uint32_t segment) { return {.segment = segment, .offset = 0, .bytes = 64}; }

TEST(TurnLandingsTest, GivesWhatItTookInOrderAndSharesTheBytes) {
  TurnLandings landings;
  const tier::ValueLocation at = At(1);
  const tier::ReadValue value = Value("one");
  ASSERT_TRUE(landings.Add("a", at, value));
  ASSERT_TRUE(landings.Add("b", At(2), Value("two")));
  const std::vector<TurnLandings::Landing> taken = landings.Take();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].key, "a");
  EXPECT_EQ(taken[0].at, at);
  EXPECT_EQ(taken[0].value.owner, value.owner);
  EXPECT_EQ(taken[1].value.bytes, "two");
  EXPECT_TRUE(landings.empty());
}

TEST(TurnLandingsTest, ATurnTakesSoManyValues) {
  TurnLandings landings;
  for (uint32_t i = 0; i < TurnLandings::kMaxValues; ++i) {
    ASSERT_TRUE(landings.Add("k", At(i), Value("v")));
  }
  EXPECT_FALSE(landings.Add("k", At(999), Value("v")));
  EXPECT_EQ(landings.Take().size(), TurnLandings::kMaxValues);
  EXPECT_TRUE(landings.Add("k", At(999), Value("v"))) << "and the next as many";
}

TEST(TurnLandingsTest, ATurnTakesSoManyBytes) {
  TurnLandings landings;
  const std::string half(TurnLandings::kMaxBytes / 2, 'v');
  EXPECT_FALSE(landings.Add("k", At(1), Value(std::string(TurnLandings::kMaxBytes + 1, 'v'))));
  EXPECT_TRUE(landings.Add("k", At(1), Value(half)));
  EXPECT_FALSE(landings.Add("k", At(2), Value(half + "v")));
  EXPECT_TRUE(landings.Add("k", At(3), Value(half)));
  EXPECT_FALSE(landings.Add("k", At(4), Value("v")));
  EXPECT_EQ(landings.Take().size(), 2u);
  EXPECT_TRUE(landings.Add("k", At(5), Value(half)));
}

}  // namespace
}  // namespace tidemark::cache
