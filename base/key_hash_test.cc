#include "base/key_hash.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidemark {
namespace {

// Replicas of another release must place a key as their primary does: these numbers never change.
TEST(KeyHashTest, IsXxh3ForEver) {
  EXPECT_EQ(KeyHash(""), 0x2d06800538d394c2u);
  EXPECT_EQ(KeyHash("foo"), 0xab6e5f64077e7d8au);
  EXPECT_EQ(KeyHash("user:1000"), 0xfb6841b2068c0c9fu);
  EXPECT_EQ(KeyHash("package:bash"), 0x01d1db46b18799dau);
  EXPECT_EQ(KeyHash(std::string(300, 'x')), 0xa5d1b4607dc83554u);
}

TEST(HashTagTest, IsWhatRedisClusterTakes) {
  struct Case {
    std::string_view key, tag;
  };
  for (const Case& c : std::vector<Case>{
           {"plain", "plain"},
           {"", ""},
           {"{user1000}.following", "user1000"},
           {"a{b}c", "b"},
           {"foo{}{bar}", "foo{}{bar}"},    // The first pair is empty: no tag.
           {"foo{{bar}}zap", "{bar"},       // From the first '{' to the first '}' after it.
           {"foo{bar}{zap}", "bar"},        // Only the first pair counts.
           {"foo{bar", "foo{bar"},          // Never closed.
           {"foo}bar{baz", "foo}bar{baz"},  // Closed only before it opens.
           {"foo}{bar}", "bar"},
           {"{}", "{}"},
           {"{x}", "x"},
       }) {
    EXPECT_EQ(HashTag(c.key), c.tag) << c.key;
  }
}

TEST(ShardOfTest, KeysOfOneTagShareAShard) {
  for (int shards : {2, 3, 7, 64}) {
    const std::string_view a = "{user:7}.name";
    const std::string_view b = "cart{user:7}";
    const std::string_view bare = "user:7";
    EXPECT_EQ(ShardOf(a, KeyHash(a), shards), ShardOf(b, KeyHash(b), shards));
    EXPECT_EQ(ShardOf(a, KeyHash(a), shards), ShardOf(bare, KeyHash(bare), shards));
  }
}

TEST(ShardOfTest, CoversTheRangeOfHashes) {
  for (int shards : {1, 2, 3, 1000, kMaxShards}) {
    EXPECT_EQ(ShardOfTagHash(0, shards), ShardId(0));
    EXPECT_EQ(ShardOfTagHash(~uint64_t{0}, shards), ShardId(static_cast<uint16_t>(shards - 1)));
  }
}

// Keys as programs name them, not random ones: counters at the end are what a weak hash fails on.
TEST(ShardOfTest, SpreadsNumberedKeysEvenly) {
  constexpr int kKeys = 100'000;
  for (int shards : {2, 3, 4, 16}) {
    std::vector<int> keys_of(static_cast<size_t>(shards));
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = "key:" + std::to_string(i);
      ++keys_of[ShardOf(key, KeyHash(key), shards).value()];
    }
    for (int keys : keys_of) {
      EXPECT_NEAR(keys, kKeys / shards, 0.05 * kKeys / shards) << shards << " shards";
    }
  }
}

}  // namespace
}  // namespace tidemark
