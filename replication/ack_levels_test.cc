#include "replication/ack_levels.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tidemark::replication {
namespace {

constexpr ShardId kShard0{0};
constexpr ShardId kShard1{1};

// One replica that has applied `first` and `second` of the two shards.
struct Source {
  AckBoard board{2};
  Watermarks applied, no_log;
  const AckBoard& At(uint64_t first, uint64_t second) {
    applied = {Sequence(first), Sequence(second)};
    board.Advance(std::vector<AckedCopy>{{&applied, &no_log}});
    return board;
  }
};

TEST(AckLevelsTest, ShowsWhatWasPublished) {
  AckLevels levels(2, [](ShardId) {});
  Source source;
  const uint64_t before = levels.version();
  levels.Publish(source.At(3, 5), 1, {});
  EXPECT_EQ(levels.reached(AckKind::kApplied, 1, kShard0), Sequence(3));
  EXPECT_EQ(levels.reached(AckKind::kApplied, 1, kShard1), Sequence(5));
  EXPECT_EQ(levels.reached(AckKind::kApplied, 2, kShard1), Sequence());
  EXPECT_EQ(levels.reached(AckKind::kDurable, 1, kShard1), Sequence());
  EXPECT_EQ(levels.connected(), 1);
  EXPECT_NE(levels.version(), before);
}

TEST(AckLevelsTest, WakesAShardOnceForEachTimeItAsked) {
  std::vector<ShardId> woken;
  AckLevels levels(2, [&](ShardId shard) { woken.push_back(shard); });
  Source source;
  levels.Publish(source.At(1, 1), 1, {});
  EXPECT_TRUE(woken.empty()) << "nobody asked";
  levels.NotifyWhenMoved(kShard1);
  levels.Publish(source.At(1, 1), 1, {});
  EXPECT_TRUE(woken.empty()) << "nothing moved";
  levels.Publish(source.At(2, 1), 1, {});
  levels.Publish(source.At(3, 1), 1, {});
  EXPECT_EQ(woken, std::vector<ShardId>{kShard1});
}

TEST(AckLevelsTest, CountsReplicasByHowFreshTheyAre) {
  AckLevels levels(2, [](ShardId) {});
  Source source;
  const std::vector<int64_t> covered = {100, 300, 200};
  levels.Publish(source.At(0, 0), 3, covered);
  EXPECT_EQ(levels.CurrentSince(50), 3);
  EXPECT_EQ(levels.CurrentSince(200), 2);
  EXPECT_EQ(levels.CurrentSince(301), 0);
  levels.Publish(source.At(0, 0), 0, {});
  EXPECT_EQ(levels.CurrentSince(50), 0);
}

// The shard looks after it asked, the link thread publishes before it looks: one sees the other.
TEST(AckLevelsTest, NoMoveIsMissed) {
  constexpr uint64_t kMoves = 20'000;
  std::atomic<uint64_t> wakes{0};
  AckLevels levels(2, [&](ShardId) {
    wakes.fetch_add(1);
    wakes.notify_one();
  });
  std::thread link([&] {
    Source source;
    for (uint64_t i = 1; i <= kMoves; ++i) levels.Publish(source.At(i, 0), 1, {});
  });
  uint64_t seen = 0;
  while (seen < kMoves) {
    const uint64_t wakes_before = wakes.load();
    levels.NotifyWhenMoved(kShard0);
    const uint64_t now = levels.reached(AckKind::kApplied, 1, kShard0).value();
    ASSERT_GE(now, seen);
    // Asleep until the next move: if it were missed, the test would hang.
    if (now == seen) wakes.wait(wakes_before);
    seen = now;
  }
  link.join();
}

}  // namespace
}  // namespace tidemark::replication
