#include "wal/stream_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "wal/discarded.h"
#include "wal/segment_reader.h"
#include "wal/stream_keeper_test_util.h"

namespace tidemark::wal {
namespace {

using ::testing::HasSubstr;

class StreamKeeperTest : public StreamKeeperFixture {};

TEST_F(StreamKeeperTest, AFullSyncThatIsNotWholeOnDiskLeavesANewDirectoryEmpty) {
  Start();
  EXPECT_EQ(keeper_->log(), nullptr);
  ASSERT_TRUE(keeper_->Restart(kOld, Positions(2)).ok());
  keeper_->OnServed();
  Append(old_.Next(0, {Put("a", "1")}));
  ASSERT_TRUE(Sync(At({1, 0})).ok());
  EXPECT_EQ(keeper_->durable(), At({0, 0}));
  Start();
  EXPECT_TRUE(recovered_.dropped_restart);
  EXPECT_EQ(recovered_.history, HistoryId());
  EXPECT_TRUE(sink_.state.empty());
}

TEST_F(StreamKeeperTest, ASnapshotMakesAFullSyncWhole) {
  HasOld();
  EXPECT_EQ(keeper_->durable(), At({1, 1}));
  Append(old_.Next(0, {Put("a", "3")}));
  ASSERT_TRUE(Sync(At({2, 1})).ok());
  EXPECT_EQ(keeper_->durable(), At({2, 1}));
  Start();
  EXPECT_EQ(recovered_.history, kOld);
  EXPECT_EQ(recovered_.positions, old_.positions());
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "3"}, {"b", "2"}}));
}

TEST_F(StreamKeeperTest, AReplicaGoesOnInItsHistoryAfterAnyStop) {
  HasOld();
  Start();
  Append(old_.Next(1, {Put("b", "4")}));
  ASSERT_TRUE(Sync(At({1, 2})).ok());
  ASSERT_TRUE(keeper_->Close().ok());
  Start();
  EXPECT_EQ(recovered_.history, kOld);
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "1"}, {"b", "4"}}));
}

TEST_F(StreamKeeperTest, WhatWasThereComesBackIfASecondFullSyncIsCutShort) {
  HasOld();
  Stream next(kNew, {{Sequence(10), 1}, {Sequence(20), 2}});
  ASSERT_TRUE(keeper_->Restart(kNew, next.positions()).ok());
  Append(next.Next(0, {Put("a", "new")}));
  ASSERT_TRUE(Sync(At({11, 20})).ok());
  Start();
  EXPECT_TRUE(recovered_.dropped_restart);
  EXPECT_EQ(recovered_.history, kOld);
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "1"}, {"b", "2"}}));
}

TEST_F(StreamKeeperTest, WhatWasThereIsDeletedOnceASecondFullSyncIsWhole) {
  HasOld();
  Stream next(kNew, {{Sequence(10), 1}, {Sequence(20), 2}});
  ASSERT_TRUE(keeper_->Restart(kNew, next.positions()).ok());
  Append(next.Next(0, {Put("a", "new")}));
  keeper_->OnServed();
  ASSERT_TRUE(PutSnapshot(next, {{"a", "new"}}, 2).ok());
  EXPECT_THAT(*directory_->ListSnapshots(), testing::ElementsAre(2));
  EXPECT_THAT(*directory_->ListSegments(), testing::Not(testing::Contains(1)));
  Start();
  EXPECT_EQ(recovered_.history, kNew);
  EXPECT_EQ(recovered_.positions, next.positions());
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "new"}}));
}

TEST_F(StreamKeeperTest, AFullSyncThatIsGivenUpLeavesTheLogAsItWas) {
  HasOld();
  // Half of a transaction: the log goes beyond what is whole.
  Append(old_.Next(0, {Transaction(5, 1, {0, 1}), Put("a", "t")}));
  ASSERT_TRUE(keeper_->Restart(kNew, {{Sequence(10), 1}, {Sequence(20), 2}}).ok());
  const auto log = keeper_->Continue(kOld, kOld, {{Sequence(1), 0}, {Sequence(1), 0}});
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(SequencesOf((*log)->begin().positions), At({3, 1}));
  EXPECT_EQ(keeper_->durable(), At({1, 1}));
  Append(old_.Next(1, {Transaction(5, 1, {0, 1}), Put("b", "t")}));
  ASSERT_TRUE(Sync(At({3, 3})).ok());
  Start();
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "t"}, {"b", "t"}}));
}

