#include "tier/demotion_admission.h"

#include <gtest/gtest.h>

#include <string>

#include "base/key_hash.h"

namespace tidemark::tier {
namespace {

using Decision = DemotionAdmission::Decision;

constexpr int64_t kSecond = 1'000'000'000;

uint64_t Key(int i) { return KeyHash("key:" + std::to_string(i)); }

TEST(ByteBudgetTest, LetsThroughWhatTimeHasEarned) {
  ByteBudget budget(1000);
  int64_t now = 5 * kSecond;
  uint64_t spent = 0;
  for (const int64_t end = now + 10 * kSecond; now < end; now += kSecond / 100) {
    while (budget.MaySpend(now)) {
      budget.Spend(7, now);
      spent += 7;
    }
  }
  EXPECT_GE(spent, 10'000u);
  EXPECT_LE(spent, 10'200u);  // And a tenth of a second that was saved before.
}

TEST(ByteBudgetTest, ALargePieceIsFollowedByItsPause) {
  ByteBudget budget(1000);
  EXPECT_TRUE(budget.MaySpend(kSecond));
  budget.Spend(600, kSecond);  // 100 were there.
  EXPECT_FALSE(budget.MaySpend(kSecond));
  const int64_t pause = budget.NanosUntilMaySpend(kSecond);
  EXPECT_GE(pause, kSecond / 2);
  EXPECT_FALSE(budget.MaySpend(kSecond + pause / 2));
  EXPECT_TRUE(budget.MaySpend(kSecond + pause));
}

TEST(ByteBudgetTest, DebtIsAtMostASecond) {
  ByteBudget budget(1000);
  for (int i = 0; i < 100; ++i) budget.Spend(uint64_t{1} << 40, kSecond);
  EXPECT_TRUE(budget.MaySpend(kSecond + kSecond + kSecond / 100));
}

TEST(ByteBudgetTest, APauseIsNotSaved) {
  ByteBudget budget(1000);
  budget.Spend(100, kSecond);
  EXPECT_TRUE(budget.MaySpend(100 * kSecond));
  budget.Spend(100, 100 * kSecond);
  EXPECT_FALSE(budget.MaySpend(100 * kSecond));
}

TEST(ByteBudgetTest, ZeroIsNoLimitAndAClockThatStepsBackHarmsNothing) {
  ByteBudget free(0);
  free.Spend(uint64_t{1} << 60, kSecond);
  EXPECT_TRUE(free.MaySpend(kSecond));
  ByteBudget budget(1000);
  budget.Spend(200, 10 * kSecond);
  EXPECT_FALSE(budget.MaySpend(kSecond));
  EXPECT_TRUE(budget.MaySpend(11 * kSecond));
}

TEST(DemotionAdmissionTest, AdmitsEverythingUnlessAskedToReject) {
  DemotionAdmission admission({});
  EXPECT_EQ(admission.Decide(Key(1), false, kSecond), Decision::kAdmit);
}

TEST(DemotionAdmissionTest, AKeyIsAdmittedAtItsSecondTry) {
  DemotionAdmission admission({.on_second_try = true});
  EXPECT_EQ(admission.Decide(Key(1), false, kSecond), Decision::kFirstTry);
  EXPECT_EQ(admission.Decide(Key(2), false, kSecond), Decision::kFirstTry);
  EXPECT_EQ(admission.Decide(Key(1), false, kSecond), Decision::kAdmit);
}

TEST(DemotionAdmissionTest, OneHitWondersAreRejectedAndTheFilterDoesNotFillUp) {
  DemotionAdmission admission({.on_second_try = true, .doorkeeper_keys = 1000});
  int admitted = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (admission.Decide(Key(i), false, kSecond) == Decision::kAdmit) ++admitted;
  }
  // False positives of two generations: 2 * (3 * 1000 / 8192)^3 at the fullest, half of it on
  // average.
  EXPECT_LT(admitted, 8'000);
}

TEST(DemotionAdmissionTest, AKeyIsRememberedForAGenerationAtLeast) {
  DemotionAdmission admission({.on_second_try = true, .doorkeeper_keys = 1000});
  for (int i = 0; i < 990; ++i) (void)admission.Decide(Key(i), false, kSecond);
  (void)admission.Decide(Key(-1), false, kSecond);
  for (int i = 2000; i < 2900; ++i) (void)admission.Decide(Key(i), false, kSecond);
  EXPECT_EQ(admission.Decide(Key(-1), false, kSecond), Decision::kAdmit);
}

TEST(DemotionAdmissionTest, WhatIsUrgentPassesAndIsCharged) {
  DemotionAdmission admission({.on_second_try = true, .bytes_per_second = 1000});
  EXPECT_EQ(admission.Decide(Key(1), true, kSecond), Decision::kAdmit);
  admission.Charge(500, kSecond);
  EXPECT_EQ(admission.Decide(Key(1), true, kSecond), Decision::kAdmit);
  EXPECT_EQ(admission.Decide(Key(1), false, kSecond), Decision::kTooFast);
}

TEST(DemotionAdmissionTest, WhatCameTooFastIsNotRemembered) {
  DemotionAdmission admission({.on_second_try = true, .bytes_per_second = 1000});
  admission.Charge(500, kSecond);
  EXPECT_EQ(admission.Decide(Key(1), false, kSecond), Decision::kTooFast);
  EXPECT_EQ(admission.Decide(Key(1), false, 3 * kSecond), Decision::kFirstTry);
}

}  // namespace
}  // namespace tidemark::tier
