#include "base/expiry.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

TEST(ExpiryTest, UseMovesTheMomentUpToTheLastOne) {
  const TtlExtras idle = {.idle_ms = 10, .stale_ms = 0, .hard_at_ms = 0};
  EXPECT_EQ(Expiry::OfUseAt(100, idle).at_ms, 110);
  const TtlExtras both = {.idle_ms = 10, .stale_ms = 0, .hard_at_ms = 105};
  EXPECT_EQ(Expiry::OfUseAt(90, both).at_ms, 100);
  EXPECT_EQ(Expiry::OfUseAt(100, both).at_ms, 105);
  const TtlExtras all = {.idle_ms = 10, .stale_ms = 3, .hard_at_ms = 105};
  EXPECT_EQ(Expiry::OfUseAt(97, all).at_ms, 107);
  EXPECT_EQ(Expiry::OfUseAt(100, all).at_ms, 108);
}

TEST(ExpiryTest, UseDoesNotMoveWhatHasNoIdleTime) {
  const TtlExtras stale = {.idle_ms = 0, .stale_ms = 3, .hard_at_ms = 105};
  EXPECT_EQ(Expiry::OfUseAt(1, stale).at_ms, 108);
  EXPECT_EQ(Expiry::OfUseAt(100, stale).at_ms, 108);
}

TEST(ExpiryTest, TheLongestIdleTimeDoesNotOverflow) {
  const TtlExtras idle = {.idle_ms = kMax, .stale_ms = 0, .hard_at_ms = 0};
  EXPECT_EQ(Expiry::OfUseAt(100, idle).at_ms, kMax);
}

TEST(ExpiryTest, WhatContradictsItselfIsNotSound) {
  EXPECT_TRUE(Expiry().IsSound());
  EXPECT_TRUE(Expiry(5).IsSound());
  EXPECT_FALSE(Expiry(-5).IsSound());
  struct Case {
    int64_t at_ms, idle_ms, stale_ms, hard_at_ms;
    bool sound;
  };
  for (const Case& c : {
           Case{5, 10, 0, 0, true},
           {0, 10, 0, 0, false},       // Extras of a key that never goes.
           {5, 0, 0, 5, false},        // No extras, and yet one.
           {5, -1, 0, 0, false},       //
           {5, 10, 2, 0, false},       // Stale after when?
           {5, 10, 0, 4, false},       // Gone after the last moment,
           {6, 10, 2, 4, true},        // at it,
           {5, 10, 2, 4, true},        // before it: of an idle key,
           {5, 0, 2, 4, false},        // no other.
           {6, 0, 2, 4, true},         //
           {5, 10, kMax, 1, false},    //
           {kMax, 0, kMax, 1, false},  //
       }) {
    const Expiry expiry(c.at_ms,
                        {.idle_ms = c.idle_ms, .stale_ms = c.stale_ms, .hard_at_ms = c.hard_at_ms});
    EXPECT_EQ(expiry.IsSound(), c.sound)
        << c.at_ms << " " << c.idle_ms << " " << c.stale_ms << " " << c.hard_at_ms;
  }
}

}  // namespace
}  // namespace tidemark