TEST_F(StreamKeeperTest, TheRestOfATransactionMayComeAfterARestart) {
  HasOld();
  Append(old_.Next(0, {Put("c", "3"), Transaction(5, 1, {0, 1}), Put("a", "t")}));
  Append(old_.Next(0, {Put("d", "4")}));
  ASSERT_TRUE(Sync(At({2, 1})).ok());
  Start();
  EXPECT_EQ(SequencesOf(recovered_.positions), At({2, 1}));
  // A frame's border, which is where a primary can go on from.
  EXPECT_EQ(SequencesOf(recovered_.borders), At({1, 1}));
  EXPECT_EQ(SequencesOf(recovered_.log_end), At({5, 1}));
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(keeper_->durable(), At({2, 1}));
  Append(old_.Next(1, {Transaction(5, 1, {0, 1}), Put("b", "t")}));
  ASSERT_TRUE(Sync(At({5, 3})).ok());
  Start();
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "t"}, {"b", "t"}, {"c", "3"}, {"d", "4"}}));
}

TEST_F(StreamKeeperTest, WhatGoesBeyondADescendantsForkIsVoid) {
  HasOld();
  const Positions fork = old_.positions();
  Append(old_.Next(0, {Put("a", "lost")}));
  Stream child(kChild, fork);
  ASSERT_TRUE(keeper_->Continue(kOld, kChild, fork).ok());
  Append(child.Next(0, {Put("a", "child")}));
  ASSERT_TRUE(Sync(At({2, 1})).ok());
  Start();
  EXPECT_EQ(recovered_.history, kChild);
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "child"}, {"b", "2"}}));
}

TEST_F(StreamKeeperTest, ADescendantMayComeBeforeAFullSyncIsWhole) {
  Start();
  ASSERT_TRUE(keeper_->Restart(kOld, Positions(2)).ok());
  keeper_->OnServed();
  Append(old_.Next(0, {Put("a", "1")}));
  Stream child(kChild, old_.positions());
  ASSERT_TRUE(keeper_->Continue(kOld, kChild, old_.positions()).ok());
  Append(child.Next(1, {Put("b", "2")}));
  ASSERT_TRUE(PutSnapshot(child, {{"a", "1"}, {"b", "2"}}, 1).ok());
  Append(child.Next(1, {Put("b", "3")}));
  ASSERT_TRUE(Sync(At({1, 2})).ok());
  Start();
  EXPECT_EQ(recovered_.history, kChild);
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "1"}, {"b", "3"}}));
}

