#include "replication/ack_board.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace tidemark::replication {
namespace {

Watermarks At(std::vector<uint64_t> sequences) {
  Watermarks watermarks;
  for (uint64_t sequence : sequences) watermarks.emplace_back(sequence);
  return watermarks;
}

// Replicas without logs.
bool Advance(AckBoard& board, const std::vector<Watermarks>& applied) {
  const Watermarks no_log;
  std::vector<AckedCopy> copies;
  for (const Watermarks& each : applied) copies.push_back({.applied = &each, .durable = &no_log});
  return board.Advance(copies);
}

const Watermarks& Applied(const AckBoard& board, int replicas) {
  return board.reached(AckKind::kApplied, replicas);
}

TEST(AckBoardTest, NothingIsReachedWithoutReplicas) {
  AckBoard board(2);
  EXPECT_FALSE(Advance(board, {}));
  EXPECT_EQ(Applied(board, 1), At({0, 0}));
}

TEST(AckBoardTest, OneShardGoesByTheNthHighest) {
  AckBoard board(1);
  EXPECT_TRUE(Advance(board, {At({5}), At({9}), At({7})}));
  EXPECT_EQ(Applied(board, 1), At({9}));
  EXPECT_EQ(Applied(board, 2), At({7}));
  EXPECT_EQ(Applied(board, 3), At({5}));
  EXPECT_EQ(Applied(board, 4), At({0}));
}

TEST(AckBoardTest, AnIdleShardHoldsNothingBack) {
  AckBoard board(2);
  Advance(board, {At({8, 0}), At({6, 0})});
  EXPECT_EQ(Applied(board, 2), At({6, 0}));
}

// Neither replica alone has both, and only one of them can be promoted.
TEST(AckBoardTest, ShardsOfDifferentReplicasDoNotAddUp) {
  AckBoard board(2);
  Advance(board, {At({10, 1}), At({2, 7})});
  EXPECT_EQ(Applied(board, 1), At({10, 1}));
}

TEST(AckBoardTest, AReplicaCountsOnceItCoversWhatWasAcknowledgedWithoutIt) {
  AckBoard board(2);
  Advance(board, {At({10, 1})});
  EXPECT_FALSE(Advance(board, {At({9, 50})})) << "it lacks what was acknowledged";
  EXPECT_EQ(Applied(board, 1), At({10, 1}));
  EXPECT_TRUE(Advance(board, {At({10, 50})}));
  EXPECT_EQ(Applied(board, 1), At({10, 50}));
}

TEST(AckBoardTest, WhatWasReachedStaysWhenReplicasLeave) {
  AckBoard board(1);
  Advance(board, {At({5}), At({5})});
  EXPECT_FALSE(Advance(board, {}));
  EXPECT_EQ(Applied(board, 2), At({5}));
  EXPECT_FALSE(Advance(board, {At({3})})) << "one that began anew";
  EXPECT_EQ(Applied(board, 1), At({5}));
}

TEST(AckBoardTest, DurableIsCountedByItself) {
  AckBoard board(1);
  const Watermarks applied = At({9});
  const Watermarks on_disk = At({4});
  const Watermarks no_log;
  board.Advance(std::vector<AckedCopy>{{&applied, &on_disk}, {&applied, &no_log}});
  EXPECT_EQ(board.reached(AckKind::kApplied, 2), At({9}));
  EXPECT_EQ(board.reached(AckKind::kDurable, 1), At({4}));
  EXPECT_EQ(board.reached(AckKind::kDurable, 2), At({0}));
}

TEST(AckBoardTest, MoreReplicasThanItCountsAreNoHarm) {
  AckBoard board(1);
  Advance(board, std::vector<Watermarks>(3 * AckBoard::kMaxReplicas, At({2})));
  EXPECT_EQ(Applied(board, AckBoard::kMaxReplicas), At({2}));
}

// The rules themselves, against replicas that apply, leave, begin anew and come back: vectors never
// go back, and a vector that has just moved is covered by n replicas of that moment.
TEST(AckBoardTest, EveryMoveIsCoveredByThatManyReplicas) {
  constexpr size_t kShards = 3;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    AckBoard board(kShards);
    Watermarks emitted = At({0, 0, 0});
    std::vector<Watermarks> replicas(1 + random() % 4, emitted);
    std::vector<Watermarks> before(AckBoard::kMaxReplicas, emitted);
    for (int step = 0; step < 200; ++step) {
      Sequence& grown = emitted[random() % kShards];
      grown = Sequence(grown.value() + random() % 5);
      Watermarks& one = replicas[random() % replicas.size()];
      if (random() % 20 == 0) one = At({0, 0, 0});
      const size_t shard = random() % kShards;
      const uint64_t missing = emitted[shard].value() - one[shard].value();
      one[shard] = Sequence(one[shard].value() + (missing == 0 ? 0 : random() % (missing + 1)));
      Advance(board, replicas);
      for (int n = 1; n <= AckBoard::kMaxReplicas; ++n) {
        const Watermarks& now = Applied(board, n);
        const auto covers = [](const Watermarks& a, const Watermarks& b) {
          for (size_t i = 0; i < kShards; ++i) {
            if (a[i] < b[i]) return false;
          }
          return true;
        };
        Watermarks& was = before[static_cast<size_t>(n - 1)];
        ASSERT_TRUE(covers(now, was)) << "seed " << seed;
        if (now == was) continue;
        const auto holding = std::count_if(replicas.begin(), replicas.end(),
                                           [&](const Watermarks& r) { return covers(r, now); });
        ASSERT_GE(holding, n) << "seed " << seed;
        was = now;
      }
    }
    // Quiescent: everybody has everything, and so have all the vectors that anybody counts for.
    for (Watermarks& replica : replicas) replica = emitted;
    Advance(board, replicas);
    ASSERT_EQ(Applied(board, static_cast<int>(replicas.size())), emitted) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tidemark::replication
