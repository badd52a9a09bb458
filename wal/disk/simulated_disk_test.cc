#include "wal/disk/simulated_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "wal/disk/whole_file.h"

namespace tidemark::wal {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Gt;
using testing::IsEmpty;
using testing::Lt;

using Unsynced = SimulatedDisk::Unsynced;

std::unique_ptr<File> Create(SimulatedDisk& disk, const std::string& path) {
  return *disk.OpenFile(path, Disk::Open::kCreate);
}

TEST(SimulatedDiskTest, CrashLosesWhatWasNotSynced) {
  SimulatedDisk disk(1);
  const auto file = Create(disk, "/f");
  ASSERT_TRUE(file->WriteAt(0, "synced").ok() && file->Sync().ok());
  ASSERT_TRUE(disk.SyncDirectory("/").ok());
  ASSERT_TRUE(file->WriteAt(0, "LOST").ok());
  disk.Crash(Unsynced::kLose);
  EXPECT_EQ(*disk.Contents("/f"), "synced");
  EXPECT_FALSE(file->WriteAt(0, "dead").ok());
}

TEST(SimulatedDiskTest, KillKeepsEverything) {
  SimulatedDisk disk(1);
  ASSERT_TRUE(Create(disk, "/f")->WriteAt(0, "kept").ok());
  disk.Crash(Unsynced::kKeep);
  EXPECT_EQ(*disk.Contents("/f"), "kept");
}

TEST(SimulatedDiskTest, WhatIsInMemoryIsAsTheTestOrTheSeedHasIt) {
  SimulatedDisk disk(1);
  const auto file = Create(disk, "/f");
  ASSERT_TRUE(file->WriteAt(0, "value").ok());
  const auto found = [&] {
    int found = 0;
    for (int i = 0; i < 100; ++i) {
      char out[5];
      if (!file->ReadAtIfCached(0, 5, out)) continue;
      EXPECT_EQ(std::string(out, 5), "value");
      ++found;
    }
    return found;
  };
  EXPECT_THAT(found(), AllOf(Gt(20), Lt(80)));
  disk.set_cached(SimulatedDisk::Cached::kAll);
  EXPECT_EQ(found(), 100);
  disk.set_cached(SimulatedDisk::Cached::kNone);
  EXPECT_EQ(found(), 0);
  disk.set_cached(SimulatedDisk::Cached::kAll);
  disk.Crash(Unsynced::kKeep);
  EXPECT_EQ(found(), 0) << "the file is dead";
}

TEST(SimulatedDiskTest, NameIsLostUnlessItsDirectoryWasSynced) {
  SimulatedDisk disk(1);
  const auto file = Create(disk, "/f");
  ASSERT_TRUE(file->WriteAt(0, "x").ok() && file->Sync().ok());
  disk.Crash(Unsynced::kLose);
  EXPECT_THAT(*disk.List("/"), IsEmpty());
}

TEST(SimulatedDiskTest, SectorsAreKeptOrLostEachByItself) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SimulatedDisk disk(seed);
    const auto file = Create(disk, "/f");
    ASSERT_TRUE(file->Allocate(1536).ok() && file->Sync().ok());
    ASSERT_TRUE(disk.SyncDirectory("/").ok());
    ASSERT_TRUE(file->WriteAt(0, std::string(1536, 'x')).ok());
    disk.Crash();
    const std::string now = *disk.Contents("/f");
    std::string outcome;
    for (size_t sector = 0; sector < 3; ++sector) {
      const char first = now[sector * 512];
      EXPECT_EQ(now.substr(sector * 512, 512), std::string(512, first)) << seed;
      outcome.push_back(first == 'x' ? 'x' : '0');
    }
    outcomes.insert(outcome);
  }
  EXPECT_EQ(outcomes.size(), 8u);
}

TEST(SimulatedDiskTest, LengthMayBeLostThoughItsSectorsWereWritten) {
  std::set<size_t> lengths;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedDisk disk(seed);
    const auto file = Create(disk, "/f");
    ASSERT_TRUE(disk.SyncDirectory("/").ok());
    ASSERT_TRUE(file->WriteAt(0, "abc").ok());
    disk.Crash();
    lengths.insert(disk.Contents("/f")->size());
  }
  EXPECT_THAT(lengths, ElementsAre(0, 3));
}

