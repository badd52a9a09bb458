#include "cache/shard_memory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cache/keyspace_recorder.h"

namespace tidemark::cache {
namespace {

constexpr size_t kMb = 1 << 20;

// Shards of one node, and writes as Shard makes them.
class Shards {
 public:
  Shards(int count, EvictionPolicy policy) : budget(count) {
    EvictionOptions options;
    options.policy = policy;
    options.limited = true;
    for (int i = 0; i < count; ++i) {
      keyspaces.push_back(std::make_unique<Keyspace>(Keyspace::Options()));
      keyspaces.back()->set_now_ms(1'700'000'000'000);
      keyspaces.back()->SetEviction(options);
      memories.push_back(std::make_unique<ShardMemory>(*keyspaces.back(), budget));
    }
  }
  bool Write(size_t shard, const std::string& key, size_t value_bytes) {
    if (!memories[shard]->MakeRoom(key.size() + value_bytes)) return false;
    keyspaces[shard]->Set(KeyRef::Of(key), std::string(value_bytes, 'v'), kNoExpiry);
    memories[shard]->Publish();
    return true;
  }
  // Writes new keys until so much was written; false if one was refused.
  bool Fill(size_t shard, size_t bytes, size_t value_bytes = 100) {
    for (size_t done = 0; done < bytes; done += value_bytes) {
      if (!Write(shard, fmt::format("key:{}:{}", shard, next_++), value_bytes)) return false;
    }
    return true;
  }
  // What runs between turns; where `limit` is not reached after many, gives up.
  void Settle() {
    for (int turn = 0; turn < 10'000; ++turn) {
      bool more = false;
      for (auto& memory : memories) {
        more |= memory->Slice();
        memory->Publish();
      }
      if (!more) return;
    }
  }
  size_t held(size_t shard) const { return keyspaces[shard]->memory_bytes(); }

  MemoryBudget budget;
  std::vector<std::unique_ptr<Keyspace>> keyspaces;
  std::vector<std::unique_ptr<ShardMemory>> memories;

