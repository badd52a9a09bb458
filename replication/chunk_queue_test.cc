#include "replication/chunk_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "replication/encoded_batch_builder.h"

namespace tidemark::replication {
namespace {

using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr ShardId kShard(0);

FrameRef FrameOf(size_t value_bytes, ShardId shard = kShard) {
  EncodedBatchBuilder builder(shard, {});
  builder.Set("key", std::string(value_bytes, 'v'), 0);
  return builder.Seal(HistoryId(1), 2, 1000);
}

class ChunkQueueTest : public testing::Test {
 protected:
  // What is there now.
  std::vector<ChunkQueue::Chunk> TakeNow() {
    std::vector<ChunkQueue::Chunk> chunks;
    queue.Wait(steady_clock::time_point(), &chunks);
    return chunks;
  }
  void WalkOne(size_t value_bytes) { queue.Take(FrameOf(value_bytes), 0, Sequence(1)); }
  void DisplaceOne(size_t value_bytes) {
    queue.Take(FrameOf(value_bytes), value_bytes, Sequence(1));
  }

  std::vector<ShardId> woken;
  ChunkQueue queue{{.shard_count = 2,
                    .walk_bytes = 40'000,
                    .max_displaced_bytes = 80'000,
                    .wake_shard = [this](ShardId shard) { woken.push_back(shard); }}};
};

TEST_F(ChunkQueueTest, GivesChunksInTheirOrderAPieceAtATime) {
  std::vector<FrameRef> frames;
  for (int i = 0; i < 5; ++i) {
    frames.push_back(FrameOf(6'000));
    queue.Take(frames.back(), 0, Sequence(static_cast<uint64_t>(i)));
  }
  std::vector<FrameRef> taken;
  for (int waits = 0; taken.size() < 5; ++waits) {
    ASSERT_LT(waits, 5);
    const auto chunks = TakeNow();
    EXPECT_THAT(chunks, SizeIs(testing::Le(2)));  // Until a quarter, 10,000 bytes, is reached.
    for (const auto& chunk : chunks) {
      EXPECT_EQ(chunk.needed_through, Sequence(taken.size()));
      taken.push_back(chunk.frame);
    }
  }
  EXPECT_EQ(taken, frames);
  EXPECT_EQ(queue.queued_bytes(), 0u);
  EXPECT_THAT(TakeNow(), IsEmpty());
  EXPECT_TRUE(queue.active());
}

TEST_F(ChunkQueueTest, HasRoomUntilAsMuchIsQueuedAndWakesWhoAskedInVain) {
  while (queue.HasRoom(kShard)) WalkOne(5'000);
  EXPECT_GE(queue.queued_bytes(), 40'000u);
  EXPECT_LT(queue.queued_bytes(), 46'000u);
  EXPECT_THAT(woken, IsEmpty());
  while (queue.queued_bytes() >= 40'000) TakeNow();
  EXPECT_THAT(woken, ElementsAre(kShard));
  EXPECT_TRUE(queue.HasRoom(kShard));
  TakeNow();
  EXPECT_THAT(woken, SizeIs(1));
}

TEST_F(ChunkQueueTest, WalkedChunksNeverOverflowIt) {
  for (int i = 0; i < 100; ++i) WalkOne(5'000);
  EXPECT_TRUE(queue.active());
  EXPECT_EQ(queue.utilisation_percent(), 0);
  EXPECT_GE(queue.high_watermark_bytes(), 500'000u);
}

TEST_F(ChunkQueueTest, DisplacedEntriesPastTheBoundEndItAndFreeIt) {
  for (int i = 0; i < 16; ++i) DisplaceOne(5'000);
  EXPECT_TRUE(queue.active());
  EXPECT_EQ(queue.utilisation_percent(), 100);
  DisplaceOne(1);
  EXPECT_EQ(queue.ended(), ChunkQueue::Ended::kOverflowed);
  EXPECT_EQ(queue.queued_bytes(), 0u);
  WalkOne(5'000);
  EXPECT_EQ(queue.queued_bytes(), 0u);
  std::vector<ChunkQueue::Chunk> chunks;
  EXPECT_FALSE(queue.Wait(steady_clock::time_point::max(), &chunks));
}

TEST_F(ChunkQueueTest, AnEntryLargerThanTheBoundGetsThrough) {
  DisplaceOne(200'000);
  EXPECT_TRUE(queue.active());
  EXPECT_THAT(TakeNow(), SizeIs(1));
  EXPECT_EQ(queue.utilisation_percent(), 0);
}

TEST_F(ChunkQueueTest, CancelWakesTheWriterAndKeepsTheFirstCause) {
  std::thread writer([this] {
    std::vector<ChunkQueue::Chunk> chunks;
    EXPECT_FALSE(queue.Wait(steady_clock::now() + std::chrono::hours(1), &chunks));
  });
  queue.Cancel();
  writer.join();
  EXPECT_EQ(queue.ended(), ChunkQueue::Ended::kCancelled);
  EXPECT_FALSE(queue.active());
}

TEST(ChunkQueueThreadsTest, ShardsThatPauseWhenToldAlwaysGoOn) {
  constexpr int kChunks = 300;
  std::array<std::atomic<int>, 2> wakes{};
  ChunkQueue queue({.shard_count = 2,
                    .walk_bytes = 10'000,
                    .max_displaced_bytes = 10'000,
                    .wake_shard = [&](ShardId shard) {
                      ++wakes[shard.value()];
                      wakes[shard.value()].notify_one();
                    }});
  std::vector<std::thread> shards;
  for (uint16_t i = 0; i < 2; ++i) {
    shards.emplace_back([&, shard = ShardId(i)] {
      for (int sent = 0; sent < kChunks;) {
        const int seen = wakes[shard.value()].load();
        if (!queue.HasRoom(shard)) {
          wakes[shard.value()].wait(seen);  // Hangs here if a wake is lost.
          continue;
        }
        queue.Take(FrameOf(1'000, shard), 0, Sequence(static_cast<uint64_t>(++sent)));
      }
    });
  }
  std::array<uint64_t, 2> last{};
  std::vector<ChunkQueue::Chunk> chunks;
  while (last[0] + last[1] < 2 * kChunks) {
    ASSERT_TRUE(queue.Wait(steady_clock::now() + std::chrono::seconds(60), &chunks));
    for (const auto& chunk : chunks) {
      EXPECT_EQ(chunk.needed_through.value(), ++last[chunk.frame->shard().value()]);
    }
  }
  for (std::thread& shard : shards) shard.join();
  EXPECT_LT(queue.high_watermark_bytes(), 15'000u);
}

}  // namespace
}  // namespace tidemark::replication
