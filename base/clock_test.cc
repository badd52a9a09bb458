#include "base/clock.h"

#include <gtest/gtest.h>

#include <ctime>

namespace tidemark {
namespace {

TEST(SystemClockTest, TellsTheSystemsWallTime) {
  const int64_t before_s = std::time(nullptr);
  const int64_t now_ms = Clock::System().UnixMillis();
  EXPECT_GE(now_ms, before_s * 1000);
  EXPECT_LE(now_ms / 1000, std::time(nullptr));
}

TEST(SystemClockTest, NeverStepsBackBetweenIntervals) {
  int64_t last = Clock::System().MonotonicNanos();
  for (int i = 0; i < 1000; ++i) {
    const int64_t now = Clock::System().MonotonicNanos();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(ManualClockTest, MovesOnlyWhenTold) {
  ManualClock clock;
  const int64_t wall_ms = clock.UnixMillis();
  const int64_t monotonic_ns = clock.MonotonicNanos();
  clock.AdvanceMillis(5);
  EXPECT_EQ(clock.UnixMillis(), wall_ms + 5);
  EXPECT_EQ(clock.MonotonicNanos(), monotonic_ns + 5'000'000);
  clock.StepWallMillis(-3'600'000);
  EXPECT_EQ(clock.UnixMillis(), wall_ms + 5 - 3'600'000);
  EXPECT_EQ(clock.MonotonicNanos(), monotonic_ns + 5'000'000);
}

}  // namespace
}  // namespace tidemark
