// Which keys go, in which order, and that each going is an effect.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cache/fake_tier.h"
#include "cache/keyspace.h"
#include "cache/keyspace_recorder.h"

namespace tidemark::cache {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

class KeyspaceEvictionTest : public testing::Test {
 protected:
  KeyspaceEvictionTest() : keyspace_({.sink = &sink_, .random_seed = 7}) {
    keyspace_.set_now_ms(now_ms_);
  }

  // With as many samples as there are keys the policies are exact.
  void Use(EvictionPolicy policy, int samples = 1'000) {
    EvictionOptions options;
    options.policy = policy;
    options.samples = samples;
    options.limited = true;
    keyspace_.SetEviction(options);
  }
  void Pass(int64_t ms) { keyspace_.set_now_ms(now_ms_ += ms); }
  void Set(const std::string& key, int64_t expire_at_ms = kNoExpiry) {
    keyspace_.Set(KeyRef::Of(key), "value", expire_at_ms);
  }
  void Read(const std::string& key, int times = 1) {
    for (int i = 0; i < times; ++i) ASSERT_NE(keyspace_.Find(KeyRef::Of(key)), nullptr);
  }
  bool Has(const std::string& key) { return keyspace_.Peek(KeyRef::Of(key)) != nullptr; }
  // The key that goes; empty if none does.
  std::string Evict() {
    const State before = StateOf(keyspace_);
    if (keyspace_.EvictOne() != Eviction::kFreed) return "";
    const State after = StateOf(keyspace_);
    EXPECT_EQ(after.size() + 1, before.size());
    for (const auto& [key, value] : before) {
      if (!after.contains(key)) return key;
    }
    return "";
  }
  std::vector<std::string> EvictAll() {
    std::vector<std::string> order;
    for (std::string key = Evict(); !key.empty(); key = Evict()) order.push_back(key);
    return order;
  }

