#include "cache/shard_memory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cache/cold_values.h"
#include "cache/fake_tier.h"
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

// One shard with a tier whose disk works when the test says so.
class ShardMemoryTierTest : public testing::Test {
 protected:
  static constexpr size_t kLimitBytes = 16 * kMb;
  static constexpr size_t kValueBytes = 10'000;

  void Begin(EvictionPolicy policy) {
    shards_ = std::make_unique<Shards>(1, policy);
    shards_->budget.set_limit_bytes(kLimitBytes);
    cold_ = std::make_unique<ColdValues>(ColdValues::Options(), &keyspace(), &tier_);
  }
  Keyspace& keyspace() { return *shards_->keyspaces[0]; }
  ShardMemory& memory() { return *shards_->memories[0]; }
  bool Write() { return shards_->Fill(0, kValueBytes, kValueBytes); }
  // Writes until the shard waits. False if it never does, or a write is refused.
  bool WriteUntilItWaits() {
    for (size_t bytes = 0; bytes < 4 * kLimitBytes; bytes += kValueBytes) {
      if (!Write()) return false;
      if (memory().waits_for_tier()) return true;
    }
    return false;
  }

  FakeTier tier_;
  std::unique_ptr<Shards> shards_;
  std::unique_ptr<ColdValues> cold_;
};

TEST_F(ShardMemoryTierTest, AFillFasterThanTheDiskWaitsAndIsNeverRefused) {
  Begin(EvictionPolicy::kNoEviction);
  uint64_t waits = 0;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(Write()) << i;
    ASSERT_LE(shards_->held(0), kLimitBytes + ColdValues::kMaxWritingBytes + 2 * kValueBytes);
    ASSERT_EQ(shards_->budget.writes_should_wait(), memory().waits_for_tier());
    if (!memory().waits_for_tier()) continue;
    // Whoever waits is told once the disk has written something.
    EXPECT_EQ(memory().waits_ended(), waits++);
    for (int k = 0; k < 50; ++k) ASSERT_TRUE(tier_.FinishWrite());
    EXPECT_TRUE(memory().Slice());
    ASSERT_FALSE(memory().waits_for_tier());
  }
  EXPECT_GT(waits, 10u);
  EXPECT_EQ(keyspace().size(), 10'000u);
  tier_.FinishAll();
}

TEST_F(ShardMemoryTierTest, WritesOnTheirWayAreTakenWhileOthersWaitUpToABound) {
  Begin(EvictionPolicy::kNoEviction);
  ASSERT_TRUE(WriteUntilItWaits());
  int taken = 0;
  while (Write()) ++taken;
  EXPECT_GT(taken * kValueBytes, kLimitBytes / 16);
  EXPECT_LE(shards_->held(0),
            kLimitBytes * 9 / 8 + 16 * kMb + ColdValues::kMaxWritingBytes + 2 * kValueBytes);
  tier_.FinishAll();
}

TEST_F(ShardMemoryTierTest, ValuesThatAreAllUnderWayAreWaitedForAndNoKeyGoes) {
  for (const EvictionPolicy policy : {EvictionPolicy::kNoEviction, EvictionPolicy::kAllKeysLru}) {
    Begin(policy);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(Write());
    shards_->budget.set_limit_bytes(100);
    EXPECT_TRUE(Write());
    shards_->Settle();
    EXPECT_TRUE(memory().waits_for_tier());
    EXPECT_EQ(keyspace().size(), 101u);
    while (tier_.writes_under_way() > 0) {
      EXPECT_EQ(keyspace().stats().evicted, 0u);
      tier_.FinishAll();
      if (policy == EvictionPolicy::kNoEviction) shards_->Settle();
    }
    EXPECT_EQ(keyspace().cold_size(), 101u);
  }
}

TEST_F(ShardMemoryTierTest, NobodyWaitsForATierThatIsFull) {
  Begin(EvictionPolicy::kNoEviction);
  ASSERT_TRUE(WriteUntilItWaits());
  tier_.set_refuse_writes(tier::WriteOutcome::kFull);
  tier_.FinishAll();
  shards_->Settle();
  EXPECT_FALSE(memory().waits_for_tier());
  while (Write()) {
  }
  EXPECT_FALSE(memory().waits_for_tier());
  EXPECT_LE(shards_->held(0), kLimitBytes * 33 / 32 + 2 * kValueBytes);
  // Once there is room it goes on.
  tier_.set_refuse_writes(tier::WriteOutcome::kQueued);
  keyspace().set_now_ms(keyspace().now_ms() + ColdValues::kRefusedPauseMs);
  EXPECT_TRUE(Write());
  tier_.FinishAll();
}