TEST_F(StreamKeeperTest, ASnapshotOfAStreamThatWasReplacedIsNotPut) {
  HasOld();
  const std::shared_ptr<Log> before = keeper_->log();
  ASSERT_TRUE(keeper_->Restart(kNew, Positions(2)).ok());
  const absl::Status put = keeper_->PutSnapshot(*before, [] {
    ADD_FAILURE();
    return absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsCancelled(put));
}

// --- What a full sync throws away ---

TEST_F(StreamKeeperTest, WhatAFullSyncReplacesIsSavedAsADirectoryOfItsOwn) {
  HasOld();
  Append(old_.Next(0, {Put("a", "mine alone")}));
  SavedDiscarded saved;
  const auto save = [&] {
    saved = *SaveDiscarded(*directory_, kOld, At({1, 1}), SaveDiscardedOptions());
  };
  ASSERT_TRUE(keeper_->Restart(kNew, Positions(2), save).ok());
  EXPECT_EQ(saved.path, "/data/lost/discarded-0000000000000007-1");
  EXPECT_TRUE(saved.complete);
  // As tidectl opens it.
  const auto opened = DataDirectory::OpenExisting(disk_, saved.path, DataDirectory::Access::kLive);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const std::vector<uint64_t> numbers = *(*opened)->ListSegments();
  ASSERT_EQ(numbers.size(), 1u);
  const auto reader = SegmentReader::Open(disk_, (*opened)->SegmentPath(numbers[0]),
                                          {.directory = (*opened)->id(), .number = numbers[0]});
  ASSERT_TRUE(reader.ok()) << reader.status();
  uint64_t last = 0;
  while (auto item = *(*reader)->Next()) {
    if (item->frame->shard() == ShardId(0)) last = item->frame->last_sequence().value();
  }
  EXPECT_EQ(last, 2u);
}

TEST_F(StreamKeeperTest, WhatAServedFullSyncBroughtIsSavedBeforeTheNextOneReplacesIt) {
  Start();
  ASSERT_TRUE(keeper_->Restart(kOld, Positions(2)).ok());
  keeper_->OnServed();
  Append(old_.Next(0, {Put("a", "1")}));
  // No snapshot has made it whole yet.
  absl::StatusOr<SavedDiscarded> saved = absl::UnknownError("not asked for");
  ASSERT_TRUE(keeper_
                  ->Restart(kNew, Positions(2),
                            [&] { saved = SaveDiscarded(*directory_, kOld, Watermarks(2), {}); })
                  .ok());
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_TRUE(saved->complete);
  const auto discarded =
      DataDirectory::OpenExisting(disk_, saved->path, DataDirectory::Access::kLive);
  ASSERT_TRUE(discarded.ok()) << discarded.status();
  EXPECT_NE((*discarded)->manifest().Find(kOld), nullptr);
  EXPECT_EQ((*discarded)->ListSegments()->size(), 1u);
}

TEST_F(StreamKeeperTest, EachFullSyncMaySaveWhatTheOneBeforeWouldNotHaveReplaced) {
  HasOld();
  // Of a primary that has all that is here; but it is lost, and another lacks some of it.
  ASSERT_TRUE(keeper_->Restart(kNew, Positions(2), [] {}).ok());
  absl::StatusOr<SavedDiscarded> saved = absl::UnknownError("not asked for");
  ASSERT_TRUE(keeper_
                  ->Restart(kChild, Positions(2),
                            [&] {
                              saved = SaveDiscarded(*directory_, kOld, At({0, 0}), {});
                            })
                  .ok());
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->path, "/data/lost/discarded-0000000000000007-1");
  EXPECT_TRUE(saved->complete);
}

TEST_F(StreamKeeperTest, OnlyTheNewestOfWhatWasSavedIsKept) {
  HasOld();
  ASSERT_TRUE(keeper_->Close().ok());
  SaveDiscardedOptions options;
  options.max_kept = 2;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(SaveDiscarded(*directory_, kOld, At({0, 0}), options).ok());
  }
  EXPECT_THAT(*disk_.List("/data/lost"),
              testing::UnorderedElementsAre("discarded-0000000000000007-4",
                                            "discarded-0000000000000007-5"));
}

TEST_F(StreamKeeperTest, WhatTheLogHasNothingOfIsNotSaved) {
  HasOld();
  ASSERT_TRUE(keeper_->Close().ok());
  const auto saved = SaveDiscarded(*directory_, kNew, At({0, 0}), SaveDiscardedOptions());
  ASSERT_TRUE(saved.ok());
  EXPECT_EQ(saved->path, "");
}

// --- Promotion ---

TEST_F(StreamKeeperTest, APromotedReplicasHistoryIsItsOwn) {
  HasOld();
  ASSERT_TRUE(
      keeper_->BeginHistory(kChild, old_.positions(), 2, StreamKeeper::Minter::kThisNode).ok());
  Stream own(kChild, old_.positions());
  Append(own.Next(0, {Put("a", "own")}));
  ASSERT_TRUE(Sync(At({2, 1})).ok());
  ASSERT_TRUE(keeper_->Close().ok());
  End();
  directory_ = OpenDirectory(disk_);
  const absl::StatusOr<Recovered> recovered = TryRecover(false);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(recovered->same_history);
  EXPECT_EQ(recovered->history, kChild);
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "own"}, {"b", "2"}}));
}

TEST_F(StreamKeeperTest, APromotionWaitsForTheSnapshotOfAFullSyncThatIsServed) {
  HasOld();
  Stream next(kNew, {{Sequence(10), 1}, {Sequence(20), 2}});
  ASSERT_TRUE(keeper_->Restart(kNew, next.positions()).ok());
  keeper_->OnServed();
  constexpr auto kMints = StreamKeeper::Minter::kThisNode;
  EXPECT_TRUE(
      absl::IsFailedPrecondition(keeper_->BeginHistory(kChild, next.positions(), 2, kMints)));
  ASSERT_TRUE(PutSnapshot(next, {{"a", "new"}}, 2).ok());
  EXPECT_TRUE(keeper_->BeginHistory(kChild, next.positions(), 2, kMints).ok());
  EXPECT_EQ(keeper_->durable(), At({10, 20}));
}

