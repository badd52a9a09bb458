#include "wal/data_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "wal/disk/simulated_disk.h"

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kPath[] = "/data";

History MakeHistory(uint64_t id, uint16_t shards, uint64_t parent, size_t parent_shards) {
  return {.id = HistoryId(id),
          .shard_count = shards,
          .born_ms = 5,
          .parent = HistoryId(parent),
          .fork = Positions(parent_shards, {.sequence = Sequence(7), .digest = 8})};
}

Manifest TwoHistories() {
  Manifest manifest{.directory = DirectoryId(77), .histories = {}, .clean_stop = std::nullopt};
  manifest.Add(MakeHistory(1, 2, 0, 0));
  manifest.Add(MakeHistory(2, 3, 1, 2));
  return manifest;
}

TEST(ManifestTest, RoundTrips) {
  Manifest manifest = TwoHistories();
  manifest.node_id = 0xfedcba9876543210;
  EXPECT_EQ(*DecodeManifest(EncodeManifest(manifest)), manifest);
  manifest.clean_stop = Positions(3, {.sequence = Sequence(1), .digest = 2});
  EXPECT_EQ(*DecodeManifest(EncodeManifest(manifest)), manifest);
}

TEST(ManifestTest, AReplicasFullSyncIsRemembered) {
  Manifest manifest = TwoHistories();
  manifest.follows = true;
  manifest.first = {.segment = 4, .snapshot = 2};
  manifest.restart = FilesFrom{.segment = 9, .snapshot = 3};
  EXPECT_EQ(*DecodeManifest(EncodeManifest(manifest)), manifest);
}

TEST(ManifestTest, HistoryEndsAtItsChildsFork) {
  const Manifest manifest = TwoHistories();
  EXPECT_EQ(*manifest.EndOf(HistoryId(1)), manifest.histories[1].fork);
  EXPECT_EQ(manifest.EndOf(HistoryId(2)), nullptr);
  EXPECT_EQ(manifest.EndOf(HistoryId(3)), nullptr);
  EXPECT_EQ(manifest.Find(HistoryId(2)), &manifest.histories[1]);
}

TEST(ManifestTest, OldestHistoriesAreForgotten) {
  Manifest manifest{.directory = DirectoryId(77), .histories = {}, .clean_stop = std::nullopt};
  manifest.Add(MakeHistory(1, 2, 0, 0));
  for (uint64_t id = 2; id <= 100; ++id) manifest.Add(MakeHistory(id, 2, id - 1, 2));
  EXPECT_EQ(manifest.histories.size(), kMaxHistories);
  EXPECT_EQ(manifest.histories.front().id, HistoryId(37));
  EXPECT_EQ(*DecodeManifest(EncodeManifest(manifest)), manifest);
}

TEST(DataDirectoryTest, NewOneGetsAManifestThatSurvivesACrash) {
  SimulatedDisk disk(1);
  {
    auto directory = DataDirectory::Open(disk, kPath, DirectoryId(77));
    ASSERT_TRUE(directory.ok()) << directory.status();
    EXPECT_EQ((*directory)->id(), DirectoryId(77));
    ASSERT_TRUE((*directory)->Save(TwoHistories()).ok());
  }
  disk.Crash(SimulatedDisk::Unsynced::kLose);
  auto directory = DataDirectory::Open(disk, kPath, DirectoryId(88));
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ((*directory)->manifest(), TwoHistories());
}

TEST(DataDirectoryTest, ManifestIsOldOrNewWhereverACrashStrikes) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedDisk disk(seed);
    auto directory = DataDirectory::Open(disk, kPath, DirectoryId(77));
    ASSERT_TRUE(directory.ok());
    const Manifest old = (*directory)->manifest();
    if (seed % 3 != 0) disk.FailWrite(seed % 3);
    if (seed % 5 != 0) disk.FailSync(seed % 5);
    const bool saved = (*directory)->Save(TwoHistories()).ok();
    disk.FailWrite(0);
    disk.FailSync(0);
    EXPECT_EQ((*directory)->manifest(), saved ? TwoHistories() : old);
    disk.Crash();
    auto again = DataDirectory::Open(disk, kPath, DirectoryId(88));
    ASSERT_TRUE(again.ok()) << seed << again.status();
    if (saved) {
      EXPECT_EQ((*again)->manifest(), TwoHistories()) << seed;
    } else {
      EXPECT_THAT((*again)->manifest(), testing::AnyOf(old, TwoHistories())) << seed;
    }
  }
}

