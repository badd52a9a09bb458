// A node's disk tier from its settings to its shards, with all its threads.

#include "server/node_tier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/eventually.h"
#include "cache/engine_test_util.h"
#include "wal/disk/simulated_disk.h"

namespace tidemark::server {
namespace {

using cache::KeyRef;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int kShards = 2;

class NodeTierTest : public testing::Test {
 protected:
  NodeTierTest() {
    Set(Setting::kTierDir, "/tier");
    Set(Setting::kTierBytes, "64mb");
  }
  ~NodeTierTest() override { Stop(); }

  void Set(Setting setting, std::string_view text) {
    const absl::Status set = settings_.Set(setting, text);
    ASSERT_TRUE(set.ok()) << set;
  }
  // As Node does it.
  void Start() {
    auto opened = NodeTier::Open(settings_, kShards, disk_, Clock::System());
    ASSERT_TRUE(opened.ok()) << opened.status();
    tier_ = *std::move(opened);
    cache::Engine::Options options;
    options.shard_count = kShards;
    engine_ = std::make_unique<cache::Engine>(std::move(options));
    tier_->Attach(*engine_);
    engine_->Start();
    client_ = std::make_unique<cache::Client>(*engine_);
  }
  void Stop() {
    if (engine_ == nullptr) return;
    tier_->Stop();
    engine_->Stop();
    tier_->Join();
    client_.reset();
    engine_.reset();
    tier_.reset();
  }

  static std::string Long(char c) { return std::string(200, c); }
  // Runs on the shard that owns the key.
  template <typename Work>
  auto At(const std::string& key, Work work) {
    return OnShard(*engine_, engine_->OwnerOf(key, KeyHash(key)), std::move(work));
  }
  bool IsCold(const std::string& key) {
    return At(key,
              [&](cache::Shard& shard) { return shard.keyspace().Look(KeyRef::Of(key))->cold(); });
  }
  // Stores the value and sends it to disk.
  void Chill(const std::string& key, const std::string& value) {
    At(key, [&](cache::Shard& shard) {
      const KeyRef ref = KeyRef::Of(key);
      shard.keyspace().Set(ref, value, cache::kNoExpiry);
      ASSERT_TRUE(shard.cold_values()->Take(*shard.keyspace().Look(ref), ref.hash));
    });
    ASSERT_TRUE(Eventually([&] { return IsCold(key); }));
  }
  std::string Get(const std::string& key) { return ToString(client_->Call({"GET", key})); }
  // Offered to the pool so far. What a command has read is offered before it is answered.
  uint64_t Offered() { return tier_->View().promotions.queued; }
  uint64_t Promoted(const std::string& key) {
    return At(key, [](cache::Shard& shard) { return shard.cold_values()->counters().promoted; });
  }

