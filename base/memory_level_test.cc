#include "base/memory_level.h"

#include <gtest/gtest.h>

#include "base/backpressure.h"

namespace tidemark {
namespace {

TEST(MemoryLevelTest, ALevelBeginsAtItsPercent) {
  EXPECT_EQ(MemoryLevelOf(69), MemoryLevel::kNormal);
  EXPECT_EQ(MemoryLevelOf(70), MemoryLevel::kWarning);
  EXPECT_EQ(MemoryLevelOf(84), MemoryLevel::kWarning);
  EXPECT_EQ(MemoryLevelOf(85), MemoryLevel::kCritical);
  EXPECT_EQ(MemoryLevelOf(94), MemoryLevel::kCritical);
  EXPECT_EQ(MemoryLevelOf(95), MemoryLevel::kEmergency);
}

TEST(MemoryLevelTest, TheUpperLevelsBeginWhereBackpressureDoes) {
  const PressureThresholds thresholds;
  EXPECT_EQ(MemoryLevelOf(thresholds.throttle_enter), MemoryLevel::kCritical);
  EXPECT_EQ(MemoryLevelOf(thresholds.suspend_enter), MemoryLevel::kEmergency);
}

}  // namespace
}  // namespace tidemark
