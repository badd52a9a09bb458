#include "wal/pruner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "wal/data_directory.h"
#include "wal/disk/simulated_disk.h"
#include "wal/snapshot_chunks.h"
#include "wal/snapshot_writer.h"

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// --- What to delete ---

TEST(PlanPruneTest, NothingBeforeThereAreEnough) {
  EXPECT_THAT(PlanPrune({}, 2).snapshots, IsEmpty());
  EXPECT_EQ(PlanPrune({}, 2).segment_floor, 0u);
  const PrunePlan plan = PlanPrune({{.number = 1, .first_segment = 5, .whole = true}}, 2);
  EXPECT_THAT(plan.snapshots, IsEmpty());
  EXPECT_EQ(plan.segment_floor, 0u);
}

TEST(PlanPruneTest, KeepsTheNewestAndTheLogFromTheOldestKept) {
  const std::vector<SnapshotOnDisk> snapshots = {
      {1, 2, true}, {2, 4, true}, {3, 6, true}, {5, 9, true}};
  EXPECT_THAT(PlanPrune(snapshots, 2).snapshots, ElementsAre(1, 2));
  EXPECT_EQ(PlanPrune(snapshots, 2).segment_floor, 6u);
  EXPECT_THAT(PlanPrune(snapshots, 1).snapshots, ElementsAre(1, 2, 3));
  EXPECT_EQ(PlanPrune(snapshots, 1).segment_floor, 9u);
}

TEST(PlanPruneTest, WhatIsDamagedDoesNotCountAndGoesOnceAWholeOneIsNewer) {
  EXPECT_THAT(PlanPrune({{1, 2, true}, {2, 4, true}, {3, 0, false}}, 2).snapshots, IsEmpty());
  EXPECT_EQ(PlanPrune({{1, 2, true}, {2, 4, true}, {3, 0, false}}, 2).segment_floor, 2u);
  const PrunePlan plan = PlanPrune({{1, 2, true}, {2, 0, false}, {3, 4, true}}, 2);
  EXPECT_THAT(plan.snapshots, ElementsAre(2));
  EXPECT_EQ(plan.segment_floor, 2u);
  EXPECT_EQ(PlanPrune({{1, 0, false}}, 1).segment_floor, 0u);
}

// --- Doing it ---

class PrunerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = DataDirectory::Open(disk, "/data", DirectoryId(0xd1));
    ASSERT_TRUE(opened.ok()) << opened.status();
    directory = *std::move(opened);
    for (uint64_t number = 1; number <= 9; ++number) {
      disk.SetContents(directory->SegmentPath(number), std::string(100, 's'));
    }
  }
  void WriteSnapshot(uint64_t number, uint64_t first_segment) {
    auto writer = SnapshotWriter::Create(*directory,
                                         {.number = number,
                                          .history = HistoryId(7),
                                          .shard_count = 1,
                                          .first_segment = first_segment,
                                          .begun_at_ms = 0},
                                         {});
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (const FrameRef& chunk : MakeChunks({}, 3)) {
      ASSERT_TRUE((*writer)->Add(*chunk, Sequence()).ok());
    }
    ASSERT_TRUE((*writer)->SyncFiles().ok());
    ASSERT_TRUE((*writer)->Finish({Sequence()}, 0).ok());
  }
  Pruner::Pruned Prune(size_t keep = 2) {
    Pruner pruner(*directory, retention, {.keep_snapshots = keep});
    const auto pruned = pruner.Run();
    EXPECT_TRUE(pruned.ok()) << pruned.status();
    return pruned.value_or(Pruner::Pruned());
  }

  SimulatedDisk disk{1};
  std::unique_ptr<DataDirectory> directory;
  Retention retention;
};

TEST_F(PrunerTest, DeletesWhatTheNewestTwoSnapshotsDoNotNeed) {
  WriteSnapshot(1, 2);
  EXPECT_EQ(Prune().segments, 0u);
  WriteSnapshot(2, 4);
  EXPECT_EQ(Prune().segments, 1u);
  WriteSnapshot(3, 7);
  const Pruner::Pruned pruned = Prune();
  EXPECT_EQ(pruned.snapshots, 1u);
  EXPECT_EQ(pruned.segments, 2u);
  EXPECT_EQ(pruned.segment_bytes, 200u);
  EXPECT_THAT(*directory->ListSnapshots(), ElementsAre(2, 3));
  EXPECT_THAT(*directory->ListSegments(), ElementsAre(4, 5, 6, 7, 8, 9));
  EXPECT_EQ(Prune().segments, 0u);
}

TEST_F(PrunerTest, KeepsWhatAReaderNeedsUpToItsCap) {
  WriteSnapshot(1, 6);
  const auto reader = retention.Register({.name = "r", .cap_bytes = 200, .on_lost = nullptr}, 4);
  EXPECT_EQ(Prune(1).segments, 3u);
  EXPECT_THAT(*directory->ListSegments(), ElementsAre(4, 5, 6, 7, 8, 9));
  EXPECT_FALSE(reader->lost());
  WriteSnapshot(2, 7);
  EXPECT_EQ(Prune(1).segments, 3u);
  EXPECT_TRUE(reader->lost());
}

TEST_F(PrunerTest, NeverTakesTheNewestSegment) {
  WriteSnapshot(1, 100);
  EXPECT_EQ(Prune(1).segments, 8u);
  EXPECT_THAT(*directory->ListSegments(), ElementsAre(9));
}

TEST_F(PrunerTest, ADamagedSnapshotIsNotReliedOn) {
  WriteSnapshot(1, 3);
  WriteSnapshot(2, 6);
  disk.SetContents(directory->SnapshotPath(2) + "/MANIFEST", "junk");
  EXPECT_EQ(Prune(1).segments, 2u);
  EXPECT_THAT(*directory->ListSnapshots(), ElementsAre(1, 2));
  WriteSnapshot(3, 7);
  Prune(1);
  EXPECT_THAT(*directory->ListSnapshots(), ElementsAre(3));
}

TEST_F(PrunerTest, WhatAnErrorLeavesTheNextRunTakes) {
  WriteSnapshot(1, 3);
  WriteSnapshot(2, 6);
  disk.set_read_only(true);
  Pruner pruner(*directory, retention, {.keep_snapshots = 1});
  EXPECT_FALSE(pruner.Run().ok());
  disk.set_read_only(false);
  EXPECT_EQ(Prune(1).segments, 5u);
  EXPECT_THAT(*directory->ListSnapshots(), ElementsAre(2));
}

}  // namespace
}  // namespace tidemark::wal
