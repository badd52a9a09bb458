// The parking protocol loses no wake in any interleaving, and each of its parts is needed: without
// it the explorer finds the interleaving that loses one.
#include "base/parking_model.h"

#include <gtest/gtest.h>

#include <string>

namespace tidemark::parking_model {
namespace {

class ParkingModelTest : public testing::TestWithParam<Workload> {};

TEST_P(ParkingModelTest, LosesNoWakeAndSignalsOnceAPark) {
  const Outcome outcome = ExploreEveryInterleaving(Protocol(), GetParam());
  EXPECT_FALSE(outcome.lost_wake) << outcome.lost_wake.value_or("");
  EXPECT_FALSE(outcome.double_wake) << outcome.double_wake.value_or("");
  RecordProperty("states", static_cast<int>(outcome.states));
}

INSTANTIATE_TEST_SUITE_P(Workloads, ParkingModelTest,
                         testing::Values(Workload{1, 1}, Workload{1, 2}, Workload{1, 5},
                                         Workload{2, 1}, Workload{2, 2}, Workload{2, 3},
                                         Workload{3, 1}, Workload{3, 2}),
                         [](const testing::TestParamInfo<Workload>& info) {
                           return std::to_string(info.param.senders) + "SendersPush" +
                                  std::to_string(info.param.pushes);
                         });

TEST(ParkingModelMutationTest, WithoutTheOwnersFenceAWakeIsLost) {
  EXPECT_TRUE(ExploreEveryInterleaving({.owner_fence = false}, {1, 1}).lost_wake);
}

TEST(ParkingModelMutationTest, WithoutTheSecondLookAWakeIsLost) {
  EXPECT_TRUE(ExploreEveryInterleaving({.second_look = false}, {1, 1}).lost_wake);
}

TEST(ParkingModelMutationTest, WithoutTheSendersFenceAWakeIsLost) {
  EXPECT_TRUE(ExploreEveryInterleaving({.sender_fence = false}, {1, 1}).lost_wake);
}

TEST(ParkingModelMutationTest, WithoutTheClaimTwoSendersSignalOnePark) {
  const Outcome outcome = ExploreEveryInterleaving({.claim = false}, {2, 1});
  EXPECT_TRUE(outcome.double_wake);
  EXPECT_FALSE(outcome.lost_wake) << outcome.lost_wake.value_or("");
}

}  // namespace
}  // namespace tidemark::parking_model
