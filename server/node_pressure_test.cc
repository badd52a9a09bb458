#include "server/node_pressure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidemark::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NodePressureTest : public testing::Test {
 protected:
  std::vector<std::string> Fill(PressureInput input, int percent) {
    sample_[input] = percent;
    return pressure_.Update(sample_, now_ms_);
  }
  std::vector<std::string> Pass(int64_t ms) { return pressure_.Update(sample_, now_ms_ += ms); }
  Action write() const { return pressure_.Decide(Work::kWrite); }
  Action del() const { return pressure_.Decide(Work::kDelete); }
  Action read() const { return pressure_.Decide(Work::kRead); }

  int64_t now_ms_ = 1'000;
  NodePressure::Sample sample_;
  NodePressure pressure_{PressureThresholds()};
};

TEST_F(NodePressureTest, NothingIsAskedWhileAllIsNormal) {
  EXPECT_THAT(Fill(PressureInput::kLogBytes, 84), IsEmpty());
  EXPECT_FALSE(pressure_.acts());
  EXPECT_EQ(write(), Action::kAdmit);
  EXPECT_EQ(pressure_.View().cause, "");
}

TEST_F(NodePressureTest, EachChangeIsToldOnceWithItsCause) {
  EXPECT_THAT(Fill(PressureInput::kLogBytes, 90),
              ElementsAre("pressure: log_bytes is throttled (90 %); the node is throttled by "
                          "log_bytes"));
  EXPECT_THAT(Fill(PressureInput::kLogBytes, 91), IsEmpty());
  EXPECT_THAT(Fill(PressureInput::kLogBytes, 10),
              ElementsAre("pressure: log_bytes is normal (10 %); the node is normal"));
  EXPECT_EQ(pressure_.View().inputs[1].throttled_total, 1u);
}

TEST_F(NodePressureTest, ASlowDiskFirstDelaysWritesThenRefusesThemAndRecoversByItself) {
  sample_.stall_ms = 5'000;
  Fill(PressureInput::kLogBytes, 97);
  EXPECT_EQ(write(), Action::kDelay);
  EXPECT_EQ(del(), Action::kDelay);
  EXPECT_EQ(read(), Action::kLimit);
  EXPECT_THAT(Pass(4'999), IsEmpty());
  EXPECT_EQ(write(), Action::kDelay);
  EXPECT_THAT(Pass(1), ElementsAre(HasSubstr("writes are refused")));
  EXPECT_EQ(write(), Action::kRefuse);
  EXPECT_EQ(read(), Action::kLimit);
  EXPECT_EQ(pressure_.Refusal(),
            "BUSYTIDE writes are refused: log_bytes is suspended (97 %) and did not recover within "
            "5000 ms; reads go on");
  EXPECT_EQ(Fill(PressureInput::kLogBytes, 60).size(), 2u);
  EXPECT_EQ(write(), Action::kAdmit);
  EXPECT_FALSE(pressure_.View().stalled);
  EXPECT_EQ(pressure_.View().stalls, 1u);
  // A new suspension has all its time again.
  Fill(PressureInput::kLogBytes, 97);
  EXPECT_EQ(write(), Action::kDelay);
}

TEST_F(NodePressureTest, AReplicaThatLagsPausesWritesMoreAndMoreBeforeTheyWait) {
  Fill(PressureInput::kReplicaLag, 84);
  EXPECT_EQ(pressure_.write_pause_ms(), 0);
  Fill(PressureInput::kReplicaLag, 85);
  const int64_t first_ms = pressure_.write_pause_ms();
  EXPECT_GE(first_ms, NodePressure::kShortestPauseMs);
  EXPECT_TRUE(pressure_.acts());
  EXPECT_EQ(write(), Action::kLimit) << "paused, and not held";
  Fill(PressureInput::kReplicaLag, 94);
  EXPECT_GT(pressure_.write_pause_ms(), first_ms);
  EXPECT_LE(pressure_.write_pause_ms(), NodePressure::kLongestPauseMs);
  Fill(PressureInput::kReplicaLag, 95);
  EXPECT_EQ(write(), Action::kDelay);
  EXPECT_EQ(del(), Action::kLimit);
  EXPECT_THAT(Pass(1'000'000), IsEmpty()) << "a replica that stands still is cut, not waited for";
  EXPECT_EQ(write(), Action::kDelay);
}

TEST_F(NodePressureTest, AShortageRefusesAndNamesItself) {
  Fill(PressureInput::kMemory, 99);
  EXPECT_EQ(write(), Action::kRefuse);
  EXPECT_EQ(del(), Action::kLimit);
  EXPECT_EQ(pressure_.Decide(Work::kAdmin), Action::kAdmit);
  EXPECT_EQ(pressure_.Refusal(),
            "BUSYTIDE writes are refused: memory is suspended (99 %); reads go on");
}

TEST_F(NodePressureTest, AReplicaThatReadsSlowlyIsShownAndHoldsUpNoClient) {
  EXPECT_EQ(Fill(PressureInput::kSubscriberQueue, 100).size(), 1u);
  EXPECT_EQ(pressure_.View().cause, "subscriber_queue");
  EXPECT_FALSE(pressure_.acts());
  EXPECT_EQ(pressure_.Decide(Work::kHousekeeping), Action::kDelay);
}

ReplicaReport Replica(uint64_t lag_records, int64_t lag_ms, const char* state = "online") {
  ReplicaReport report;
  report.state = state;
  report.lag_records = lag_records;
  report.lag_ms = lag_ms;
  return report;
}

TEST(ReplicaLagPercentTest, TheWorstOfTheRequiredBestCounts) {
  const std::vector<ReplicaReport> replicas = {Replica(10, 0), Replica(900, 0), Replica(50, 0)};
  EXPECT_EQ(ReplicaLagPercent(replicas, {.records = 1'000, .ms = 0, .required = 1}), 1);
  EXPECT_EQ(ReplicaLagPercent(replicas, {.records = 1'000, .ms = 0, .required = 2}), 5);
  EXPECT_EQ(ReplicaLagPercent(replicas, {.records = 1'000, .ms = 0, .required = 3}), 90);
}

TEST(ReplicaLagPercentTest, OfRecordsAndTimeTheWorseCounts) {
  EXPECT_EQ(ReplicaLagPercent({Replica(100, 800)}, {.records = 1'000, .ms = 1'000}), 80);
  EXPECT_EQ(ReplicaLagPercent({Replica(100, 800)}, {.records = 1'000, .ms = 0}), 10);
  EXPECT_EQ(ReplicaLagPercent({Replica(5'000, 800)}, {.records = 1'000, .ms = 0}), 100);
}

TEST(ReplicaLagPercentTest, NobodyIsWaitedForWhoDoesNotStream) {
  EXPECT_EQ(ReplicaLagPercent({}, {.records = 10}), 0);
  EXPECT_EQ(ReplicaLagPercent({Replica(99, 0, "snapshot")}, {.records = 10}), 0);
  EXPECT_EQ(ReplicaLagPercent({Replica(99, 0)}, {.records = 10, .ms = 0, .required = 2}), 0);
  EXPECT_EQ(ReplicaLagPercent({Replica(99, 99)}, {}), 0) << "no limit";
}

TEST(WorkOfWriteTest, WhatCanOnlyFreeIsADelete) {
  EXPECT_EQ(WorkOfWrite("del"), Work::kDelete);
  EXPECT_EQ(WorkOfWrite("flushall"), Work::kDelete);
  EXPECT_EQ(WorkOfWrite("set"), Work::kWrite);
}

}  // namespace
}  // namespace tidemark::server
