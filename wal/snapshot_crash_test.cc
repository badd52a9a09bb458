// A snapshot and the pruning after it, stopped at every call to the disk and at every seed's choice
// of what of the unsynced was on the platter: afterwards either the old or the new snapshot is
// whole, and the segments that it needs are there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "wal/data_directory.h"
#include "wal/disk/simulated_disk.h"
#include "wal/dying_disk.h"
#include "wal/pruner.h"
#include "wal/snapshot_chunks.h"
#include "wal/snapshot_reader.h"
#include "wal/snapshot_writer.h"

namespace tidemark::wal {
namespace {

constexpr DirectoryId kDirectory(0xd1);
constexpr uint64_t kSegments = 9;
constexpr uint16_t kShards = 2;
constexpr uint64_t kNew = 3;  // The snapshot under test; 1 and 2 are there before.

// Snapshot n's, so that each has something for the pruner.
uint64_t FirstSegmentOf(uint64_t snapshot) { return 2 * snapshot; }

absl::Status TakeSnapshot(const DataDirectory& directory, uint64_t number) {
  auto writer = SnapshotWriter::Create(directory,
                                       {.number = number,
                                        .history = HistoryId(7),
                                        .shard_count = kShards,
                                        .first_segment = FirstSegmentOf(number),
                                        .begun_at_ms = 0},
                                       {.sync_every_bytes = 1000, .compress = nullptr});
  if (!writer.ok()) return writer.status();
  for (uint16_t shard = 0; shard < kShards; ++shard) {
    const ChunkSource source{.history = HistoryId(7),
                             .shard = ShardId(shard),
                             .shard_count = kShards,
                             .watermark = {.sequence = Sequence(number), .digest = number}};
    for (const FrameRef& chunk : MakeChunks(source, 6, 400)) {
      const absl::Status status = (*writer)->Add(*chunk, Sequence(number));
      if (!status.ok()) return status;
    }
  }
  if (const absl::Status status = (*writer)->SyncFiles(); !status.ok()) return status;
  return (*writer)->Finish(Watermarks(kShards, Sequence(number)), 0);
}

class SnapshotCrashTest : public testing::TestWithParam<SimulatedDisk::Unsynced> {
 protected:
  // A directory with two snapshots and the segments from the older one's on.
  static void Prepare(SimulatedDisk& disk) {
    const auto directory = DataDirectory::Open(disk, "/data", kDirectory);
    ASSERT_TRUE(directory.ok()) << directory.status();
    for (uint64_t number = 1; number <= kSegments; ++number) {
      disk.SetContents((*directory)->SegmentPath(number), std::string(100, 's'));
    }
    for (uint64_t number = 1; number < kNew; ++number) {
      ASSERT_TRUE(TakeSnapshot(**directory, number).ok());
    }
    Retention retention;
    ASSERT_TRUE(Pruner(**directory, retention, {.keep_snapshots = 2}).Run().ok());
    ASSERT_TRUE((*directory)->Sync().ok());
  }

  // What the next start finds.
  static void Check(SimulatedDisk& disk, bool finished) {
    const auto directory = DataDirectory::Open(disk, "/data", kDirectory);
    ASSERT_TRUE(directory.ok()) << directory.status();
    const std::vector<uint64_t> snapshots = *(*directory)->ListSnapshots();
    ASSERT_THAT(snapshots, testing::Not(testing::IsEmpty()));
    for (uint64_t number : snapshots) {
      const auto reader =
          SnapshotReader::Open(disk, (*directory)->SnapshotPath(number), {kDirectory, number});
      ASSERT_TRUE(reader.ok()) << reader.status();
      EXPECT_TRUE((*reader)->Verify().ok()) << (*reader)->Verify();
    }
    EXPECT_GE(snapshots.back(), kNew - 1);
    if (finished) {
      EXPECT_EQ(snapshots.back(), kNew);
    }
    // From the newest's on all are there; and so for the one before, while it is not to go.
    const uint64_t needed = FirstSegmentOf(snapshots.back() - 1);
    const std::vector<uint64_t> segments = *(*directory)->ListSegments();
    for (uint64_t number = needed; number <= kSegments; ++number) {
      EXPECT_THAT(segments, testing::Contains(number));
    }
    const std::vector<std::string> names = *disk.List("/data");
    for (const std::string& name : names) {
      EXPECT_THAT(name, testing::Not(testing::HasSubstr(".tmp")));
    }
    // And life goes on.
    const uint64_t next = snapshots.back() + 1;
    EXPECT_TRUE(TakeSnapshot(**directory, next).ok());
    Retention retention;
    EXPECT_TRUE(Pruner(**directory, retention, {.keep_snapshots = 2}).Run().ok());
    EXPECT_THAT(*(*directory)->ListSnapshots(), testing::ElementsAre(next - 1, next));
    EXPECT_EQ((*directory)->ListSegments()->front(), FirstSegmentOf(next - 1));
  }
};

TEST_P(SnapshotCrashTest, OldOrNewIsWholeWhereverItStops) {
  const int seeds = GetParam() == SimulatedDisk::Unsynced::kAny ? 6 : 1;
  for (int seed = 1; seed <= seeds; ++seed) {
    bool died = true;
    for (uint64_t calls = 0; died; ++calls) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", stopped after " << calls);
      ASSERT_LT(calls, 1000u);
      SimulatedDisk disk(static_cast<uint64_t>(seed));
      Prepare(disk);
      bool finished = false;
      {
        DyingDisk dying(disk);
        const auto directory = DataDirectory::Open(dying, "/data", kDirectory);
        ASSERT_TRUE(directory.ok()) << directory.status();
        dying.DieAfter(calls);
        finished = TakeSnapshot(**directory, kNew).ok();
        Retention retention;
        if (finished) {
          Pruner(**directory, retention, {.keep_snapshots = 2}).Run().IgnoreError();
        }
        died = dying.dead();
        disk.Crash(GetParam());
      }
      Check(disk, finished);
      if (HasFailure()) return;
    }
  }
}

std::string NameOf(const testing::TestParamInfo<SimulatedDisk::Unsynced>& info) {
  return info.param == SimulatedDisk::Unsynced::kAny    ? "Any"
         : info.param == SimulatedDisk::Unsynced::kLose ? "Lose"
                                                        : "Keep";
}
INSTANTIATE_TEST_SUITE_P(All, SnapshotCrashTest,
                         testing::Values(SimulatedDisk::Unsynced::kAny,
                                         SimulatedDisk::Unsynced::kLose,
                                         SimulatedDisk::Unsynced::kKeep),
                         NameOf);

}  // namespace
}  // namespace tidemark::wal
