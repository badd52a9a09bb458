#include "wal/recovery_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidemark::wal {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

Positions At(std::vector<uint64_t> sequences) {
  Positions positions;
  for (const uint64_t sequence : sequences) positions.push_back({Sequence(sequence), sequence * 3});
  return positions;
}

// 1: two shards, left at {5, 6}. 2: its child, left at {9, 9}. 3: three shards.
Manifest Histories() {
  Manifest manifest;
  manifest.directory = DirectoryId(1);
  manifest.Add({HistoryId(1), 2, 0, HistoryId(), {}});
  manifest.Add({HistoryId(2), 2, 0, HistoryId(1), At({5, 6})});
  manifest.Add({HistoryId(3), 3, 0, HistoryId(2), At({9, 9})});
  return manifest;
}

SegmentInfo Segment(uint64_t number, uint64_t history, std::vector<uint64_t> before) {
  return {.number = number,
          .file_bytes = 100,
          .header = {.directory = DirectoryId(1),
                     .number = number,
                     .created_at_ms = 0,
                     .history = HistoryId(history),
                     .before = At(std::move(before))}};
}

std::vector<SegmentInfo> Segments() {
  return {Segment(1, 1, {0, 0}), Segment(2, 1, {4, 4}), Segment(3, 2, {5, 6}),
          Segment(4, 3, {0, 0, 0}), Segment(5, 3, {1, 1, 1})};
}

std::string Refusal(const Manifest& manifest, const std::vector<SegmentInfo>& segments,
                    const SnapshotInfo* snapshot = nullptr) {
  const absl::StatusOr<RecoveryPlan> plan = PlanRecovery(manifest, segments, snapshot);
  return plan.ok() ? "a plan" : std::string(plan.status().message());
}

TEST(RecoveryPlanTest, EachHistoryIsReadUpToWhereItsChildBegan) {
  const absl::StatusOr<RecoveryPlan> plan = PlanRecovery(Histories(), Segments(), nullptr);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_THAT(plan->legs, SizeIs(3));
  EXPECT_EQ(plan->legs[0].count, 2u);
  EXPECT_EQ(plan->legs[0].end, At({5, 6}));
  EXPECT_EQ(plan->legs[1].end, At({9, 9}));
  EXPECT_EQ(plan->legs[2].first, 3u);
  EXPECT_EQ(plan->legs[2].end, std::nullopt);
  EXPECT_EQ(plan->legs[2].base, Watermarks(3));
  EXPECT_FALSE(plan->unused_newest.has_value());
}

TEST(RecoveryPlanTest, ANewestHistoryWithoutASegmentWasNeverWrittenIn) {
  std::vector<SegmentInfo> segments = Segments();
  segments.resize(3);
  const absl::StatusOr<RecoveryPlan> plan = PlanRecovery(Histories(), segments, nullptr);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->unused_newest, Positions(3));
}

TEST(RecoveryPlanTest, AHistoryThatIsMissingIsNoticed) {
  std::vector<SegmentInfo> segments = {Segment(1, 1, {0, 0}), Segment(2, 3, {0, 0, 0})};
  EXPECT_THAT(Refusal(Histories(), segments), HasSubstr("history 0000000000000002"));
  EXPECT_THAT(Refusal(Histories(), {Segment(1, 1, {0, 0})}),
              HasSubstr("history 0000000000000002 are missing"));
  EXPECT_THAT(Refusal(Histories(), {}), HasSubstr("are missing"));
}

TEST(RecoveryPlanTest, ASegmentMustBeginWhereItsHistoryDid) {
  std::vector<SegmentInfo> segments = Segments();
  segments[2] = Segment(3, 2, {7, 7});
  EXPECT_THAT(Refusal(Histories(), segments), HasSubstr("is not the first of history"));
}

TEST(RecoveryPlanTest, HistoriesDoNotComeBack) {
  std::vector<SegmentInfo> segments = Segments();
  segments.push_back(Segment(6, 2, {9, 9}));
  EXPECT_THAT(Refusal(Histories(), segments), HasSubstr("an ancestor of the one before it"));
}

TEST(RecoveryPlanTest, TheFirstSegmentOfAllMustBeThere) {
  EXPECT_THAT(Refusal(Histories(), {Segment(2, 1, {4, 4})}), HasSubstr("no snapshot covers it"));
  EXPECT_THAT(Refusal(Histories(), {Segment(1, 1, {4, 4})}),
              HasSubstr("does not begin with the first frame"));
}

TEST(RecoveryPlanTest, AHistoryThatTheManifestForgotEndsWhereTheNextSegmentBegins) {
  Manifest manifest = Histories();
  manifest.histories.erase(manifest.histories.begin());
  manifest.histories[0].parent = HistoryId(1);
  manifest.histories[0].fork = At({5, 6});
  std::vector<SegmentInfo> segments = {Segment(1, 8, {0, 0}), Segment(2, 9, {2, 2}),
                                       Segment(3, 2, {5, 6}), Segment(4, 3, {0, 0, 0})};
  const absl::StatusOr<RecoveryPlan> plan = PlanRecovery(manifest, segments, nullptr);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->legs[0].end, At({2, 2}));
  EXPECT_EQ(plan->legs[1].end, At({5, 6}));
}

TEST(RecoveryPlanTest, ASnapshotStartsTheReplayAndWhatItHasIsSkipped) {
  SnapshotInfo snapshot{.number = 7,
                        .history = HistoryId(3),
                        .watermark = At({2, 1, 1}),
                        .complete_at = {Sequence(2), Sequence(3), Sequence(1)},
                        .first_segment = 5};
  const absl::StatusOr<RecoveryPlan> plan = PlanRecovery(Histories(), Segments(), &snapshot);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_THAT(plan->legs, SizeIs(1));
  EXPECT_EQ(plan->legs[0].first, 4u);
  EXPECT_EQ(plan->legs[0].skip_through, snapshot.watermark);
  EXPECT_EQ(plan->legs[0].base, snapshot.complete_at);

  snapshot.watermark = At({0, 1, 1});
  EXPECT_THAT(Refusal(Histories(), Segments(), &snapshot), HasSubstr("begins after 1"));
  snapshot.watermark = At({2, 1, 1});
  snapshot.watermark[1].digest = 99;
  EXPECT_THAT(Refusal(Histories(), Segments(), &snapshot), HasSubstr("not of the same stream"));
  snapshot.watermark = At({2, 1, 1});
  snapshot.history = HistoryId(2);
  EXPECT_THAT(Refusal(Histories(), Segments(), &snapshot), HasSubstr("is of history"));
  snapshot.history = HistoryId(3);
  snapshot.first_segment = 6;
  EXPECT_THAT(Refusal(Histories(), Segments(), &snapshot), HasSubstr("6.seg is missing"));
}

TEST(RecoveryPlanTest, ASnapshotBeyondTheEndOfItsHistoryIsRefused) {
  const SnapshotInfo snapshot{.number = 7,
                              .history = HistoryId(1),
                              .watermark = At({5, 5}),
                              .complete_at = {Sequence(5), Sequence(7)},
                              .first_segment = 2};
  EXPECT_THAT(Refusal(Histories(), Segments(), &snapshot), HasSubstr("beyond the end"));
}

}  // namespace
}  // namespace tidemark::wal