  wal::SimulatedDisk disk_{1};
  Settings settings_{NodeRole::kPrimary};
  std::unique_ptr<NodeTier> tier_;
  std::unique_ptr<cache::Engine> engine_;
  std::unique_ptr<cache::Client> client_;
};

std::string Quoted(const std::string& value) { return "\"" + value + "\""; }

TEST_F(NodeTierTest, AValueGoesToDiskAndIsAnsweredFromThere) {
  Start();
  for (int shard = 0; shard < kShards; ++shard) {
    const std::string key = KeyOn(*engine_, shard);
    Chill(key, Long('a'));
    EXPECT_EQ(Get(key), Quoted(Long('a')));
  }
  const TierView view = tier_->View();
  EXPECT_TRUE(view.enabled);
  EXPECT_EQ(view.log.demotions_written, 2u);
  EXPECT_EQ(view.log.live_values, 2u);
  EXPECT_EQ(view.log.max_bytes, uint64_t{64} << 20);
}

TEST_F(NodeTierTest, WhatThePageCacheHasIsAnsweredWithoutAThread) {
  disk_.set_cached(wal::SimulatedDisk::Cached::kAll);
  Start();
  for (int shard = 0; shard < kShards; ++shard) {
    const std::string key = KeyOn(*engine_, shard);
    Chill(key, Long('a'));
    EXPECT_EQ(Get(key), Quoted(Long('a')));
  }
  const tier::TierStats log = tier_->View().log;
  EXPECT_EQ(log.reads, 2u);
  EXPECT_EQ(log.reads_cached, 2u);
  EXPECT_EQ(log.reads_not_cached, 0u);
  EXPECT_EQ(log.read_latency.count(), 2u);
}

TEST_F(NodeTierTest, WhatItHasNotGoesToTheThreads) {
  disk_.set_cached(wal::SimulatedDisk::Cached::kNone);
  Start();
  Chill("k", Long('a'));
  EXPECT_EQ(Get("k"), Quoted(Long('a')));
  const tier::TierStats log = tier_->View().log;
  EXPECT_EQ(log.reads, 1u);
  EXPECT_EQ(log.reads_cached, 0u);
  EXPECT_EQ(log.reads_not_cached, 1u);
  EXPECT_EQ(log.read_latency.count(), 1u);
}

TEST_F(NodeTierTest, AtOnceTheFirstReadTakesItBackIntoMemory) {
  Set(Setting::kTierPromotion, "immediate");
  Start();
  Chill("k", Long('a'));
  EXPECT_EQ(Get("k"), Quoted(Long('a')));
  EXPECT_TRUE(Eventually([&] { return !IsCold("k"); }));
  EXPECT_EQ(Get("k"), Quoted(Long('a')));
  EXPECT_EQ(Promoted("k"), 1u);
  EXPECT_EQ(Offered(), 0u) << "the shard has done it, without a thread";
  EXPECT_EQ(tier_->View().log.live_values, 0u);
}

TEST_F(NodeTierTest, WhatIsTooMuchForATurnThePoolPromotes) {
  Set(Setting::kTierPromotion, "immediate");
  Start();
  const std::string value(cache::TurnLandings::kMaxBytes + 1, 'z');
  Chill("k", value);
  EXPECT_EQ(Get("k"), Quoted(value));
  EXPECT_EQ(Offered(), 1u);
  EXPECT_TRUE(Eventually([&] { return !IsCold("k"); }));
  EXPECT_EQ(Get("k"), Quoted(value));
  EXPECT_EQ(Promoted("k"), 1u);
}

TEST_F(NodeTierTest, OnASecondHitTheSecondReadDoes) {
  Set(Setting::kTierPromotion, "on_second_hit");
  Start();
  Chill("k", Long('a'));
  Chill("other", Long('b'));
  Get("k");
  Get("other");
  EXPECT_EQ(Promoted("k"), 0u);
  EXPECT_TRUE(IsCold("k"));
  Get("k");
  EXPECT_TRUE(Eventually([&] { return !IsCold("k"); }));
  EXPECT_TRUE(IsCold("other"));
}

TEST_F(NodeTierTest, ThePolicyChangesWhileTheNodeRuns) {
  Set(Setting::kTierPromotion, "never");
  Start();
  Chill("k", Long('a'));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Get("k"), Quoted(Long('a')));
  EXPECT_TRUE(IsCold("k"));
  EXPECT_EQ(tier_->View().promotion_policy, "never");

  const std::pair<std::string_view, std::string_view> change("tier-promotion", "immediate");
  ASSERT_TRUE(settings_.ConfigSet({&change, 1}).ok());
  EXPECT_EQ(tier_->View().promotion_policy, "immediate");
  Get("k");
  EXPECT_TRUE(Eventually([&] { return !IsCold("k"); }));
}

TEST_F(NodeTierTest, APromotedValueIsThePartOfItsRecordThatItWas) {
  Set(Setting::kTierPromotion, "immediate");
  Set(Setting::kTierCompression, "yes");
  Start();
  Chill("k", std::string(5'000, 'z') + "the end");
  Get("k");
  ASSERT_TRUE(Eventually([&] { return !IsCold("k"); }));
  EXPECT_EQ(Get("k"), Quoted(std::string(5'000, 'z') + "the end"));
}

TEST_F(NodeTierTest, ShortValuesStay) {
  Set(Setting::kTierMinValueBytes, "150");
  Start();
  const auto wanted = [&](size_t bytes) {
    return At("k", [&](cache::Shard& shard) {
      shard.keyspace().Set(KeyRef::Of("k"), std::string(bytes, 'x'), cache::kNoExpiry);
      return shard.cold_values()->Wants(*shard.keyspace().Look(KeyRef::Of("k")));
    });
  };
  EXPECT_FALSE(wanted(149));
  EXPECT_TRUE(wanted(150));
}

TEST_F(NodeTierTest, ADirectoryIsOneNodes) {
  Start();
  const absl::Status second = NodeTier::Open(settings_, kShards, disk_, Clock::System()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("/tier"));
}

// While the shards run on.
TEST_F(NodeTierTest, AfterAStopReadsAreAnsweredWithAnErrorAndNothingIsPromoted) {
  Set(Setting::kTierPromotion, "immediate");
  Start();
  Chill("k", Long('a'));
  Chill("hot", Long('b'));
  Get("hot");
  ASSERT_TRUE(Eventually([&] { return !IsCold("hot"); }));
  tier_->Stop();
  EXPECT_THAT(Get("k"), StartsWith("(error)"));
  EXPECT_EQ(Get("hot"), Quoted(Long('b')));
  EXPECT_EQ(Promoted("hot"), 1u);
  EXPECT_TRUE(IsCold("k"));
}

}  // namespace
}  // namespace tidemark::server