TEST(DataDirectoryTest, SecondProcessIsKeptOut) {
  SimulatedDisk disk(1);
  auto first = DataDirectory::Open(disk, kPath, DirectoryId(77));
  const absl::Status second = DataDirectory::Open(disk, kPath, DirectoryId(77)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second));
  EXPECT_THAT(std::string(second.message()), HasSubstr("locked by process"));
  first->reset();
  EXPECT_TRUE(DataDirectory::Open(disk, kPath, DirectoryId(77)).ok());
}

TEST(DataDirectoryTest, DirectoryAboveMustExist) {
  SimulatedDisk disk(1);
  EXPECT_TRUE(absl::IsNotFound(DataDirectory::Open(disk, "/no/data", DirectoryId(1)).status()));
}

TEST(DataDirectoryTest, DataWithoutAManifestIsNotTakenForNew) {
  SimulatedDisk disk(1);
  std::string segment;
  {
    auto directory = DataDirectory::Open(disk, kPath, DirectoryId(77));
    segment = (*directory)->SegmentPath(1);
    disk.SetContents(segment, "x");
  }
  ASSERT_TRUE(disk.Remove("/data/MANIFEST").ok());
  const absl::Status status = DataDirectory::Open(disk, kPath, DirectoryId(88)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/data/MANIFEST is missing"));
  ASSERT_TRUE(disk.Remove(segment).ok());
  EXPECT_TRUE(DataDirectory::Open(disk, kPath, DirectoryId(88)).ok());
}

TEST(DataDirectoryTest, DamagedManifestIsRefusedByName) {
  SimulatedDisk disk(1);
  ASSERT_TRUE(DataDirectory::Open(disk, kPath, DirectoryId(77)).ok());
  disk.FlipBit("/data/MANIFEST", 20, 3);
  const absl::Status status = DataDirectory::Open(disk, kPath, DirectoryId(77)).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("/data/MANIFEST: "));
}

TEST(DataDirectoryTest, ListsWhatIsItsOwnAndSweepsWhatIsHalfMade) {
  SimulatedDisk disk(1);
  {
    auto directory = DataDirectory::Open(disk, kPath, DirectoryId(77));
    EXPECT_EQ((*directory)->SegmentPath(12), "/data/wal-00000000000000000012.seg");
    EXPECT_EQ((*directory)->SnapshotPath(3), "/data/snapshot-00000000000000000003");
    for (const uint64_t n : {12, 2, 100}) disk.SetContents((*directory)->SegmentPath(n), "");
    ASSERT_TRUE(disk.CreateDirectory((*directory)->SnapshotPath(3)).ok());
    ASSERT_TRUE(disk.CreateDirectory((*directory)->SnapshotTemporaryPath(4)).ok());
    for (const char* other :
         {"/data/wal-1.seg", "/data/wal-0000000000000000000x.seg", "/data/MANIFEST.tmp",
          "/data/wal-00000000000000000000.seg", "/data/wal-99999999999999999999.seg", "/data/notes",
          "/data/notes.tmp"}) {
      disk.SetContents(other, "");
    }
  }
  auto directory = DataDirectory::Open(disk, kPath, DirectoryId(77));
  EXPECT_THAT(*(*directory)->ListSegments(), ElementsAre(2, 12, 100));
  EXPECT_THAT(*(*directory)->ListSnapshots(), ElementsAre(3));
  EXPECT_FALSE(disk.Contents("/data/MANIFEST.tmp").ok());
  EXPECT_TRUE(disk.Contents("/data/notes.tmp").ok());
  EXPECT_THAT(*disk.List(kPath),
              testing::Not(testing::Contains(HasSubstr("snapshot-00000000000000000004"))));
  EXPECT_EQ(*(*directory)->MakeLostPath("x"), "/data/lost/x");
  EXPECT_THAT(*disk.List("/data/lost"), IsEmpty());
}

}  // namespace
}  // namespace tidemark::wal
