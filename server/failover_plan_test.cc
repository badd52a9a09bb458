#include "server/failover_plan.h"

#include <gtest/gtest.h>

namespace tidemark::server {
namespace {

using Step = FailoverPlan::Step;
using Target = FailoverPlan::Target;

constexpr Target kFar = {.online = true, .lag_records = 1'000'000, .has_all = false};
constexpr Target kNear = {.online = true, .lag_records = 10, .has_all = false};
constexpr Target kThere = {.online = true, .lag_records = 0, .has_all = true};
constexpr Target kGone = {.online = false, .lag_records = 0, .has_all = true};

FailoverPlan::Options Within(int64_t timeout_ms, bool force = false) {
  return {.timeout_ms = timeout_ms, .force = force, .near_records = 100};
}

TEST(FailoverPlanTest, WritesArePausedOnlyOnceTheTargetIsNear) {
  FailoverPlan plan(Within(1'000), 0);
  EXPECT_EQ(plan.Next(kFar, 10), Step::kWait);
  EXPECT_EQ(plan.Next(kNear, 20), Step::kPause);
  EXPECT_EQ(plan.Next(kNear, 30), Step::kWait);
  EXPECT_EQ(plan.Next(kThere, 40), Step::kEndStream);
  EXPECT_EQ(plan.Next(kNear, 50), Step::kWait);
  EXPECT_EQ(plan.Next(kThere, 60), Step::kPromote);
}

TEST(FailoverPlanTest, ATimeoutAtAnyStageGivesUp) {
  for (int stage = 0; stage < 3; ++stage) {
    FailoverPlan plan(Within(1'000), 500);
    if (stage > 0) {
      EXPECT_EQ(plan.Next(kNear, 600), Step::kPause);
    }
    if (stage > 1) {
      EXPECT_EQ(plan.Next(kThere, 600), Step::kEndStream);
    }
    EXPECT_EQ(plan.Next(kFar, 1'499), Step::kWait) << stage;
    EXPECT_EQ(plan.Next(kThere, 1'500), Step::kGiveUp) << stage;
    EXPECT_NE(plan.why(), "") << stage;
    EXPECT_EQ(plan.Next(kThere, 1'501), Step::kWait) << "nothing more comes";
  }
}

TEST(FailoverPlanTest, ForceEndsTheStreamBeforeItTellsTheTarget) {
  FailoverPlan plan(Within(1'000, /*force=*/true), 0);
  EXPECT_EQ(plan.Next(kFar, 999), Step::kWait);
  EXPECT_EQ(plan.Next(kFar, 1'000), Step::kPause);
  EXPECT_EQ(plan.Next(kFar, 1'001), Step::kEndStream);
  EXPECT_EQ(plan.Next(kFar, 1'002), Step::kForce);
}

TEST(FailoverPlanTest, ForceChangesNothingForATargetThatIsThereInTime) {
  FailoverPlan plan(Within(1'000, /*force=*/true), 0);
  EXPECT_EQ(plan.Next(kThere, 1), Step::kPause);
  EXPECT_EQ(plan.Next(kThere, 2), Step::kEndStream);
  EXPECT_EQ(plan.Next(kThere, 3), Step::kPromote);
}

TEST(FailoverPlanTest, ATargetThatGoesAwayEndsIt) {
  FailoverPlan plan(Within(1'000, /*force=*/true), 0);
  EXPECT_EQ(plan.Next(kNear, 1), Step::kPause);
  EXPECT_EQ(plan.Next(kGone, 2), Step::kGiveUp);
}

}  // namespace
}  // namespace tidemark::server
