#include "tier/second_hit_marks.h"

#include <gtest/gtest.h>

namespace tidemark::tier {
namespace {

TEST(SecondHitMarksTest, TheSecondHitTakesTheMarkAway) {
  SecondHitMarks marks;
  const ValueLocation here{1, 24, 100};
  EXPECT_FALSE(marks.Hit(here));
  EXPECT_TRUE(marks.Hit(here));
  EXPECT_FALSE(marks.Hit(here));
}

TEST(SecondHitMarksTest, LocationsDoNotShareAMark) {
  SecondHitMarks marks;
  EXPECT_FALSE(marks.Hit({1, 24, 100}));
  EXPECT_FALSE(marks.Hit({2, 24, 100}));
  EXPECT_FALSE(marks.Hit({1, 124, 100}));
  EXPECT_TRUE(marks.Hit({1, 24, 100}));
  EXPECT_TRUE(marks.Hit({2, 24, 100}));
}

TEST(SecondHitMarksTest, TheOldestOfASetIsPushedOut) {
  SecondHitMarks marks(1);  // One set of four.
  for (uint32_t segment = 1; segment <= 5; ++segment) EXPECT_FALSE(marks.Hit({segment, 24, 100}));
  EXPECT_EQ(marks.pushed_out_total(), 1u);
  for (uint32_t segment = 2; segment <= 5; ++segment) EXPECT_TRUE(marks.Hit({segment, 24, 100}));
  EXPECT_FALSE(marks.Hit({1, 24, 100}));
}

TEST(SecondHitMarksTest, AMarkTakenFromTheMiddleLeavesTheOthers) {
  SecondHitMarks marks(1);
  for (uint32_t segment = 1; segment <= 4; ++segment) marks.Hit({segment, 24, 100});
  EXPECT_TRUE(marks.Hit({2, 24, 100}));
  marks.Hit({5, 24, 100});
  EXPECT_EQ(marks.pushed_out_total(), 0u);
  for (uint32_t segment : {1u, 3u, 4u, 5u}) EXPECT_TRUE(marks.Hit({segment, 24, 100}));
}

// Offsets of neighbouring records must not crowd into a few sets.
TEST(SecondHitMarksTest, HalfAsManyAsThereIsRoomForStay) {
  SecondHitMarks marks(4096);
  for (uint32_t i = 0; i < 2048; ++i) marks.Hit({1, 24 + i * 1064, 1064});
  EXPECT_LT(marks.pushed_out_total(), 200u);
}

}  // namespace
}  // namespace tidemark::tier
