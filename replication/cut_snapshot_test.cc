// CutWalk and ChunkRouter together: what a replica's snapshot holds.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/format/record.h"
#include "base/key_hash.h"
#include "replication/chunk_router.h"
#include "replication/cut_walk.h"

namespace tidemark::replication {
namespace {

using Contents = std::map<std::string, std::string>;

void Set(cache::Keyspace& keyspace, const std::string& key, const std::string& value) {
  keyspace.ApplySet(cache::KeyRef::Of(key), value, cache::kNoExpiry);
}

class CutSnapshotTest : public testing::TestWithParam<int> {
 protected:
  static constexpr int kOwnShards = 3;

  void SetUp() override {
    for (int i = 0; i < kOwnShards; ++i) {
      keyspaces_.push_back(std::make_unique<cache::Keyspace>(
          cache::Keyspace::Options{.sink = nullptr, .effects_only = true}));
      walks_.push_back(
          std::make_unique<CutWalk>(ShardId(static_cast<uint16_t>(i)), keyspaces_.back().get()));
    }
    queue_ = std::make_shared<ChunkQueue>(
        ChunkQueue::Options{.shard_count = kOwnShards, .wake_shard = [](ShardId) {}});
  }
  cache::Keyspace& Owner(const std::string& key) {
    return *keyspaces_[ShardOf(key, KeyHash(key), kOwnShards).value()];
  }
  bool Step() {
    bool more = false;
    for (const auto& walk : walks_) more |= walk->DoSlice();
    return more;
  }

  std::vector<std::unique_ptr<cache::Keyspace>> keyspaces_;
  std::vector<std::unique_ptr<CutWalk>> walks_;
  std::shared_ptr<ChunkQueue> queue_;
};

TEST_P(CutSnapshotTest, HoldsTheCutInThePrimarysShardsWhateverChangesMeanwhile) {
  const int primary_shards = GetParam();
  Contents expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "key:" + std::to_string(i);
    expected[key] = std::string(static_cast<size_t>(i % 100), 'v');
    Set(Owner(key), key, expected[key]);
  }
  for (const auto& walk : walks_) ASSERT_TRUE(walk->Begin(queue_));
  for (int i = 0; Step(); ++i) {
    const std::string key = "key:" + std::to_string(i * 7 % 6000);
    i % 3 == 0 ? Owner(key).ApplyDelete(cache::KeyRef::Of(key)) : Set(Owner(key), key, "changed");
    if (i == 20) keyspaces_[0]->ApplyFlush();
  }

  ReplicaPosition at{.history = HistoryId(5), .shards = {}};
  for (int i = 0; i < primary_shards; ++i) at.shards.push_back({Sequence(10), 3});
  ChunkRouter router({.at = at, .own_shards = kOwnShards, .chunk_bytes = 4096, .now_ms = 1});
  Contents found;
  std::vector<int> lasts(static_cast<size_t>(primary_shards));
  std::vector<ChunkQueue::Chunk> chunks;
  while (!router.complete()) {
    ASSERT_TRUE(queue_->Wait(std::chrono::steady_clock::now(), &chunks));
    ASSERT_FALSE(chunks.empty());
    for (const ChunkQueue::Chunk& chunk : chunks) {
      const absl::Status added = router.Add(*chunk.frame, [&](FrameRef routed) {
        EXPECT_EQ(routed->history(), HistoryId(5));
        EXPECT_EQ(routed->last_sequence(), Sequence(10));
        if (routed->is_last_chunk()) ++lasts[routed->shard().value()];
        RecordReader reader(*routed);
        Record record;
        while (*reader.Next(&record)) {
          EXPECT_EQ(ShardOf(record.key, KeyHash(record.key), primary_shards), routed->shard());
          EXPECT_TRUE(found.emplace(record.key, record.value).second) << record.key;
        }
        return absl::OkStatus();
      });
      ASSERT_TRUE(added.ok()) << added;
    }
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(lasts, std::vector<int>(static_cast<size_t>(primary_shards), 1));
}

INSTANTIATE_TEST_SUITE_P(PrimaryShards, CutSnapshotTest, testing::Values(1, 2, 3, 8));

using CutWalkTest = CutSnapshotTest;

TEST_P(CutWalkTest, AWalkWhoseKeyspaceWasReplacedEndsTheSnapshot) {
  for (int i = 0; i < 1000; ++i) Set(*keyspaces_[0], std::to_string(i), "v");
  ASSERT_TRUE(walks_[0]->Begin(queue_));
  EXPECT_TRUE(walks_[0]->DoSlice());
  // As a full sync does; and somebody else walks what came in its place.
  keyspaces_[0]->CancelWalk();
  CutWalk other(ShardId(0), keyspaces_[0].get());
  ASSERT_TRUE(other.Begin(queue_));
  EXPECT_FALSE(walks_[0]->DoSlice());
  EXPECT_EQ(queue_->ended(), ChunkQueue::Ended::kCancelled);
}

TEST_P(CutWalkTest, OneWalkAtATime) {
  CutWalk other(ShardId(0), keyspaces_[0].get());
  ASSERT_TRUE(walks_[0]->Begin(queue_));
  EXPECT_FALSE(other.Begin(queue_));
}

INSTANTIATE_TEST_SUITE_P(One, CutWalkTest, testing::Values(1));

}  // namespace
}  // namespace tidemark::replication
