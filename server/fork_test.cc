#include "server/fork.h"

#include <gtest/gtest.h>

namespace tidemark::server {
namespace {

constexpr HistoryId kOld{5};
constexpr HistoryId kFresh{6};

replication::ReplicaClient::Ending EndingAt(std::vector<uint64_t> applied,
                                            std::vector<uint64_t> emitted) {
  replication::ReplicaClient::Ending ending;
  ending.position.history = kOld;
  for (uint64_t sequence : applied)
    ending.position.shards.push_back({Sequence(sequence), 100 + sequence});
  for (uint64_t sequence : emitted) ending.emitted.push_back(Sequence(sequence));
  return ending;
}

TEST(ForkTest, SequencesGoOnWhereTheOldHistoryIsLeft) {
  const Succession next = Succeed(EndingAt({17, 4}, {17, 4}), 2, kFresh);
  EXPECT_EQ(next.fork.parent, kOld);
  EXPECT_EQ(next.fork.at, (Watermarks{Sequence(17), Sequence(4)}));
  EXPECT_TRUE(next.fork.lost.empty());
  ASSERT_EQ(next.beginnings.size(), 2u);
  EXPECT_EQ(next.beginnings[0].history, kFresh);
  EXPECT_EQ(next.beginnings[0].end.last, Sequence(17));
  EXPECT_EQ(next.beginnings[0].end.digest, 117u);
  EXPECT_TRUE(next.beginnings[0].has_readers);
  ASSERT_EQ(next.beginnings[1].ancestors.size(), 1u);
  EXPECT_EQ(next.beginnings[1].ancestors[0].history, kOld);
  EXPECT_EQ(next.beginnings[1].ancestors[0].fork, Sequence(4));
}

TEST(ForkTest, WhatTheOldPrimaryHadEmittedAndIsNotHereIsNamed) {
  const Succession next = Succeed(EndingAt({17, 4, 9}, {20, 4, 10}), 3, kFresh);
  EXPECT_EQ(LostText(next.fork.lost), "shard 0: 18 to 20, shard 2: 10 to 10");
  EXPECT_EQ(LostRecords(next.fork.lost), 4u);
}

TEST(ForkTest, AnotherNumberOfShardsBeginsAtZeroAndDescendsFromNothing) {
  const Succession next = Succeed(EndingAt({17, 4}, {18, 4}), 3, kFresh);
  ASSERT_EQ(next.beginnings.size(), 3u);
  EXPECT_EQ(next.beginnings[2].end.last, Sequence());
  EXPECT_TRUE(next.beginnings[2].ancestors.empty());
  EXPECT_TRUE(next.ancestors.empty());
  EXPECT_EQ(next.fork.parent, kOld) << "the operator still learns what was left";
  EXPECT_EQ(LostText(next.fork.lost), "shard 0: 18 to 18");
}

TEST(ForkTest, AReplicaThatNeverHadAnythingBeginsAfresh) {
  const Succession next = Succeed({}, 2, kFresh);
  EXPECT_EQ(next.fork.parent, HistoryId());
  EXPECT_TRUE(next.ancestors.empty());
  EXPECT_EQ(next.beginnings[1].history, kFresh);
}

TEST(ForkTest, WhatIsHeldOfAFrameThatWasToComeAgainCounts) {
  replication::ReplicaClient::Ending ending = EndingAt({19, 15}, {30, 15});
  ending.tail.resize(2);
  ending.tail[0].before = Sequence(19);
  ending.tail[1].before = Sequence(7);
  CountHeld(kOld, {{Sequence(23), 1023}, {Sequence(11), 1011}}, &ending);
  EXPECT_EQ(ending.tail[0].before, Sequence()) << "it ends below the fork";
  EXPECT_EQ(ending.tail[1].before, Sequence(7));
  const Succession next = Succeed(std::move(ending), 2, kFresh);
  EXPECT_EQ(next.fork.at, (Watermarks{Sequence(23), Sequence(15)}));
  EXPECT_EQ(next.beginnings[0].end.digest, 1023u);
  EXPECT_EQ(next.beginnings[1].end.digest, 115u);
  EXPECT_EQ(LostText(next.fork.lost), "shard 0: 24 to 30");
}

TEST(ForkTest, WhatWasHeldOfAnotherHistoryDoesNotCount) {
  replication::ReplicaClient::Ending ending = EndingAt({19, 15}, {});
  CountHeld(kFresh, {{Sequence(23), 1}, {Sequence(99), 2}}, &ending);
  CountHeld(kOld, {{Sequence(23), 1}}, &ending);
  EXPECT_EQ(Succeed(std::move(ending), 2, kFresh).fork.at,
            (Watermarks{Sequence(19), Sequence(15)}));
}

TEST(ForkTest, TheNewestAncestorsAreKept) {
  replication::ReplicaClient::Ending ending = EndingAt({40}, {40});
  for (uint64_t i = 0; i < 30; ++i) {
    ending.ancestors.push_back({HistoryId(1000 + i), {Sequence(i)}});
  }
  const Succession next = Succeed(std::move(ending), 1, kFresh);
  ASSERT_EQ(next.ancestors.size(), 16u);
  EXPECT_EQ(next.ancestors.back().history, kOld);
  EXPECT_EQ(next.ancestors.front().history, HistoryId(1015));
  EXPECT_EQ(next.beginnings[0].ancestors.size(), 16u);
}

}  // namespace
}  // namespace tidemark::server