TEST(SimulatedDiskTest, SeedGivesTheSameCrashAgain) {
  const auto run = [](uint64_t seed) {
    SimulatedDisk disk(seed);
    std::string all;
    for (int i = 0; i < 20; ++i) {
      const std::string path = "/f" + std::to_string(i);
      EXPECT_TRUE(Create(disk, path)->WriteAt(0, std::string(3000, 'x')).ok());
    }
    disk.Crash();
    const std::vector<std::string> names = *disk.List("/");
    for (const std::string& name : names) {
      all += name + *disk.Contents("/" + name);
    }
    return all;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(SimulatedDiskTest, RenameIsWholeOrNot) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedDisk disk(seed);
    ASSERT_TRUE(WriteFileAtomically(disk, "/m", "old").ok());
    const auto file = Create(disk, "/m.tmp");
    ASSERT_TRUE(file->WriteAt(0, "new").ok() && file->Sync().ok());
    ASSERT_TRUE(disk.Rename("/m.tmp", "/m").ok());
    disk.Crash();
    ASSERT_TRUE(disk.Contents("/m").ok());
    outcomes.insert(*disk.Contents("/m"));
  }
  EXPECT_THAT(outcomes, ElementsAre("new", "old"));
}

TEST(SimulatedDiskTest, DirectoryKeepsItsContentsWhateverBecomesOfItsRename) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedDisk disk(seed);
    ASSERT_TRUE(disk.CreateDirectory("/d.tmp").ok());
    const auto file = Create(disk, "/d.tmp/f");
    ASSERT_TRUE(file->WriteAt(0, "x").ok() && file->Sync().ok());
    ASSERT_TRUE(disk.SyncDirectory("/d.tmp").ok() && disk.SyncDirectory("/").ok());
    ASSERT_TRUE(disk.Rename("/d.tmp", "/d").ok());
    disk.Crash();
    const std::vector<std::string> names = *disk.List("/");
    ASSERT_EQ(names.size(), 1u);
    EXPECT_EQ(*disk.Contents("/" + names[0] + "/f"), "x");
  }
}

TEST(SimulatedDiskTest, FailedSyncDropsWhatALaterOneThenPassesOver) {
  SimulatedDisk disk(1);
  const auto file = Create(disk, "/f");
  ASSERT_TRUE(file->Allocate(4).ok() && file->Sync().ok() && disk.SyncDirectory("/").ok());
  ASSERT_TRUE(file->WriteAt(0, "gone").ok());
  disk.FailSync(1);
  EXPECT_EQ(file->Sync().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(*disk.Contents("/f"), "gone");  // A reader is none the wiser.
  disk.Crash(Unsynced::kLose);
  EXPECT_EQ(*disk.Contents("/f"), std::string(4, '\0'));
}

TEST(SimulatedDiskTest, NthWriteFails) {
  SimulatedDisk disk(1);
  const auto file = Create(disk, "/f");
  disk.FailWrite(2);
  EXPECT_TRUE(file->WriteAt(0, "a").ok());
  EXPECT_EQ(file->WriteAt(1, "b").code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(file->WriteAt(1, "b").ok());
}

TEST(SimulatedDiskTest, FullDiskTakesNoMoreUntilSpaceReturns) {
  SimulatedDisk disk(1);
  const auto file = Create(disk, "/f");
  disk.set_capacity_bytes(10);
  EXPECT_TRUE(file->WriteAt(0, "12345678").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(file->WriteAt(8, "9abcd")));
  EXPECT_TRUE(absl::IsResourceExhausted(file->Allocate(11)));
  EXPECT_EQ(*file->Size(), 8u);
  EXPECT_TRUE(file->WriteAt(0, "abcdefgh").ok());  // What it holds may be written again.
  EXPECT_EQ(*disk.FreeBytes("/"), 2u);
  disk.set_capacity_bytes(20);
  EXPECT_TRUE(file->WriteAt(8, "9abcd").ok());
}

TEST(SimulatedDiskTest, ReadOnlyRefusesEveryChangeAndServesReads) {
  SimulatedDisk disk(1);
  const auto file = Create(disk, "/f");
  ASSERT_TRUE(file->WriteAt(0, "x").ok());
  disk.set_read_only(true);
  EXPECT_TRUE(absl::IsPermissionDenied(file->WriteAt(0, "y")));
  EXPECT_TRUE(absl::IsPermissionDenied(disk.Remove("/f")));
  EXPECT_TRUE(absl::IsPermissionDenied(disk.OpenFile("/g", Disk::Open::kCreate).status()));
  EXPECT_TRUE(disk.OpenFile("/f", Disk::Open::kRead).ok());
}

TEST(SimulatedDiskTest, HookRunsWithinASyncAndBitsFlipOnThePlatter) {
  SimulatedDisk disk(1);
  const auto file = Create(disk, "/f");
  ASSERT_TRUE(file->WriteAt(0, "a").ok() && disk.SyncDirectory("/").ok());
  std::string seen;
  disk.set_sync_hook([&](const std::string& path) { seen = path + disk.Contents(path).value(); });
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(seen, "/fa");
  disk.FlipBit("/f", 0, 1);
  disk.Crash(Unsynced::kLose);
  EXPECT_EQ(*disk.Contents("/f"), "c");
}

}  // namespace
}  // namespace tidemark::wal
