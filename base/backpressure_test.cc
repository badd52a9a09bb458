#include "base/backpressure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

using testing::HasSubstr;
using testing::Optional;

constexpr auto kNormal = Pressure::kNormal;
constexpr auto kThrottled = Pressure::kThrottled;
constexpr auto kSuspended = Pressure::kSuspended;

TEST(PressureTest, AnUnknownNumberReadsAsSuspended) {
  EXPECT_EQ(PressureFromRaw(0), kNormal);
  EXPECT_EQ(PressureFromRaw(1), kThrottled);
  EXPECT_EQ(PressureFromRaw(2), kSuspended);
  EXPECT_EQ(PressureFromRaw(3), kSuspended);
  EXPECT_EQ(PressureFromRaw(255), kSuspended);
}

struct ThresholdsCase {
  std::string_view name;
  PressureThresholds thresholds;
  std::string_view complaint;  // Empty: they are valid.
};

TEST(PressureThresholdsTest, AreHeldToTheirRules) {
  const std::vector<ThresholdsCase> cases = {
      {"Defaults", {85, 75, 95, 85}, ""},
      {"BothStatesAlike", {90, 80, 90, 80}, ""},
      {"WidestPossible", {100, 0, 100, 0}, ""},
      {"ThrottleExitAtEnter", {85, 85, 95, 90}, "throttle exit"},
      {"ThrottleExitAboveEnter", {85, 90, 95, 92}, "throttle exit"},
      {"SuspendExitAtEnter", {85, 75, 95, 95}, "suspend exit"},
      {"ThrottleEnterAboveSuspendEnter", {96, 75, 95, 85}, "above suspend enter"},
      {"ThrottleExitAboveSuspendExit", {85, 80, 95, 70}, "above suspend exit"},
      {"Above100", {85, 75, 101, 85}, "above 100"},
      {"Below0", {85, -1, 95, 85}, "below 0"},
  };
  for (const ThresholdsCase& c : cases) {
    const absl::Status status = Validate(c.thresholds);
    EXPECT_EQ(status.ok(), c.complaint.empty()) << c.name << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(c.complaint))) << c.name;
  }
}

TEST(BackpressureControllerTest, AnswersOnlyOnAChange) {
  BackpressureController controller{PressureThresholds()};
  EXPECT_EQ(controller.Update(0), std::nullopt);
  EXPECT_EQ(controller.Update(84), std::nullopt);
  EXPECT_THAT(controller.Update(85), Optional(kThrottled));
  EXPECT_EQ(controller.Update(86), std::nullopt);
  EXPECT_EQ(controller.Update(80), std::nullopt);
  EXPECT_EQ(controller.Update(75), std::nullopt);
  EXPECT_THAT(controller.Update(74), Optional(kNormal));
  EXPECT_EQ(controller.Update(74), std::nullopt);
}

TEST(BackpressureControllerTest, AJumpToSuspendedIsNotCountedAsThrottled) {
  BackpressureController controller{PressureThresholds()};
  EXPECT_THAT(controller.Update(96), Optional(kSuspended));
  EXPECT_EQ(controller.throttled_total(), 0u);
  EXPECT_EQ(controller.suspended_total(), 1u);
}

TEST(BackpressureControllerTest, LeavesSuspendedOneStepAtATimeOrAtOnce) {
  BackpressureController controller{PressureThresholds()};
  controller.Update(95);
  EXPECT_EQ(controller.Update(85), std::nullopt);
  EXPECT_THAT(controller.Update(84), Optional(kThrottled));
  EXPECT_EQ(controller.throttled_total(), 1u) << "the way down counts as well";
  EXPECT_THAT(controller.Update(100), Optional(kSuspended));
  EXPECT_THAT(controller.Update(50), Optional(kNormal));
  EXPECT_EQ(controller.suspended_total(), 2u);
}

// The obvious rule, written the other way round, for every state and level.
TEST(BackpressureControllerTest, FollowsTheRuleFromEveryStateAtEveryLevel) {
  const PressureThresholds t = {
      .throttle_enter = 60, .throttle_exit = 40, .suspend_enter = 90, .suspend_exit = 50};
  for (int percent = -1; percent <= 120; ++percent) {
    EXPECT_EQ(NextPressure(kNormal, percent, t), percent < 60   ? kNormal
                                                 : percent < 90 ? kThrottled
                                                                : kSuspended);
    EXPECT_EQ(NextPressure(kThrottled, percent, t), percent < 40   ? kNormal
                                                    : percent < 90 ? kThrottled
                                                                   : kSuspended);
    EXPECT_EQ(NextPressure(kSuspended, percent, t), percent < 40   ? kNormal
                                                    : percent < 50 ? kThrottled
                                                                   : kSuspended);
  }
}

TEST(BackpressureControllerTest, ALiveChangeIsTakenWholeOrNotAtAll) {
  BackpressureController controller{PressureThresholds()};
  EXPECT_FALSE(controller.thresholds().Set({.throttle_enter = 50, .throttle_exit = 50}).ok());
  EXPECT_EQ(controller.thresholds().Get(), PressureThresholds());
  EXPECT_EQ(controller.Update(60), std::nullopt);

  const PressureThresholds lower = {
      .throttle_enter = 50, .throttle_exit = 40, .suspend_enter = 70, .suspend_exit = 60};
  EXPECT_TRUE(controller.thresholds().Set(lower).ok());
  EXPECT_EQ(controller.thresholds().Get(), lower);
  EXPECT_EQ(controller.state(), kNormal) << "until the next update";
  EXPECT_THAT(controller.Update(60), Optional(kThrottled));
}

TEST(BackpressureControllerDeathTest, RefusesToBeginWithBadThresholds) {
  EXPECT_DEATH(BackpressureController({.throttle_enter = 50, .throttle_exit = 60}), "CHECK failed");
}

TEST(UtilisationPercentTest, RoundsDownAndFailsSafe) {
  EXPECT_EQ(UtilisationPercent(0, 1000), 0);
  EXPECT_EQ(UtilisationPercent(849, 1000), 84);
  EXPECT_EQ(UtilisationPercent(999, 1000), 99);
  EXPECT_EQ(UtilisationPercent(1000, 1000), 100);
  EXPECT_EQ(UtilisationPercent(5000, 1000), 100);
  EXPECT_EQ(UtilisationPercent(0, 0), 100);
  EXPECT_EQ(UtilisationPercent(uint64_t{1} << 50, uint64_t{1} << 51), 50);
}

// Feeder and drainer both update. A transition seen by both, or by neither, would break the balance
// between what the calls answered and what was counted.
TEST(BackpressureControllerTest, TwoUpdatersSeeEachTransitionOnce) {
  BackpressureController controller{PressureThresholds()};
  std::atomic<uint64_t> throttled{0};
  std::atomic<uint64_t> suspended{0};
  std::vector<std::thread> updaters;
  for (int offset : {0, 37}) {
    updaters.emplace_back([&, offset] {
      for (int i = 0; i < 20'000; ++i) {
        const std::optional<Pressure> now = controller.Update((i * 13 + offset) % 101);
        if (now == kThrottled) ++throttled;
        if (now == kSuspended) ++suspended;
      }
    });
  }
  for (std::thread& updater : updaters) updater.join();
  EXPECT_EQ(controller.throttled_total(), throttled);
  EXPECT_EQ(controller.suspended_total(), suspended);
  EXPECT_GT(suspended, 0u);
}

}  // namespace
}  // namespace tidemark