  int64_t now_ms_ = kNow;
  FakeTier disk_;
  MutationRecorder sink_;
  Keyspace keyspace_;
};

using Order = std::vector<std::string>;

TEST_F(KeyspaceEvictionTest, LruGivesUpTheLongestUnused) {
  Use(EvictionPolicy::kAllKeysLru);
  for (const char* key : {"a", "b", "c", "d"}) {
    Set(key);
    Pass(2'000);
  }
  Read("b");
  Pass(2'000);
  Set("a");  // A write is a use, too.
  EXPECT_EQ(EvictAll(), (Order{"c", "d", "b", "a"}));
}

TEST_F(KeyspaceEvictionTest, LruIsExactOnASmallTableWhateverIsUsed) {
  Use(EvictionPolicy::kAllKeysLru);
  std::mt19937_64 random(11);
  Order model;  // The longest unused first.
  const auto used = [&](const std::string& key) {
    std::erase(model, key);
    model.push_back(key);
  };
  for (int step = 0; step < 2'000; ++step) {
    Pass(1'000);
    const std::string key = fmt::format("key:{}", random() % 40);
    if (random() % 8 == 0 && !model.empty()) {
      ASSERT_EQ(Evict(), model.front()) << "at step " << step;
      model.erase(model.begin());
    } else if (random() % 2 == 0 && Has(key)) {
      Read(key);
      used(key);
    } else {
      Set(key);
      used(key);
    }
  }
  EXPECT_TRUE(keyspace_.IsConsistent());
}

TEST_F(KeyspaceEvictionTest, LfuGivesUpTheSeldomUsed) {
  Use(EvictionPolicy::kAllKeysLfu);
  for (const char* key : {"a", "b", "c"}) Set(key);
  Read("a", 200);
  Read("c", 1);
  EXPECT_EQ(EvictAll(), (Order{"b", "c", "a"}));
}

TEST_F(KeyspaceEvictionTest, AnOverwriteKeepsTheCount) {
  Use(EvictionPolicy::kAllKeysLfu);
  for (const char* key : {"a", "b"}) Set(key);
  Read("a", 200);
  Read("b", 2);
  keyspace_.Set(KeyRef::Of("a"), std::string(500, 'v'), kNoExpiry);  // Another allocation.
  EXPECT_EQ(EvictAll(), (Order{"b", "a"}));
}

TEST_F(KeyspaceEvictionTest, TtlGivesUpWhatEndsSoonest) {
  Use(EvictionPolicy::kVolatileTtl);
  Set("late", now_ms_ + 3'000);
  Set("soon", now_ms_ + 1'000);
  Set("for ever");
  Set("later", now_ms_ + 2'000);
  EXPECT_EQ(EvictAll(), (Order{"soon", "later", "late"}));
  EXPECT_TRUE(Has("for ever"));
}

struct VolatileCase {
  std::string_view name;
  EvictionPolicy policy;
};
class VolatileTest : public KeyspaceEvictionTest,
                     public testing::WithParamInterface<VolatileCase> {};

TEST_P(VolatileTest, OnlyKeysWithAnExpiryGo) {
  Use(GetParam().policy, 5);
  for (int i = 0; i < 200; ++i) {
    Set(fmt::format("key:{}", i), i % 4 == 0 ? now_ms_ + 60'000 : kNoExpiry);
  }
  EXPECT_EQ(EvictAll().size(), 50u);
  EXPECT_EQ(keyspace_.size(), 150u);
  EXPECT_EQ(keyspace_.EvictOne(), Eviction::kNothing);
}

INSTANTIATE_TEST_SUITE_P(Policies, VolatileTest,
                         testing::Values(VolatileCase{"Lru", EvictionPolicy::kVolatileLru},
                                         VolatileCase{"Lfu", EvictionPolicy::kVolatileLfu},
                                         VolatileCase{"Random", EvictionPolicy::kVolatileRandom},
                                         VolatileCase{"Ttl", EvictionPolicy::kVolatileTtl}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(KeyspaceEvictionTest, RandomGivesUpEverythingInTheEnd) {
  Use(EvictionPolicy::kAllKeysRandom);
  for (int i = 0; i < 200; ++i) Set(fmt::format("key:{}", i));
  const Order order = EvictAll();
  EXPECT_EQ(std::set<std::string>(order.begin(), order.end()).size(), 200u);
}

TEST_F(KeyspaceEvictionTest, TinyLfuGivesUpTheSeldomUsedAndOfThoseTheNewest) {
  Use(EvictionPolicy::kAllKeysTinyLfu);
  for (const char* key : {"a", "b", "c"}) Set(key);
  Read("a", 2);
  Read("b", 1);
  for (int i = 0; i < 12; ++i) {
    Read("a");
    Pass(1);  // Requests pass, and so do ticks.
  }
  Set("d");
  EXPECT_EQ(EvictAll(), (Order{"d", "c", "b", "a"}));
}

TEST_F(KeyspaceEvictionTest, TinyLfuRemembersWhatHadToGo) {
  Use(EvictionPolicy::kAllKeysTinyLfu);
  for (const char* key : {"a", "b"}) Set(key);
  Read("a", 5);
  Read("b", 6);
  ASSERT_EQ(Evict(), "a");
  Set("a");
  Set("c");
  Read("c", 2);
  // A key that is new but for its past.
  EXPECT_EQ(EvictAll(), (Order{"c", "b", "a"}));
}

TEST_F(KeyspaceEvictionTest, AScanWearsAwayItselfUnderTinyLfu) {
  Use(EvictionPolicy::kAllKeysTinyLfu, 5);
  for (int i = 0; i < 1'000; ++i) Set(fmt::format("hot:{}", i));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1'000; ++i) Read(fmt::format("hot:{}", i));
  }
  for (int i = 0; i < 20'000; ++i) {
    Set(fmt::format("scan:{}", i));
    while (keyspace_.size() > 1'200) ASSERT_EQ(keyspace_.EvictOne(), Eviction::kFreed);
    if (i % 100 == 0) Pass(1);
  }
  int left = 0;
  for (int i = 0; i < 1'000; ++i) left += Has(fmt::format("hot:{}", i));
  EXPECT_GT(left, 900);
}

TEST_F(KeyspaceEvictionTest, NoEvictionGivesUpNothing) {
  Use(EvictionPolicy::kNoEviction);
  Set("a", now_ms_ + 1'000);
  EXPECT_EQ(keyspace_.EvictOne(), Eviction::kNothing);
  EXPECT_TRUE(Has("a"));
}

TEST_F(KeyspaceEvictionTest, AReplicaGivesUpNothing) {
  Use(EvictionPolicy::kAllKeysLru);
  Set("a");
  keyspace_.set_effects_only(true);
  EXPECT_EQ(keyspace_.EvictOne(), Eviction::kNothing);
  EXPECT_TRUE(Has("a"));
}

TEST_F(KeyspaceEvictionTest, EveryEvictionIsAnEffectAndIsCounted) {
  Use(EvictionPolicy::kAllKeysLru);
  for (int i = 0; i < 100; ++i) Set(fmt::format("key:{}", i));
  for (int i = 0; i < 60; ++i) ASSERT_EQ(keyspace_.EvictOne(), Eviction::kFreed);
  EXPECT_EQ(keyspace_.stats().evicted, 60u);
  EXPECT_EQ(sink_.replica(), StateOf(keyspace_));
  EXPECT_TRUE(keyspace_.IsConsistent());
}

TEST_F(KeyspaceEvictionTest, AWalkStillShowsWhatIsEvictedMeanwhile) {
  Use(EvictionPolicy::kAllKeysRandom);
  for (int i = 0; i < 300; ++i) Set(fmt::format("key:{}", i));
  const State then = StateOf(keyspace_);
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  while (!keyspace_.WalkSome(10)) keyspace_.EvictOne();
  EXPECT_EQ(recorder.seen(), then);
  EXPECT_EQ(recorder.repeats(), 0);
}

TEST_F(KeyspaceEvictionTest, WhatAFlushLeftBehindGoesFirst) {
  Use(EvictionPolicy::kAllKeysLru);
  for (int i = 0; i < 1'000; ++i) Set(fmt::format("old:{}", i));
  keyspace_.Flush();
  Set("new");
  while (keyspace_.memory_bytes() > 10'000) ASSERT_EQ(keyspace_.EvictOne(), Eviction::kFreed);
  EXPECT_TRUE(Has("new"));
  EXPECT_EQ(keyspace_.stats().evicted, 0u);
}

// Takes every value, until it is told to take no more.
class Tier final : public VictimTaker {
 public:
  bool TakesAny() const override { return true; }
  bool Wants(const Entry& entry) override {
    return wants && !taken.contains(std::string(entry.key()));
  }
  bool Take(const Entry& entry, uint64_t hash) override {
    EXPECT_EQ(hash, KeyHash(entry.key()));
    if (busy) return false;
    taken.insert(std::string(entry.key()));
    return true;
  }
  size_t pending_bytes() const override { return 0; }

  bool wants = true;
  bool busy = false;
  std::set<std::string> taken;
};

TEST_F(KeyspaceEvictionTest, ATierTakesValuesAndKeysStay) {
  Use(EvictionPolicy::kAllKeysLru);
  for (const char* key : {"a", "b"}) {
    Set(key);
    Pass(2'000);
  }
  Tier tier;
  keyspace_.set_victim_taker(&tier);
  EXPECT_EQ(keyspace_.EvictOne(), Eviction::kPending);
  EXPECT_EQ(tier.taken, (std::set<std::string>{"a"}));
  tier.busy = true;
  EXPECT_EQ(keyspace_.EvictOne(), Eviction::kBusy);
  EXPECT_EQ(keyspace_.size(), 2u);
}

TEST_F(KeyspaceEvictionTest, KeysGoOnceTheTierWantsNothingMore) {
  Use(EvictionPolicy::kAllKeysLru);
  Set("a");
  Tier tier;
  tier.wants = false;
  keyspace_.set_victim_taker(&tier);
  EXPECT_EQ(keyspace_.EvictOne(), Eviction::kFreed);
  EXPECT_EQ(keyspace_.size(), 0u);
}

TEST_F(KeyspaceEvictionTest, AReplicasTierTakesValuesAndNoKeyGoes) {
  Use(EvictionPolicy::kAllKeysLru);
  keyspace_.set_effects_only(true);
  for (int i = 0; i < 10; ++i) Set(fmt::format("key:{}", i));
  Tier tier;
  keyspace_.set_victim_taker(&tier);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(keyspace_.EvictOne(), Eviction::kPending);
  EXPECT_EQ(keyspace_.EvictOne(), Eviction::kNothing);
  EXPECT_EQ(keyspace_.size(), 10u);
}

TEST_F(KeyspaceEvictionTest, TheFewValuesInMemoryAreFoundAmongManyOnDisk) {
  keyspace_.set_tier(&disk_);
  Use(EvictionPolicy::kAllKeysTinyLfu, 5);
  Tier tier;
  const std::string value(100, 'v');
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = fmt::format("key:{}", i);
    keyspace_.Set(KeyRef::Of(key), value, kNoExpiry);
    if (i % 200 == 0) continue;  // A hundred stay.
    ASSERT_TRUE(keyspace_.MakeCold(KeyRef::Of(key), value, disk_.Put(key, value)));
    tier.taken.insert(key);
  }
  keyspace_.set_victim_taker(&tier);
  // The last ones are harder to find, and one is enough at a time.
  for (int i = 0; i < 80; ++i) ASSERT_EQ(keyspace_.EvictOne(), Eviction::kPending) << i;
  EXPECT_EQ(keyspace_.size(), 20'000u);
}

TEST_F(KeyspaceEvictionTest, WithNoEvictionATierTakesValuesButKeysStay) {
  Use(EvictionPolicy::kNoEviction);
  for (int i = 0; i < 10; ++i) Set(fmt::format("key:{}", i));
  Tier tier;
  keyspace_.set_victim_taker(&tier);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(keyspace_.EvictOne(), Eviction::kPending);
  EXPECT_EQ(keyspace_.EvictOne(), Eviction::kNothing);
  EXPECT_EQ(keyspace_.size(), 10u);
}

}  // namespace
}  // namespace tidemark::cache
