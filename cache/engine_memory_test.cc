// A whole engine at its memory limit: what it holds, what it answers, on however many shards.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "cache/commands/errors.h"
#include "cache/engine_test_util.h"

namespace tidemark::cache {
namespace {

constexpr size_t kLimitBytes = 4 << 20;
// What is held while a turn goes on, and of table and batch granularity.
constexpr size_t kSlackBytes = kLimitBytes / 16;

class EngineMemoryTest : public testing::TestWithParam<int> {
 protected:
  EngineMemoryTest() : engine_(OptionsFor(GetParam())), client_(engine_) { engine_.Start(); }

  static Engine::Options OptionsFor(int shards) {
    Engine::Options options;
    options.shard_count = shards;
    return options;
  }
  void Limit(EvictionPolicy policy, size_t bytes = kLimitBytes) {
    EvictionOptions options;
    options.policy = policy;
    engine_.LimitMemory(bytes, options);
  }
  std::string Do(std::vector<std::string> args) { return ToString(client_.Call(std::move(args))); }
  size_t Held() {
    size_t bytes = 0;
    for (int i = 0; i < GetParam(); ++i) {
      bytes += OnShard(engine_, ShardId(static_cast<uint16_t>(i)),
                       [](Shard& shard) { return shard.keyspace().memory_bytes(); });
    }
    return bytes;
  }
  uint64_t Evicted() {
    uint64_t keys = 0;
    for (int i = 0; i < GetParam(); ++i) {
      keys += OnShard(engine_, ShardId(static_cast<uint16_t>(i)),
                      [](Shard& shard) { return shard.keyspace().stats().evicted; });
    }
    return keys;
  }
  // Writes new keys with 1 KiB each; returns the first answer that is not OK.
  std::string Fill(int keys) {
    const std::string value(1024, 'v');
    for (int i = 0; i < keys; ++i) {
      const std::string answer = Do({"SET", fmt::format("fill:{}", next_++), value});
      if (answer != Ok()) return answer;
    }
    return Ok();
  }
  static std::string Ok() { return "OK"; }
  static std::string Oom() { return ToString(Value::Error(kOutOfMemory)); }

  Engine engine_;
  Client client_;
  int next_ = 0;
};

TEST_P(EngineMemoryTest, EvictsWhatItMustAndNoMore) {
  Limit(EvictionPolicy::kAllKeysTinyLfu);
  EXPECT_EQ(Fill(12'000), Ok());
  EXPECT_LE(Held(), kLimitBytes + kSlackBytes);
  EXPECT_GE(Held(), kLimitBytes * 9 / 10);
  EXPECT_GT(Evicted(), 5'000u);
}

TEST_P(EngineMemoryTest, WithoutALimitItKeepsAll) {
  EXPECT_EQ(Fill(6'000), Ok());
  EXPECT_GT(Held(), kLimitBytes);
  EXPECT_EQ(Evicted(), 0u);
}

TEST_P(EngineMemoryTest, ALimitSetLaterIsReached) {
  EXPECT_EQ(Fill(12'000), Ok());
  Limit(EvictionPolicy::kAllKeysLru);
  const auto deadline = std::chrono::steady_clock::now() + kTestDeadline;
  while (Held() > kLimitBytes && std::chrono::steady_clock::now() < deadline) {
  }
  EXPECT_LE(Held(), kLimitBytes);
}

TEST_P(EngineMemoryTest, NoEvictionRefusesWhatNeedsMemoryAndNothingElse) {
  Limit(EvictionPolicy::kNoEviction);
  EXPECT_EQ(Fill(12'000), Oom());
  EXPECT_LE(Held(), kLimitBytes + kSlackBytes);
  // Enough to need every shard.
  EXPECT_EQ(Do({"MSET", "a", "1", "b", "2", "c", "3", "d", "4"}), Oom());
  EXPECT_EQ(Do({"APPEND", "fill:0", "more"}), Oom());
  EXPECT_EQ(Do({"EXISTS", "a", "b", "c", "d"}), "(integer) 0");
  EXPECT_EQ(Do({"STRLEN", "fill:0"}), "(integer) 1024");
  EXPECT_EQ(Do({"EXPIRE", "fill:0", "1000"}), "(integer) 1");
  EXPECT_EQ(Evicted(), 0u);
  // Whoever deletes has room again.
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(Do({"DEL", fmt::format("fill:{}", i)}), "(integer) 1");
  }
  EXPECT_EQ(Do({"SET", "a", "1"}), Ok());
  EXPECT_EQ(Do({"MSET", "a", "1", "b", "2", "c", "3", "d", "4"}), Ok());
}

TEST_P(EngineMemoryTest, TakingTheLimitAwayEndsRefusals) {
  Limit(EvictionPolicy::kNoEviction);
  ASSERT_EQ(Fill(12'000), Oom());
  Limit(EvictionPolicy::kNoEviction, MemoryBudget::kUnlimited);
  EXPECT_EQ(Fill(2'000), Ok());
}

INSTANTIATE_TEST_SUITE_P(Shards, EngineMemoryTest, testing::Values(1, 3));

}  // namespace
}  // namespace tidemark::cache
