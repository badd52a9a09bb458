// What the offline tools find, copy and mend, on directories that are damaged on purpose.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "wal/disk/simulated_disk.h"
#include "wal/offline/check.h"
#include "wal/offline/cut.h"
#include "wal/offline/repair.h"
#include "wal/offline/restore.h"
#include "wal/offline/survey.h"
#include "wal/recovery_test_util.h"

namespace tidemark::wal {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr HistoryId kHistory(7);
constexpr char kRestored[] = "/restored";

Watermarks Vector(std::vector<uint64_t> numbers) {
  Watermarks watermarks;
  for (const uint64_t number : numbers) watermarks.push_back(Sequence(number));
  return watermarks;
}

// Three segments of two shards, with a transaction over both in each.
class OfflineTest : public testing::Test {
 protected:
  OfflineTest() {
    directory_ = OpenDirectory(disk_);
    Manifest manifest = directory_->manifest();
    manifest.Add({.id = kHistory, .shard_count = 2, .born_ms = 1, .parent = {}, .fork = {}});
    CHECK(directory_->Save(manifest).ok());
    log_ = std::make_unique<TestLog>(*directory_, kHistory, Positions(2), 1);
    for (int segment = 1; segment <= 3; ++segment) {
      if (segment > 1) log_->Roll();
      const std::string n = std::to_string(segment);
      log_->Write(0, {Put("a" + n, "1"), Put("b" + n, "2")});
      log_->Write(1, {Put("c" + n, "3")});
      log_->Write(0, {Transaction(static_cast<uint64_t>(segment), 1, {0, 1}), Put("t" + n, "x")});
      log_->Write(1, {Transaction(static_cast<uint64_t>(segment), 1, {0, 1}), Put("u" + n, "x")});
      log_->Write(1, {Erase("c" + n)});
      log_->Sync();
    }
    // By then: shard 0 at 4, 8, 12; shard 1 at 4, 8, 12.
    log_->Seal();
    CHECK(log_->status().ok());
  }

  Survey Look(SurveyDepth depth = SurveyDepth::kEverything) {
    absl::StatusOr<Survey> survey = SurveyDirectory(*directory_, depth);
    CHECK(survey.ok());
    return *std::move(survey);
  }
  std::vector<std::string> Problems() {
    absl::StatusOr<CheckReport> report = CheckDirectory(*directory_, Look());
    CHECK(report.ok());
    return report->problems;
  }
  void Flip(uint64_t segment, uint64_t offset) {
    auto file = disk_.OpenFile(directory_->SegmentPath(segment), Disk::Open::kReadWrite);
    CHECK(file.ok());
    char byte = 0;
    CHECK((*file)->ReadAt(offset, 1, &byte).ok());
    byte = static_cast<char>(byte ^ 0x10);
    CHECK((*file)->WriteAt(offset, std::string_view(&byte, 1)).ok());
  }
  // Near the end of what is written: in the last frames or the footer.
  uint64_t Bytes(uint64_t segment) {
    auto file = disk_.OpenFile(directory_->SegmentPath(segment), Disk::Open::kRead);
    CHECK(file.ok());
    return *(*file)->Size();
  }

  // The keys that a node which starts there has, and where it stands.
  struct Started {
    KeyMap state;
    Recovered recovered;
  };
  Started Start(const std::string& path) {
    auto directory = DataDirectory::Open(disk_, path, DirectoryId(0xee));
    CHECK(directory.ok());
    MapSink sink;
    absl::StatusOr<Recovered> recovered = Recover(**directory, OptionsFor(2, 0xabc), sink);
    EXPECT_TRUE(recovered.ok()) << recovered.status();
    if (!recovered.ok()) return {};
    return {.state = sink.state, .recovered = *std::move(recovered)};
  }
  Started Restore(const Watermarks& target) {
    const absl::StatusOr<Cut> cut =
        FindCut(*directory_, Look(SurveyDepth::kHeaders), kHistory, target);
    EXPECT_TRUE(cut.ok()) << cut.status();
    if (!cut.ok()) return {};
    cut_ = *cut;
    const absl::Status copied =
        CopyAtCut(*directory_, *cut, {.into = kRestored, .child = HistoryId(0x99), .now_ms = 5000});
    EXPECT_TRUE(copied.ok()) << copied;
    return Start(kRestored);
  }

  SimulatedDisk disk_{1};
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<TestLog> log_;
  Cut cut_;
};

TEST_F(OfflineTest, AWholeDirectoryIsWhole) {
  EXPECT_THAT(Problems(), IsEmpty());
  EXPECT_THAT(PlanRepair(*directory_, Look())->problems, IsEmpty());
}

TEST_F(OfflineTest, EveryFlippedByteIsNoticed) {
  // Not of the newest: its end may be torn, and the next start cuts it.
  for (uint64_t segment = 1; segment <= 2; ++segment) {
    const uint64_t bytes = Bytes(segment);
    for (uint64_t offset = 0; offset < bytes; offset += 13) {
      Flip(segment, offset);
      EXPECT_THAT(Problems(), Not(IsEmpty())) << segment << " at " << offset;
      Flip(segment, offset);
    }
  }
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(OfflineTest, AMissingSegmentIsNoticed) {
  ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(2)).ok());
  EXPECT_THAT(Problems(), testing::Contains(HasSubstr("wal-00000000000000000002.seg is missing")));
}

