// A stream whose change finds the disk full, and what happens once there is space.

#include <gtest/gtest.h>

#include <string>

#include "base/sanitizers.h"
#include "wal/stream_keeper.h"
#include "wal/stream_keeper_test_util.h"

namespace tidemark::wal {
namespace {

// Each test tries every amount of space that a change may find, in steps, up to one that is enough.
class StreamKeeperFullDiskTest : public StreamKeeperFixture {
 protected:
  // Odd, as every other amount is tried in another way.
  static constexpr uint64_t kStepBytes = Scaled(251, 1'511);
  static constexpr uint64_t kPlenty = uint64_t{1} << 40;

  // HasOld() anew, with so much space left, and records that take more than one segment, of which
  // the disk may not have taken all.
  void HasOldAndSpace(uint64_t bytes) {
    disk_.set_capacity_bytes(kPlenty);
    End();
    disk_.RemoveTree(kDirectory).IgnoreError();
    old_ = Stream(kOld, Positions(2));
    HasOld();
    disk_.set_capacity_bytes(kPlenty - *disk_.FreeBytes("/") + bytes);
    for (int i = 0; i < 5; ++i) Append(old_.Next(0, {Put("a", std::string(1000, 'v'))}));
  }
  static KeyMap Old() { return {{"a", std::string(1000, 'v')}, {"b", "2"}}; }
  // What was durable is there for a process that starts after one that has ended on a full disk.
  void ExpectNothingIsLost() {
    const Watermarks durable = keeper_->durable();
    End();
    disk_.set_capacity_bytes(kPlenty);
    Start();
    for (size_t i = 0; i < durable.size(); ++i) {
      EXPECT_GE(recovered_.positions[i].sequence, durable[i]);
    }
  }
};

TEST_F(StreamKeeperFullDiskTest, AChangeOfHistoryGoesOnOnceThereIsSpace) {
  uint64_t delayed = 0;
  for (uint64_t bytes = 0;; bytes += kStepBytes) {
    SCOPED_TRACE(bytes);
    HasOldAndSpace(bytes);
    const Positions fork = old_.positions();
    Stream child(kChild, fork);
    auto log = keeper_->Continue(kOld, kChild, fork);
    if (!log.ok()) {
      ++delayed;
      ASSERT_TRUE(absl::IsResourceExhausted(log.status())) << log.status();
      EXPECT_TRUE(absl::IsResourceExhausted(keeper_->Continue(kOld, kChild, fork).status()));
      disk_.set_capacity_bytes(kPlenty);
      log = keeper_->Continue(kOld, kChild, fork);
    }
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ((*log)->begin().positions, fork);
    Append(child.Next(0, {Put("c", "3")}));
    disk_.set_capacity_bytes(kPlenty);
    ASSERT_TRUE(Sync(SequencesOf(child.positions())).ok());
    Start();
    EXPECT_EQ(recovered_.history, kChild);
    KeyMap all = Old();
    all["c"] = "3";
    EXPECT_EQ(sink_.state, all);
    // And a process that ends while it waits.
    HasOldAndSpace(bytes);
    if (keeper_->Continue(kOld, kChild, old_.positions()).ok()) break;
    ExpectNothingIsLost();
  }
  EXPECT_GT(delayed, 2u);
}

TEST_F(StreamKeeperFullDiskTest, AFullSyncGoesOnOnceThereIsSpaceAndIsNamedOnce) {
  for (uint64_t bytes = 0;; bytes += kStepBytes) {
    SCOPED_TRACE(bytes);
    HasOldAndSpace(bytes);
    Stream next(kNew, {{Sequence(10), 1}, {Sequence(20), 2}});
    int named = 0;
    const auto restart = [&] { return keeper_->Restart(kNew, next.positions(), [&] { ++named; }); };
    auto log = restart();
    const bool enough = log.ok();
    if (!enough) {
      ASSERT_TRUE(absl::IsResourceExhausted(log.status())) << log.status();
      EXPECT_TRUE(absl::IsResourceExhausted(restart().status()));
      disk_.set_capacity_bytes(kPlenty);
      log = restart();
    }
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ(named, 1);
    disk_.set_capacity_bytes(kPlenty);
    if (bytes % 2 == 0) {
      // It is given up: all of the stream before is still there.
      ASSERT_TRUE(keeper_->Continue(kOld, kOld, old_.positions()).ok());
      Append(old_.Next(1, {Put("c", "3")}));
      ASSERT_TRUE(Sync(SequencesOf(old_.positions())).ok());
      Start();
      KeyMap all = Old();
      all["c"] = "3";
      EXPECT_EQ(sink_.state, all);
    } else {
      Append(next.Next(0, {Put("a", "new")}));
      keeper_->OnServed();
      ASSERT_TRUE(PutSnapshot(next, {{"a", "new"}}, 2).ok());
      Start();
      EXPECT_EQ(recovered_.history, kNew);
      EXPECT_EQ(sink_.state, (KeyMap{{"a", "new"}}));
    }
    if (enough) break;
    HasOldAndSpace(bytes);
    ASSERT_FALSE(restart().ok());
    ExpectNothingIsLost();
  }
}

TEST_F(StreamKeeperFullDiskTest, AFullSyncIsGivenUpOnceThereIsSpace) {
  for (uint64_t bytes = 0;; bytes += kStepBytes) {
    SCOPED_TRACE(bytes);
    HasOldAndSpace(kPlenty / 2);
    ASSERT_TRUE(Sync(SequencesOf(old_.positions())).ok());
    Stream next(kNew, {{Sequence(10), 1}, {Sequence(20), 2}});
    ASSERT_TRUE(keeper_->Restart(kNew, next.positions()).ok());
    for (int i = 0; i < 5; ++i) Append(next.Next(0, {Put("a", std::string(1000, 'n'))}));
    disk_.set_capacity_bytes(bytes);
    auto log = keeper_->Continue(kOld, kOld, old_.positions());
    const bool enough = log.ok();
    if (!enough) {
      ASSERT_TRUE(absl::IsResourceExhausted(log.status())) << log.status();
      disk_.set_capacity_bytes(kPlenty);
      log = keeper_->Continue(kOld, kOld, old_.positions());
    }
    ASSERT_TRUE(log.ok()) << log.status();
    disk_.set_capacity_bytes(kPlenty);
    EXPECT_EQ(keeper_->abandoned_restarts(), 1u);
    Append(old_.Next(1, {Put("c", "3")}));
    ASSERT_TRUE(Sync(SequencesOf(old_.positions())).ok());
    Start();
    KeyMap all = Old();
    all["c"] = "3";
    EXPECT_EQ(sink_.state, all);
    if (enough) break;
  }
}

TEST_F(StreamKeeperFullDiskTest, ADemotedPrimaryFollowsOnceThereIsSpace) {
  for (uint64_t bytes = 0;; bytes += kStepBytes) {
    SCOPED_TRACE(bytes);
    HasOldAndSpace(kPlenty / 2);
    ASSERT_TRUE(
        keeper_->BeginHistory(kChild, old_.positions(), 2, StreamKeeper::Minter::kThisNode).ok());
    Stream own(kChild, old_.positions());
    disk_.set_capacity_bytes(bytes);
    for (int i = 0; i < 5; ++i) Append(own.Next(0, {Put("a", std::string(1000, 'o'))}));
    const absl::Status begun = keeper_->BeginFollowing();
    if (!begun.ok()) {
      ASSERT_TRUE(absl::IsResourceExhausted(begun)) << begun;
      disk_.set_capacity_bytes(kPlenty);
    }
    ASSERT_TRUE(keeper_->Continue(kChild, kChild, own.positions()).ok());
    EXPECT_TRUE(directory_->manifest().follows) << "before the first record of another node";
    disk_.set_capacity_bytes(kPlenty);
    Append(own.Next(1, {Put("b", "next")}));
    ASSERT_TRUE(Sync(SequencesOf(own.positions())).ok());
    Start();
    EXPECT_EQ(sink_.state, (KeyMap{{"a", std::string(1000, 'o')}, {"b", "next"}}));
    if (begun.ok()) break;
  }
}

TEST_F(StreamKeeperFullDiskTest, APromotionThatFindsNoSpaceLeavesAReplica) {
  HasOldAndSpace(0);
  disk_.set_capacity_bytes(0);
  const absl::Status begun =
      keeper_->BeginHistory(kChild, old_.positions(), 2, StreamKeeper::Minter::kThisNode);
  ASSERT_TRUE(absl::IsResourceExhausted(begun)) << begun;
  disk_.set_capacity_bytes(kPlenty);
  ASSERT_TRUE(keeper_->Continue(kOld, kOld, old_.positions()).ok());
  Append(old_.Next(1, {Put("c", "3")}));
  ASSERT_TRUE(Sync(SequencesOf(old_.positions())).ok());
  Start();
  EXPECT_EQ(recovered_.history, kOld);
  EXPECT_EQ(sink_.state["c"], "3");
}

}  // namespace
}  // namespace tidemark::wal
