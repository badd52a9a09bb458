#include "server/held_replies.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace tidemark::server {
namespace {

Watermarks At(std::vector<uint64_t> sequences) {
  Watermarks watermarks;
  for (uint64_t sequence : sequences) watermarks.emplace_back(sequence);
  return watermarks;
}

TEST(HeldRepliesTest, OutputOfAConnectionThatWritesNothingIsFree) {
  HeldReplies held;
  held.Note(100, At({0, 0}));
  held.Note(200, At({0, 0}));
  EXPECT_TRUE(held.empty());
  EXPECT_EQ(held.limit(), HeldReplies::kNoLimit);
}

TEST(HeldRepliesTest, RepliesFromAWriteOnWaitForItsShard) {
  HeldReplies held;
  held.Note(100, At({0, 0}));
  held.Note(150, At({0, 7}));
  held.Note(180, At({0, 7}));  // A read after the write: in its place in the order.
  EXPECT_EQ(held.limit(), 100u);
  EXPECT_FALSE(held.Release(At({99, 6})));
  EXPECT_EQ(held.limit(), 100u);
  EXPECT_TRUE(held.Release(At({0, 7})));
  EXPECT_EQ(held.limit(), HeldReplies::kNoLimit);
}

TEST(HeldRepliesTest, ALaterWriteThatIsDurableWaitsBehindAnEarlierOneThatIsNot) {
  HeldReplies held;
  held.Note(10, At({5, 0}));
  held.Note(20, At({5, 3}));
  EXPECT_FALSE(held.Release(At({4, 3})));
  EXPECT_EQ(held.limit(), 0u);
  EXPECT_TRUE(held.Release(At({5, 3})));
  EXPECT_TRUE(held.empty());
}

TEST(HeldRepliesTest, EachWriteLetsGoOfTheRepliesBeforeTheNext) {
  HeldReplies held;
  held.Note(10, At({1}));
  held.Note(20, At({2}));
  held.Note(30, At({3}));
  EXPECT_TRUE(held.Release(At({2})));
  EXPECT_EQ(held.limit(), 20u);
}

TEST(HeldRepliesTest, AnswersOfSeveralShardsWaitForAll) {
  HeldReplies held;
  held.Note(10, At({4, 9}));
  EXPECT_FALSE(held.Release(At({4, 8})));
  EXPECT_EQ(held.limit(), 0u);
  EXPECT_TRUE(held.Release(At({4, 9})));
}

// The write has run, but its reply stands behind an earlier command's that is not there yet.
TEST(HeldRepliesTest, AReplyThatReachesTheOutputAfterItsWriteWasNotedWaitsToo) {
  HeldReplies held;
  held.Note(0, At({6}));
  held.Note(40, At({6}));
  EXPECT_EQ(held.limit(), 0u);
}

TEST(HeldRepliesTest, WhatWasNotedIsNotHeldAgainAfterAllWasLetGo) {
  HeldReplies held;
  held.Note(10, At({5}));
  held.ReleaseAll();
  EXPECT_EQ(held.limit(), HeldReplies::kNoLimit);
  held.Note(20, At({5}));
  EXPECT_TRUE(held.empty());
}

TEST(HeldRepliesTest, MemoryIsBoundedHoweverManyWritesWait) {
  HeldReplies held;
  const uint64_t many = 3 * HeldReplies::kMaxHolds;
  for (uint64_t i = 1; i <= many; ++i) held.Note(i, At({i}));
  EXPECT_TRUE(held.Release(At({many - 1})));
  EXPECT_LT(held.limit(), many) << "the last write is not durable";
  EXPECT_TRUE(held.Release(At({many})));
  EXPECT_TRUE(held.empty());
}

TEST(HeldRepliesTest, PastTheBoundAWriteJoinsAHoldOfItsOwnShard) {
  HeldReplies held;
  held.Note(1, At({0, 5}));
  for (uint64_t i = 2; i <= HeldReplies::kMaxHolds; ++i) held.Note(i, At({i, 5}));
  const uint64_t last = HeldReplies::kMaxHolds;
  held.Note(last + 1, At({last, 9}));
  held.Release(At({last, 5}));
  EXPECT_FALSE(held.empty()) << "the other shard's write is not durable";
  held.Release(At({last, 9}));
  EXPECT_TRUE(held.empty());
}

// Against the rule itself: byte b may leave once all that was written when it was noted is durable.
TEST(HeldRepliesTest, NoByteLeavesBeforeTheWritesNotedUpToIt) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    HeldReplies held;
    Watermarks written = At({0, 0, 0});
    Watermarks durable = written;
    std::vector<Watermarks> needs;  // By byte.
    for (int step = 0; step < 200; ++step) {
      if (random() % 3 == 0) {
        Sequence& one = written[random() % 3];
        one = Sequence(one.value() + random() % 4);
      }
      needs.resize(needs.size() + random() % 5, written);
      held.Note(needs.size(), written);
      if (random() % 2 == 0) {
        const size_t shard = random() % 3;
        const uint64_t left = written[shard].value() - durable[shard].value();
        durable[shard] = Sequence(durable[shard].value() + (left == 0 ? 0 : random() % (left + 1)));
        held.Release(durable);
      }
      for (size_t byte = 0; byte < std::min<uint64_t>(needs.size(), held.limit()); ++byte) {
        for (size_t shard = 0; shard < 3; ++shard) {
          ASSERT_LE(needs[byte][shard], durable[shard]) << "seed " << seed << " byte " << byte;
        }
      }
      if (durable == written) {
        held.Release(durable);
        ASSERT_TRUE(held.empty()) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace tidemark::server