TEST_F(OfflineTest, ARestoreIsTheStateOfThatMoment) {
  for (const Watermarks& target : {Vector({0, 0}), Vector({1, 0}), Vector({2, 1}), Vector({4, 4}),
                                   Vector({6, 5}), Vector({8, 8}), Vector({12, 12})}) {
    ASSERT_TRUE(log_->IsConsistent(target));
    const Started started = Restore(target);
    EXPECT_EQ(started.state, log_->StateAt(target));
    EXPECT_EQ(SequencesOf(started.recovered.positions), target);
    EXPECT_EQ(started.recovered.history, HistoryId(0x99));
    ASSERT_THAT(started.recovered.ancestors, SizeIs(1));
    EXPECT_EQ(started.recovered.ancestors[0].history, kHistory);
    ASSERT_TRUE(disk_.RemoveTree(kRestored).ok());
  }
}

TEST_F(OfflineTest, ARestoreSplitsNoTransaction) {
  const Started started = Restore(Vector({8, 5}));  // Shard 1 lacks its part of the second.
  EXPECT_EQ(SequencesOf(started.recovered.positions), Vector({6, 5}));
  EXPECT_EQ(started.state, log_->StateAt(Vector({6, 5})));
}

TEST_F(OfflineTest, ATargetBeyondTheEndIsTheEnd) {
  EXPECT_EQ(Restore(Vector({1000, 1000})).state, log_->StateAt(Vector({12, 12})));
}

TEST_F(OfflineTest, ARestoreTakesNoSnapshotOfLater) {
  WriteSnapshot(*directory_, *log_, 1, log_->positions(), SequencesOf(log_->positions()));
  EXPECT_EQ(Restore(Vector({4, 4})).state, log_->StateAt(Vector({4, 4})));
  EXPECT_EQ(cut_.snapshot, 0u);
  ASSERT_TRUE(disk_.RemoveTree(kRestored).ok());
  EXPECT_EQ(Restore(Vector({12, 12})).state, log_->StateAt(Vector({12, 12})));
  EXPECT_EQ(cut_.snapshot, 1u);
  EXPECT_EQ(cut_.first_segment, 3u);
}

TEST_F(OfflineTest, ARestoreOfWhatIsPrunedIsRefused) {
  WriteSnapshot(*directory_, *log_, 1, log_->positions(), SequencesOf(log_->positions()));
  ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(1)).ok());
  const absl::StatusOr<Cut> cut = FindCut(*directory_, Look(), kHistory, Vector({8, 8}));
  EXPECT_THAT(std::string(cut.status().message()), HasSubstr("of a later moment"));
}

TEST_F(OfflineTest, ARestoreOverwritesNothing) {
  ASSERT_TRUE(disk_.CreateDirectory(kRestored).ok());
  ASSERT_TRUE(disk_.OpenFile(std::string(kRestored) + "/x", Disk::Open::kCreate).ok());
  const absl::StatusOr<Cut> cut = FindCut(*directory_, Look(), kHistory, Vector({8, 8}));
  ASSERT_TRUE(cut.ok());
  const absl::Status copied =
      CopyAtCut(*directory_, *cut, {.into = kRestored, .child = HistoryId(0x99), .now_ms = 5000});
  EXPECT_TRUE(absl::IsFailedPrecondition(copied)) << copied;
}

TEST_F(OfflineTest, ARepairCutsAtTheFirstDamageAndNamesWhatIsLost) {
  const Watermarks before_damage = Vector({4, 4});
  Flip(2, SegmentHeaderBytes(2) + 60);  // In the second segment's first frame.
  const absl::StatusOr<RepairPlan> plan = PlanRepair(*directory_, Look());
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_TRUE(plan->cut.has_value());
  EXPECT_EQ(SequencesOf(plan->cut->positions), before_damage);
  ASSERT_THAT(plan->discarded, SizeIs(2));
  for (const DiscardedSpan& span : plan->discarded) {
    EXPECT_EQ(span.history, kHistory);
    EXPECT_EQ(span.first, Sequence(5));
    EXPECT_EQ(span.last, Sequence(12));
  }
  ASSERT_TRUE(Repair(*directory_, *plan, HistoryId(0x99), 5000).ok());
  EXPECT_THAT(Problems(), IsEmpty());
  const absl::StatusOr<std::vector<std::string>> lost =
      disk_.List(std::string(kDirectory) + "/lost");
  ASSERT_TRUE(lost.ok());
  EXPECT_THAT(*lost, SizeIs(2));
  directory_.reset();
  EXPECT_EQ(Start(kDirectory).state, log_->StateAt(before_damage));
}

TEST_F(OfflineTest, WhatANewerSnapshotCoversIsSetAsideAndNothingIsLost) {
  WriteSnapshot(*directory_, *log_, 1, log_->positions(), SequencesOf(log_->positions()));
  Flip(1, SegmentHeaderBytes(2) + 60);
  const absl::StatusOr<RepairPlan> plan = PlanRepair(*directory_, Look());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->cut.has_value());
  EXPECT_THAT(plan->discarded, IsEmpty());
  EXPECT_THAT(plan->segments_away, testing::ElementsAre(1));
  ASSERT_TRUE(Repair(*directory_, *plan, HistoryId(0x99), 5000).ok());
  EXPECT_THAT(Problems(), IsEmpty());
  directory_.reset();
  EXPECT_EQ(Start(kDirectory).state, log_->StateAt(Vector({12, 12})));
}

TEST_F(OfflineTest, WhatNothingLeadsUpToIsNotRepaired) {
  WriteSnapshot(*directory_, *log_, 1, log_->positions(), SequencesOf(log_->positions()));
  ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(1)).ok());
  Flip(3, SegmentHeaderBytes(2) + 60);
  const absl::StatusOr<RepairPlan> plan = PlanRepair(*directory_, Look());
  EXPECT_TRUE(absl::IsFailedPrecondition(plan.status()));
  EXPECT_THAT(std::string(plan.status().message()), HasSubstr("restore a backup"));
}

}  // namespace
}  // namespace tidemark::wal