TEST_F(StreamKeeperTest, APromotionGivesUpAFullSyncThatIsNotServed) {
  HasOld();
  ASSERT_TRUE(keeper_->Restart(kNew, {{Sequence(10), 1}, {Sequence(20), 2}}).ok());
  ASSERT_TRUE(
      keeper_->BeginHistory(kChild, old_.positions(), 2, StreamKeeper::Minter::kThisNode).ok());
  EXPECT_EQ(keeper_->durable(), At({1, 1}));
  Start();
  EXPECT_EQ(recovered_.history, kChild);
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "1"}, {"b", "2"}}));
}

TEST_F(StreamKeeperTest, AReplicaThatWasNeverGivenAnythingBeginsTheFirstHistory) {
  Start();
  ASSERT_TRUE(keeper_->BeginHistory(kChild, {}, 2, StreamKeeper::Minter::kThisNode).ok());
  Stream own(kChild, Positions(2));
  Append(own.Next(0, {Put("a", "own")}));
  ASSERT_TRUE(Sync(At({1, 0})).ok());
  Start();
  EXPECT_EQ(recovered_.history, kChild);
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "own"}}));
}

// --- Demotion ---

TEST_F(StreamKeeperTest, ADemotedPrimarysLogGoesOnWithWhatItFollows) {
  HasOld();
  ASSERT_TRUE(
      keeper_->BeginHistory(kChild, old_.positions(), 2, StreamKeeper::Minter::kThisNode).ok());
  Stream own(kChild, old_.positions());
  Append(own.Next(0, {Put("a", "own")}));
  ASSERT_TRUE(keeper_->BeginFollowing().ok());
  EXPECT_EQ(keeper_->log()->begin().positions, own.positions());
  EXPECT_EQ(keeper_->durable(), At({2, 1})) << "all that was appended is";
  EXPECT_TRUE(directory_->manifest().follows);

  ASSERT_TRUE(keeper_->Continue(kChild, kNew, own.positions()).ok());
  Stream next(kNew, own.positions());
  Append(next.Next(1, {Put("b", "new")}));
  ASSERT_TRUE(Sync(At({2, 2})).ok());
  Start();
  EXPECT_EQ(recovered_.history, kNew);
  EXPECT_EQ(sink_.state, (KeyMap{{"a", "own"}, {"b", "new"}}));
}

TEST_F(StreamKeeperTest, APrimaryOnADemotedOnesDirectoryBeginsAHistory) {
  HasOld();
  ASSERT_TRUE(
      keeper_->BeginHistory(kChild, old_.positions(), 2, StreamKeeper::Minter::kThisNode).ok());
  ASSERT_TRUE(keeper_->BeginFollowing().ok());
  ASSERT_TRUE(keeper_->Close().ok());
  End();
  directory_ = OpenDirectory(disk_);
  const absl::StatusOr<Recovered> recovered = TryRecover(false);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(recovered->was_follower);
  EXPECT_EQ(recovered->history, HistoryId(100));
}

TEST_F(StreamKeeperTest, APrimaryOnAReplicasDirectoryBeginsAHistoryEvenAfterACleanStop) {
  HasOld();
  ASSERT_TRUE(keeper_->Close().ok());
  End();
  directory_ = OpenDirectory(disk_);
  const absl::StatusOr<Recovered> recovered = TryRecover(false);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(recovered->was_follower);
  EXPECT_FALSE(recovered->same_history);
  EXPECT_EQ(recovered->history, HistoryId(100));
  EXPECT_EQ(recovered->positions, old_.positions());
  EXPECT_FALSE(directory_->manifest().follows);
}

TEST_F(StreamKeeperTest, APrimaryRefusesADirectoryInTheMiddleOfAFullSync) {
  HasOld();
  ASSERT_TRUE(keeper_->Restart(kNew, Positions(2)).ok());
  End();
  directory_ = OpenDirectory(disk_);
  const absl::Status refused = TryRecover(false).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("start it as a replica"));
}

}  // namespace
}  // namespace tidemark::wal
