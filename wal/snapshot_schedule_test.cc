#include "wal/snapshot_schedule.h"

#include <gtest/gtest.h>

namespace tidemark::wal {
namespace {

constexpr Pressure kNormal = Pressure::kNormal;
constexpr Pressure kThrottled = Pressure::kThrottled;

class SnapshotScheduleTest : public testing::Test {
 protected:
  // Begins and ends one that covers `writes`.
  void TakeOne(int64_t now_ms, uint64_t writes) {
    schedule.OnBegun(now_ms, writes);
    schedule.OnSucceeded();
  }

  SnapshotSchedule schedule{{.every_ms = 1000,
                             .min_writes = 10,
                             .first_backoff_ms = 100,
                             .max_backoff_ms = 1000,
                             .max_deferral_ms = 500},
                            /*now_ms=*/0,
                            /*writes_covered=*/5};
};

TEST_F(SnapshotScheduleTest, NeedsBothTheTimeAndTheWrites) {
  EXPECT_FALSE(schedule.Due(999, 100, kNormal));
  EXPECT_FALSE(schedule.Due(1000, 14, kNormal));
  EXPECT_TRUE(schedule.Due(1000, 15, kNormal));
  TakeOne(1200, 20);
  EXPECT_FALSE(schedule.Due(2199, 30, kNormal));
  EXPECT_FALSE(schedule.Due(2200, 29, kNormal));
  EXPECT_TRUE(schedule.Due(2200, 30, kNormal));
}

TEST_F(SnapshotScheduleTest, CoversWhatWasWrittenWhenItBegan) {
  schedule.OnBegun(0, 50);
  EXPECT_EQ(schedule.Uncovered(60), 55u);  // Not before it is complete.
  schedule.OnSucceeded();
  EXPECT_EQ(schedule.Uncovered(60), 10u);
  EXPECT_EQ(schedule.Uncovered(50), 0u);
  EXPECT_EQ(schedule.Uncovered(40), 0u);  // Counted before it began.
}

TEST_F(SnapshotScheduleTest, OneAtATime) {
  schedule.OnBegun(0, 50);
  schedule.Ask();
  EXPECT_FALSE(schedule.Due(5000, 100, kNormal));
  schedule.OnSucceeded();
  EXPECT_TRUE(schedule.Due(5000, 50, kNormal));
  TakeOne(5000, 50);
  EXPECT_FALSE(schedule.Due(5000, 50, kNormal));  // Asking once begins one.
}

TEST_F(SnapshotScheduleTest, WhoAsksWaitsForNothing) {
  schedule.OnBegun(0, 5);
  schedule.OnFailed(0);
  schedule.Ask();
  EXPECT_TRUE(schedule.Due(0, 5, kThrottled));
}

TEST_F(SnapshotScheduleTest, ZeroIntervalMeansOnlyWhenAsked) {
  schedule.set_every_ms(0);
  EXPECT_FALSE(schedule.Due(1'000'000, 1'000'000, kNormal));
  schedule.Ask();
  EXPECT_TRUE(schedule.Due(1'000'000, 1'000'000, kNormal));
}

TEST_F(SnapshotScheduleTest, PressurePutsItOffButNotForEver) {
  EXPECT_FALSE(schedule.Due(1000, 100, kThrottled));
  EXPECT_FALSE(schedule.Due(1499, 100, Pressure::kSuspended));
  EXPECT_EQ(schedule.deferrals(), 1u);
  EXPECT_TRUE(schedule.Due(1500, 100, kThrottled));
  TakeOne(1500, 100);
  EXPECT_FALSE(schedule.Due(2500, 200, kThrottled));
  EXPECT_TRUE(schedule.Due(2600, 200, kNormal));
  EXPECT_FALSE(schedule.Due(2700, 200, kThrottled));  // Counted anew.
  EXPECT_EQ(schedule.deferrals(), 3u);
}

TEST_F(SnapshotScheduleTest, WhoAsksGentlyWaitsForPressureToEnd) {
  schedule.AskGently();
  EXPECT_FALSE(schedule.Due(0, 5, kThrottled));
  EXPECT_TRUE(schedule.Due(10, 5, kNormal));
}

TEST_F(SnapshotScheduleTest, FailuresBackOffAndSuccessForgetsThem) {
  for (const int64_t backoff_ms : {100, 200, 400, 800, 1000, 1000}) {
    schedule.OnBegun(2000, 100);
    schedule.OnFailed(3000);
    EXPECT_EQ(schedule.backoff_ms(), backoff_ms);
    EXPECT_FALSE(schedule.Due(3000 + backoff_ms - 1, 100, kNormal));
    EXPECT_TRUE(schedule.Due(3000 + backoff_ms, 100, kNormal));
  }
  for (int i = 0; i < 100; ++i) {
    schedule.OnBegun(0, 100);
    schedule.OnFailed(0);
  }
  EXPECT_EQ(schedule.backoff_ms(), 1000);
  EXPECT_EQ(schedule.Uncovered(100), 95u);
  TakeOne(5000, 100);
  EXPECT_EQ(schedule.failures_in_row(), 0);
  EXPECT_FALSE(schedule.Due(5999, 200, kNormal));
  EXPECT_TRUE(schedule.Due(6000, 200, kNormal));
}

TEST_F(SnapshotScheduleTest, AFailureIsNotTriedAgainWithoutNeed) {
  schedule.Ask();
  schedule.OnBegun(0, 5);
  schedule.OnFailed(0);
  EXPECT_FALSE(schedule.Due(5000, 14, kNormal));
}

}  // namespace
}  // namespace tidemark::wal
