#include "server/shard_replay.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/format/open_frame.h"

namespace tidemark::server {
namespace {

// A frame of shard 0 of `shard_count` with sequences from 11 on.
class FrameOf {
 public:
  explicit FrameOf(int shard_count = 1) : shard_count_(shard_count) {}
  FrameOf& Set(std::string_view key, std::string_view value, const Expiry& expiry = {}) {
    return Encoded(EncodeSet(Room(key, value), key, value, expiry));
  }
  FrameOf& Delete(std::string_view key) { return Encoded(EncodeDelete(Room(key, ""), key, 0)); }
  FrameOf& Expire(std::string_view key, const Expiry& expiry) {
    return Encoded(EncodeExpire(Room(key, ""), key, expiry));
  }
  FrameOf& SetRange(std::string_view key, uint64_t offset, std::string_view bytes) {
    return Encoded(EncodeSetRange(Room(key, bytes), key, offset, bytes));
  }
  FrameOf& Flush() { return Encoded(EncodeFlush(Room("", ""))); }
  FrameOf& Damage() {
    *open_.Reserve(2) = 99;
    return Encoded(open_.Reserve(2) + 2);
  }
  FrameRef Seal() {
    FrameHeader header;
    header.shard_count = static_cast<uint16_t>(shard_count_);
    header.record_count = records_;
    header.first_sequence = Sequence(11);
    header.last_sequence = Sequence(10 + records_);
    return open_.Seal(header);
  }

 private:
  char* Room(std::string_view key, std::string_view value) {
    return open_.Reserve(RecordBytesBound(key.size(), value.size()));
  }
  FrameOf& Encoded(char* end) {
    open_.Commit(end);
    ++records_;
    return *this;
  }

  const int shard_count_;
  OpenFrame open_;
  uint32_t records_ = 0;
};

class ShardReplayTest : public testing::Test {
 protected:
  void Apply(FrameOf& frame, int own = 0, int own_shards = 1) {
    ShardReplay replay(&keyspace_, ShardId(static_cast<uint16_t>(own)), own_shards);
    const FrameRef sealed = frame.Seal();
    const absl::Status status =
        replay.Apply(*sealed, sealed->first_sequence(), sealed->last_sequence());
    EXPECT_TRUE(status.ok()) << status;
  }
  std::string Value(std::string_view key) {
    const cache::Entry* entry = keyspace_.Peek(cache::KeyRef::Of(key));
    return entry == nullptr ? "absent" : std::string(entry->value());
  }

  cache::Keyspace keyspace_{cache::Keyspace::Options{.sink = nullptr, .effects_only = true}};
};

TEST_F(ShardReplayTest, AppliesEveryKindOfRecord) {
  keyspace_.set_now_ms(1000);
  FrameOf frame;
  frame.Set("a", "1").Set("b", "2").Delete("a").SetRange("b", 3, "x").Set("c", "3").Expire("c", 5);
  Apply(frame);
  EXPECT_EQ(Value("a"), "absent");
  EXPECT_EQ(Value("b"), std::string("2\0\0x", 4));
  EXPECT_EQ(keyspace_.size(), 2u);  // What has expired is there, and hidden.
  EXPECT_EQ(Value("c"), "absent");
}

TEST_F(ShardReplayTest, ManyRecordsOfOneKeyKeepTheirOrder) {
  FrameOf frame;
  for (int i = 0; i < 100; ++i) frame.Set("a", std::to_string(i));
  frame.Flush().Set("b", "1");
  for (int i = 0; i < 100; ++i) frame.Set("c", std::to_string(i)).Delete("b");
  Apply(frame);
  EXPECT_EQ(Value("a"), "absent");
  EXPECT_EQ(Value("b"), "absent");
  EXPECT_EQ(Value("c"), "99");
}

TEST_F(ShardReplayTest, ExtrasOfAnExpiryComeBack) {
  const Expiry idle(1'000, {.idle_ms = 10, .stale_ms = 0, .hard_at_ms = 0});
  const Expiry stale(1'000, {.idle_ms = 0, .stale_ms = 400, .hard_at_ms = 600});
  FrameOf frame;
  frame.Set("a", "1", idle).Set("b", "2", idle).Expire("b", stale).Set("c", "3", stale);
  frame.Expire("c", 2'000).SetRange("a", 1, "x");
  Apply(frame);
  const auto expiry = [&](std::string_view key) {
    return keyspace_.Peek(cache::KeyRef::Of(key))->expiry();
  };
  EXPECT_EQ(expiry("a"), idle);
  EXPECT_EQ(expiry("b"), stale);
  EXPECT_EQ(expiry("c"), Expiry(2'000));
}

TEST_F(ShardReplayTest, AppliesTheSequencesAskedForAlone) {
  const FrameRef frame = FrameOf().Set("a", "1").Set("b", "1").Set("c", "1").Set("d", "1").Seal();
  ShardReplay replay(&keyspace_, ShardId(0), 1);
  ASSERT_TRUE(replay.Apply(*frame, Sequence(12), Sequence(13)).ok());
  EXPECT_EQ(Value("a"), "absent");
  EXPECT_EQ(Value("b"), "1");
  EXPECT_EQ(Value("c"), "1");
  EXPECT_EQ(Value("d"), "absent");
}

TEST_F(ShardReplayTest, OfAnotherNumberOfShardsItTakesItsOwnKeys) {
  FrameOf frame(2);
  for (int i = 0; i < 100; ++i) frame.Set("k" + std::to_string(i), "1");
  Apply(frame, 1, 3);
  EXPECT_GT(keyspace_.size(), 10u);
  EXPECT_LT(keyspace_.size(), 60u);
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i);
    EXPECT_EQ(Value(key) == "1", ShardOf(key, KeyHash(key), 3) == ShardId(1));
  }
}

TEST_F(ShardReplayTest, AFlushOfAnotherNumberOfShardsTakesThatShardsKeysOnly) {
  keyspace_.set_now_ms(1000);
  FrameOf frame(2);
  // One in two has expired; those go, too.
  for (int i = 0; i < 100; ++i) frame.Set("k" + std::to_string(i), "1", i % 2 == 0 ? 0 : 10);
  frame.Flush();
  Apply(frame);
  size_t others = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i);
    others += ShardOf(key, KeyHash(key), 2) != ShardId(0);
  }
  EXPECT_EQ(keyspace_.size(), others);
  EXPECT_TRUE(keyspace_.IsConsistent());
}

TEST_F(ShardReplayTest, DamageIsAnError) {
  FrameOf frame;
  const FrameRef sealed = frame.Set("a", "1").Damage().Seal();
  ShardReplay replay(&keyspace_, ShardId(0), 1);
  EXPECT_TRUE(absl::IsDataLoss(replay.Apply(*sealed, Sequence(11), Sequence(12))));
}

}  // namespace
}  // namespace tidemark::server
