#include "cache/content_digest.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

namespace tidemark::cache {
namespace {

struct Item {
  std::string key, value;
  Expiry expiry = kNoExpiry;
};

ContentDigest DigestOfAll(const std::vector<Item>& items) {
  Keyspace keyspace({});
  for (const Item& item : items) {
    keyspace.ApplySet(KeyRef::Of(item.key), item.value, item.expiry);
  }
  ContentDigester digester;
  keyspace.BeginWalk(&digester);
  while (!keyspace.WalkSome(10)) {
  }
  return digester.digest();
}

std::vector<Item> ManyItems() {
  std::vector<Item> items;
  for (int n = 0; n < 500; ++n) {
    items.push_back({"key:" + std::to_string(n), std::string(n * 20, 'v'), n % 3});
  }
  items.push_back({"large", std::string(40'000, 'x')});
  return items;
}

TEST(ContentDigestTest, NothingDigestsToZero) {
  EXPECT_EQ(DigestOfAll({}).Hex(), "00000000000000000000000000000000");
  EXPECT_EQ(DigestOfAll({}).keys, 0u);
}

TEST(ContentDigestTest, IsTheHashOfTheDocumentedEncoding) {
  const std::string encoding("\0\3\0\0\0\0\0\0\0\2\1\0\0\0\0\0\0keyvalue", 25);
  const XXH128_hash_t hash = XXH3_128bits(encoding.data(), encoding.size());
  const ContentDigest digest = DigestOfAll({{"key", "value", 0x102}});
  EXPECT_EQ(digest, (ContentDigest{.high = hash.high64, .low = hash.low64, .keys = 1}));
}

TEST(ContentDigestTest, ExtrasAreInTheEncodingOfThoseThatHaveThem) {
  const std::string header(
      "\x80\3\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0"
      "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0",
      41);
  const Expiry expiry(7, {.idle_ms = 1, .stale_ms = 2, .hard_at_ms = 5});
  for (const size_t size : {5u, 980u, 981u, 5'000u}) {
    const std::string value(size, 'v');
    const std::string encoding = header + "key" + value;
    const XXH128_hash_t hash = XXH3_128bits(encoding.data(), encoding.size());
    EXPECT_EQ(DigestOfAll({{"key", value, expiry}}).low, hash.low64) << size;
  }
}

// Other nodes, perhaps of other versions, compare with it: it must never change.
TEST(ContentDigestTest, GoldenValue) {
  EXPECT_EQ(DigestOfAll({{"key", "value", 0x102}}).Hex(), "e7f0ceffc540219eb4d91107d5e27b4b");
}

TEST(ContentDigestTest, LongEntriesHashAsTheOneCallDoes) {
  for (const size_t size : {900u, 1'003u, 1'004u, 1'005u, 5'000u}) {
    const std::string value(size, 'v');
    std::string encoding("\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0key", 20);
    encoding += value;
    const XXH128_hash_t hash = XXH3_128bits(encoding.data(), encoding.size());
    EXPECT_EQ(DigestOfAll({{"key", value}}).low, hash.low64) << size;
  }
}

TEST(ContentDigestTest, DoesNotDependOnOrderNorOnHowKeysAreSpread) {
  std::vector<Item> items = ManyItems();
  const ContentDigest whole = DigestOfAll(items);
  EXPECT_EQ(whole.keys, items.size());
  std::reverse(items.begin(), items.end());
  EXPECT_EQ(DigestOfAll(items), whole);
  for (const size_t shards : {2u, 3u, 7u}) {
    std::vector<std::vector<Item>> spread(shards);
    for (size_t i = 0; i < items.size(); ++i) spread[i % shards].push_back(items[i]);
    ContentDigest sum;
    for (const auto& shard : spread) sum += DigestOfAll(shard);
    EXPECT_EQ(sum, whole) << shards;
  }
}

TEST(ContentDigestTest, DependsOnEveryPartOfEveryEntry) {
  const std::string original = DigestOfAll({{"ab", "c", 5}, {"d", "e"}}).Hex();
  EXPECT_NE(DigestOfAll({{"a", "bc", 5}, {"d", "e"}}).Hex(), original);
  EXPECT_NE(DigestOfAll({{"ab", "c", 6}, {"d", "e"}}).Hex(), original);
  EXPECT_NE(DigestOfAll({{"ab", "c"}, {"d", "e", 5}}).Hex(), original);
  EXPECT_NE(DigestOfAll({{"ab", "e", 5}, {"d", "c"}}).Hex(), original);
  EXPECT_NE(DigestOfAll({{"ab", "c", 5}}).Hex(), original);
}

TEST(ContentDigestTest, HowAValueWasBuiltDoesNotMatter) {
  Keyspace keyspace({});
  const std::string value(30'000, 'v');
  keyspace.SetRange(KeyRef::Of("key"), 0, value);
  const Entry* entry = keyspace.Peek(KeyRef::Of("key"));
  EXPECT_EQ(DigestOf(*entry), DigestOfAll({{"key", value}}));
}

TEST(ContentDigestTest, TheSumCarriesAcrossItsHalves) {
  ContentDigest sum{.high = 1, .low = ~uint64_t{0}, .keys = 1};
  sum += {.high = 2, .low = 2, .keys = 3};
  EXPECT_EQ(sum, (ContentDigest{.high = 4, .low = 1, .keys = 4}));
  EXPECT_EQ(sum.Hex(), "00000000000000040000000000000001");
}

}  // namespace
}  // namespace tidemark::cache
