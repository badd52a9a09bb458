#include "replication/shell/served_board.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tidemark::replication {
namespace {

ServedPosition At(uint64_t sequence, HistoryId history = HistoryId(7)) {
  return {.history = history,
          .ancestors = {},
          .reached = {Sequence(sequence)},
          .shown_history = history,
          .shown = {Sequence(sequence)}};
}

TEST(ServedBoardTest, AShardIsWokenOnceForEachTimeItAsks) {
  std::vector<ShardId> woken;
  ServedBoard board(2, [&](ShardId shard) { woken.push_back(shard); });
  board.Show(At(1));
  EXPECT_TRUE(woken.empty()) << "nobody asked";
  board.WakeOnMove(ShardId(1));
  board.Show(At(2));
  board.Show(At(3));
  EXPECT_EQ(woken, std::vector<ShardId>{ShardId(1)});
  EXPECT_EQ(board.Get().reached, Watermarks{Sequence(3)});
}

TEST(ServedBoardTest, TheGenerationChangesUnlessThePositionMovesForward) {
  ServedBoard board(1, [](ShardId) {});
  board.Show(At(5));
  const uint64_t first = board.generation();
  board.Show(At(9));
  EXPECT_EQ(board.generation(), first);
  board.Show(At(8));
  const uint64_t back = board.generation();
  EXPECT_NE(back, first) << "a snapshot of an older state";
  board.Show(At(20, HistoryId(8)));
  EXPECT_NE(board.generation(), back) << "another history, whatever the number";
}

TEST(ServedBoardTest, AgeGrowsFromWhenItWasCurrent) {
  ServedBoard board(1, [](ShardId) {});
  EXPECT_EQ(board.StaleMs(5'000), -1) << "never known";
  board.ShowAge(4'000, 3);
  EXPECT_EQ(board.StaleMs(5'000), 1'000);
  EXPECT_EQ(board.StaleMs(3'999), 0) << "the reader's clock was read before";
  EXPECT_EQ(board.lag_records(), 3u);
}

// Whoever asks and then looks misses no move: it sees the position or is woken for it.
TEST(ServedBoardTest, NoMoveFallsBetweenAskingAndLooking) {
  constexpr uint64_t kMoves = 20'000;
  std::atomic<uint64_t> wakes{0};
  ServedBoard board(1, [&](ShardId) { wakes.fetch_add(1); });
  std::thread link([&] {
    for (uint64_t i = 1; i <= kMoves; ++i) board.Show(At(i));
  });
  uint64_t seen = 0;
  while (seen < kMoves) {
    const uint64_t wakes_before = wakes.load();
    board.WakeOnMove(ShardId(0));
    const Watermarks reached = board.Get().reached;
    const uint64_t now = reached.empty() ? 0 : reached[0].value();
    if (now > seen) {
      seen = now;
      continue;
    }
    while (wakes.load() == wakes_before) std::this_thread::yield();
  }
  link.join();
}

}  // namespace
}  // namespace tidemark::replication