TEST_F(ShardMemoryTierTest, NobodyWaitsForEverForADiskThatStandsStill) {
  Begin(EvictionPolicy::kNoEviction);
  ASSERT_TRUE(WriteUntilItWaits());
  keyspace().set_now_ms(keyspace().now_ms() + ColdValues::Options().stalled_ms);
  EXPECT_TRUE(memory().Slice()) << "who waits is to be told";
  EXPECT_FALSE(memory().waits_for_tier());
  EXPECT_FALSE(Write());
  // It moves again.
  tier_.FinishAll();
  EXPECT_TRUE(Write());
  tier_.FinishAll();
}

TEST_F(ShardMemoryTierTest, WhereKeysMayGoTheyGoWhileTheDiskStandsStill) {
  Begin(EvictionPolicy::kAllKeysLru);
  ASSERT_TRUE(WriteUntilItWaits());
  keyspace().set_now_ms(keyspace().now_ms() + ColdValues::Options().stalled_ms);
  EXPECT_TRUE(Write());
  EXPECT_GT(keyspace().stats().evicted, 0u);
  EXPECT_FALSE(memory().waits_for_tier());
  tier_.FinishAll();
}

// As a full sync does it, while what was there is still served.
TEST_F(ShardMemoryTierTest, AKeyspaceThatIsFilledBesideKeepsToTheSameLimit) {
  Begin(EvictionPolicy::kAllKeysTinyLfu);
  keyspace().set_effects_only(true);
  const std::string value(kValueBytes, 'n');
  for (int i = 0; i < 1'000; ++i) {
    keyspace().ApplySet(KeyRef::Of(fmt::format("key:{}", i)), value, kNoExpiry);
  }
  auto staging = std::make_unique<Keyspace>(Keyspace::Options{.effects_only = true});
  keyspace().set_beside(staging.get());
  for (int i = 0; i < 5'000; ++i) {
    staging->ApplySet(KeyRef::Of(fmt::format("key:{}", i)), value, kNoExpiry);
    (void)memory().MakeRoom(kValueBytes);
    if (memory().waits_for_tier()) tier_.FinishAll();
    memory().Publish();
    ASSERT_LE(shards_->budget.used_bytes(), kLimitBytes + ColdValues::kMaxWritingBytes + kMb);
  }
  EXPECT_GT(staging->cold_size(), 3'000u);
  EXPECT_EQ(keyspace().size(), 1'000u);
  EXPECT_EQ(staging->size(), 5'000u);

  keyspace().set_beside(nullptr);
  keyspace().SwapContents(*staging);
  tier_.FinishAll();  // What was under way is the keyspace's now.
  EXPECT_EQ(keyspace().size(), 5'000u);
  staging.reset();
  EXPECT_EQ(tier_.live(), keyspace().cold_size());
  EXPECT_TRUE(keyspace().IsConsistent());
  const Entry* cold = keyspace().Look(KeyRef::Of("key:0"));
  for (int i = 1; !cold->cold(); ++i) {
    cold = keyspace().Look(KeyRef::Of(fmt::format("key:{}", i)));
  }
  EXPECT_EQ(tier_.ReadNow(cold->key(), cold->location())->bytes, value);
  EXPECT_EQ(keyspace().stats().evicted, 0u);
}

TEST_F(ShardMemoryTierTest, WhatIsBesideMovesWithinTheDisk) {
  Begin(EvictionPolicy::kNoEviction);
  Keyspace staging({.effects_only = true});
  keyspace().set_beside(&staging);
  const std::string value(kValueBytes, 'n');
  staging.ApplySet(KeyRef::Of("k"), value, kNoExpiry);
  ASSERT_TRUE(cold_->Take(*staging.Look(KeyRef::Of("k")), KeyHash("k")));
  ASSERT_TRUE(tier_.FinishWrite());
  const tier::ValueLocation at = staging.Look(KeyRef::Of("k"))->location();
  EXPECT_TRUE(cold_->IsAt("k", at));
  EXPECT_TRUE(tier_.Reclaim(at));
  EXPECT_FALSE(staging.Look(KeyRef::Of("k"))->ColdAt(at));
  EXPECT_EQ(tier_.live(), 1u);
  keyspace().set_beside(nullptr);
}

TEST_F(ShardMemoryTierTest, WithoutALimitNobodyWaits) {
  Begin(EvictionPolicy::kNoEviction);
  ASSERT_TRUE(WriteUntilItWaits());
  memory().EndWait();
  EXPECT_FALSE(shards_->budget.writes_should_wait());
  tier_.FinishAll();
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