 private:
  int next_ = 0;
};

TEST(ShardMemoryTest, WithoutALimitNothingGoes) {
  Shards shards(1, EvictionPolicy::kAllKeysLru);
  EXPECT_TRUE(shards.Fill(0, 4 * kMb));
  EXPECT_FALSE(shards.memories[0]->Slice());
  EXPECT_EQ(shards.keyspaces[0]->stats().evicted, 0u);
}

TEST(ShardMemoryTest, WritesAloneStayWithinTheLimit) {
  Shards shards(1, EvictionPolicy::kAllKeysTinyLfu);
  shards.budget.set_limit_bytes(2 * kMb);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(shards.Fill(0, kMb / 20));
    ASSERT_LE(shards.held(0), 2 * kMb + 1'000);
  }
  EXPECT_GT(shards.held(0), kMb * 18 / 10);
}

TEST(ShardMemoryTest, SmallKeysMakeRoomForLargeOnes) {
  Shards shards(1, EvictionPolicy::kAllKeysLru);
  shards.budget.set_limit_bytes(8 * kMb);
  ASSERT_TRUE(shards.Fill(0, kMb, 8));
  ASSERT_TRUE(shards.Fill(0, 30 * kMb, 100'000));
  EXPECT_LE(shards.held(0), 8 * kMb + 200'000);
}

TEST(ShardMemoryTest, ALowerLimitIsReachedInSlices) {
  Shards shards(1, EvictionPolicy::kAllKeysLfu);
  ASSERT_TRUE(shards.Fill(0, 4 * kMb));
  shards.budget.set_limit_bytes(kMb);
  const uint64_t before = shards.keyspaces[0]->stats().evicted;
  EXPECT_TRUE(shards.memories[0]->Slice());
  EXPECT_LE(shards.keyspaces[0]->stats().evicted - before, 128u);
  shards.Settle();
  EXPECT_LE(shards.held(0), kMb);
  EXPECT_GT(shards.held(0), kMb / 2);
}

TEST(ShardMemoryTest, AShardMayUseWhatOthersLeave) {
  Shards shards(2, EvictionPolicy::kAllKeysLru);
  shards.budget.set_limit_bytes(4 * kMb);
  ASSERT_TRUE(shards.Fill(0, 8 * kMb));
  EXPECT_GT(shards.held(0), 3 * kMb);
}

TEST(ShardMemoryTest, OneThatIsAboveItsShareGivesWayToOneBelow) {
  Shards shards(2, EvictionPolicy::kAllKeysLru);
  shards.budget.set_limit_bytes(4 * kMb);
  ASSERT_TRUE(shards.Fill(0, 8 * kMb));
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(shards.Fill(1, kMb / 10));
    shards.Settle();
  }
  EXPECT_GT(shards.held(1), kMb * 19 / 10);
  EXPECT_GT(shards.held(0), kMb * 19 / 10);  // Not below its share.
  EXPECT_LE(shards.held(0) + shards.held(1), 4 * kMb + 1'000);
}

TEST(ShardMemoryTest, OneBelowItsShareWaitsForTheOthersOnlySoLong) {
  Shards shards(2, EvictionPolicy::kAllKeysLru);
  shards.budget.set_limit_bytes(4 * kMb);
  ASSERT_TRUE(shards.Fill(0, 8 * kMb));
  ASSERT_TRUE(shards.Fill(1, 2 * kMb));  // Shard 0 sleeps.
  EXPECT_LE(shards.held(0) + shards.held(1), 4 * kMb + 4 * kMb / 32 + 1'000);
}

TEST(ShardMemoryTest, NoEvictionRefusesOnEveryShardOnceTheSumIsReached) {
  Shards shards(2, EvictionPolicy::kNoEviction);
  shards.budget.set_limit_bytes(2 * kMb);
  EXPECT_FALSE(shards.Fill(0, 4 * kMb));
  EXPECT_FALSE(shards.Write(1, "a", 10));
  EXPECT_LE(shards.held(0) + shards.held(1), 2 * kMb + 1'000);
  EXPECT_FALSE(shards.memories[0]->Slice());
  // Room that somebody made is there for all.
  for (const char* key : {"key:0:0", "key:0:1", "key:0:2"}) {
    ASSERT_TRUE(shards.keyspaces[0]->Delete(KeyRef::Of(key)));
  }
  shards.memories[0]->Publish();
  EXPECT_TRUE(shards.Write(1, "a", 10));
}

TEST(ShardMemoryTest, VolatilePoliciesRefuseOnceOnlyLastingKeysAreLeft) {
  Shards shards(1, EvictionPolicy::kVolatileLru);
  shards.budget.set_limit_bytes(kMb);
  for (int i = 0; i < 100; ++i) {
    shards.keyspaces[0]->Set(KeyRef::Of(fmt::format("volatile:{}", i)), "v", 1'800'000'000'000);
  }
  EXPECT_FALSE(shards.Fill(0, 2 * kMb));
  EXPECT_EQ(shards.keyspaces[0]->stats().evicted, 100u);
  EXPECT_EQ(shards.keyspaces[0]->expiring_size(), 0u);
}

TEST(ShardMemoryTest, TheBudgetIsTheSumOfWhatIsHeld) {
  Shards shards(3, EvictionPolicy::kAllKeysLru);
  for (size_t shard = 0; shard < 3; ++shard) ASSERT_TRUE(shards.Fill(shard, 2 * kMb));
  EXPECT_EQ(shards.budget.used_bytes(), shards.held(0) + shards.held(1) + shards.held(2));
  shards.keyspaces[1]->Flush();
  shards.Settle();
  while (shards.keyspaces[1]->Housekeeping(1'000)) {
  }
  shards.memories[1]->Publish();
  EXPECT_EQ(shards.budget.used_bytes(), shards.held(0) + shards.held(1) + shards.held(2));
}

}  // namespace
}  // namespace tidemark::cache
