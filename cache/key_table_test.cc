#include "cache/key_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace tidemark::cache {
namespace {

uint64_t ConstantHash(std::string_view) { return 0x0123456789abcdef; }

// A table with the entries that it borrows.
class TableFixture {
 public:
  explicit TableFixture(KeyTable::HashFunction hash_function = &KeyHash)
      : table(hash_function), hash_(hash_function) {}
  ~TableFixture() {
    for (const auto& [key, entry] : entries_) Entry::Destroy(entry);
  }
  Entry* Insert(const std::string& key) {
    Entry* entry = Entry::Create(key, "", kNoExpiry);
    entries_[key] = entry;
    table.Insert(hash_(key), entry);
    return entry;
  }
  void Erase(const std::string& key) {
    const auto it = entries_.find(key);
    table.Erase(hash_(key), it->second);
    Entry::Destroy(it->second);
    entries_.erase(it);
  }
  const Entry* Find(const std::string& key) const { return table.Find(hash_(key), key); }
  // Every entry that a full round of the cursor visits, as often as it does.
  std::multiset<std::string> Visit() const {
    std::multiset<std::string> keys;
    uint64_t cursor = 0;
    do {
      cursor = table.VisitBucket(cursor, [&](const Entry* e) { keys.emplace(e->key()); });
    } while (cursor != 0);
    return keys;
  }
  std::multiset<std::string> Keys() const {
    std::multiset<std::string> keys;
    for (const auto& [key, entry] : entries_) keys.insert(key);
    return keys;
  }
  const std::map<std::string, Entry*>& entries() const { return entries_; }

  KeyTable table;

 private:
  KeyTable::HashFunction hash_;
  std::map<std::string, Entry*> entries_;
};

std::string Name(int n) { return "key:" + std::to_string(n); }

TEST(KeyTableTest, EveryEntryIsFoundWhileItGrowsAndShrinks) {
  constexpr int kKeys = 300'000;
  TableFixture t;
  for (int n = 0; n < kKeys; ++n) {
    t.Insert(Name(n));
    // Around each doubling, and now and then.
    const bool check = (n & (n - 1)) == 0 || n % 50'000 == 0;
    ASSERT_TRUE(!check || t.table.IsConsistent()) << n;
  }
  ASSERT_TRUE(t.table.IsConsistent());
  for (int n = 0; n < kKeys; ++n) ASSERT_EQ(t.Find(Name(n)), t.entries().at(Name(n)));
  EXPECT_EQ(t.Find("absent"), nullptr);
  EXPECT_EQ(t.Visit(), t.Keys());

  for (int n = 0; n < kKeys; ++n) {
    if (n % 100 != 0) t.Erase(Name(n));
  }
  ASSERT_TRUE(t.table.IsConsistent());
  const size_t bytes_before = t.table.memory_bytes();
  for (int merges = 1; t.table.sparse(); ++merges) {
    t.table.MergeOne();
    ASSERT_TRUE(merges % 5'000 != 0 || t.table.IsConsistent()) << merges;
  }
  ASSERT_TRUE(t.table.IsConsistent());
  EXPECT_LT(t.table.memory_bytes(), bytes_before / 20);
  for (int n = 0; n < kKeys; n += 100) ASSERT_EQ(t.Find(Name(n)), t.entries().at(Name(n)));
  EXPECT_EQ(t.Visit(), t.Keys());
}

TEST(KeyTableTest, MergingBackToOneBucketKeepsLevelBytesAtEveryDepth) {
  TableFixture t;
  for (int n = 0; n < 10'000; ++n) t.Insert(Name(n));
  while (t.table.size() > 40) t.Erase(t.entries().begin()->first);
  // Down below depth 8, where level bytes change their group, and up again through the same depths.
  while (t.table.sparse()) {
    t.table.MergeOne();
    ASSERT_TRUE(t.table.IsConsistent());
  }
  for (int n = 20'000; n < 23'000; ++n) {
    t.Insert(Name(n));
    ASSERT_TRUE(n % 100 != 0 || t.table.IsConsistent());
  }
  EXPECT_EQ(t.Visit(), t.Keys());
}

TEST(KeyTableTest, AReservedTableHasItsSizeFromTheStartAndKeepsIt) {
  constexpr int kKeys = 12'345;
  TableFixture t;
  t.table.Reserve(kKeys);
  ASSERT_TRUE(t.table.IsConsistent());
  const size_t bytes = t.table.memory_bytes();
  EXPECT_FALSE(t.table.sparse());
  for (int n = 0; n < kKeys / 2; ++n) t.Insert(Name(n));
  ASSERT_TRUE(t.table.IsConsistent());
  EXPECT_FALSE(t.table.sparse());
  for (int n = kKeys / 2; n < kKeys; ++n) t.Insert(Name(n));
  ASSERT_TRUE(t.table.IsConsistent());
  EXPECT_LT(t.table.memory_bytes(), bytes + bytes / 4);  // Overflow buckets alone.
  EXPECT_EQ(t.Visit(), t.Keys());

  t.table.Reserve(0);
  while (t.table.size() > 10) t.Erase(t.entries().begin()->first);
  EXPECT_TRUE(t.table.sparse());
  while (t.table.sparse()) t.table.MergeOne();
  ASSERT_TRUE(t.table.IsConsistent());
  EXPECT_EQ(t.Visit(), t.Keys());
}

TEST(KeyTableTest, TakesThirteenToFifteenBytesForAKey) {
  TableFixture t;
  for (int n = 1; n <= 200'000; ++n) {
    t.Insert(Name(n));
    if (n < 20'000 || n % 10'000 != 0) continue;
    const double bytes = static_cast<double>(t.table.memory_bytes()) / n;
    EXPECT_GT(bytes, 13.0) << n;
    EXPECT_LT(bytes, 15.0) << n;
  }
}

TEST(KeyTableTest, TellsKeysOfEqualHashApart) {
  TableFixture t(&ConstantHash);
  for (int n = 0; n < 2'000; ++n) t.Insert(Name(n));
  ASSERT_TRUE(t.table.IsConsistent());
  for (int n = 0; n < 2'000; ++n) ASSERT_EQ(t.Find(Name(n)), t.entries().at(Name(n)));
  EXPECT_EQ(t.Find("absent"), nullptr);
  for (int n = 0; n < 2'000; n += 2) t.Erase(Name(n));
  ASSERT_TRUE(t.table.IsConsistent());
  for (int n = 0; n < 2'000; ++n) ASSERT_EQ(t.Find(Name(n)) != nullptr, n % 2 == 1);
  EXPECT_EQ(t.Visit(), t.Keys());
  while (t.table.sparse()) t.table.MergeOne();
  ASSERT_TRUE(t.table.IsConsistent());
}

TEST(KeyTableTest, OverflowBucketsAreFreedAsChainsShrink) {
  TableFixture t(&ConstantHash);
  const size_t bytes_before = t.table.memory_bytes();
  for (int n = 0; n < 8; ++n) t.Insert(Name(n));
  // Eight fit one bucket: the link takes a slot only when it is needed. (The table split once
  // meanwhile.)
  EXPECT_EQ(t.table.memory_bytes(), bytes_before + sizeof(Bucket));
  t.Insert(Name(8));
  EXPECT_EQ(t.table.memory_bytes(), bytes_before + 2 * sizeof(Bucket));
  t.Erase(Name(3));
  EXPECT_EQ(t.table.memory_bytes(), bytes_before + sizeof(Bucket));
  ASSERT_TRUE(t.table.IsConsistent());
}

// An entry that is there from cursor 0 to cursor 0 must be visited whatever happens in between.
TEST(KeyTableTest, ACursorMissesNothingThatStaysWhileTheTableGrowsAndShrinks) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const bool grows = seed % 2 == 0;
    TableFixture t;
    std::set<std::string> stay;
    for (int n = 0; n < 500; ++n) {
      t.Insert("stay:" + std::to_string(n));
      stay.insert("stay:" + std::to_string(n));
    }
    int others = 0;
    if (!grows) {
      while (others < 50'000) t.Insert(Name(others++));
    }
    std::set<std::string> seen;
    uint64_t cursor = 0;
    do {
      cursor = t.table.VisitBucket(cursor, [&](const Entry* e) { seen.emplace(e->key()); });
      ASSERT_LT(cursor, uint64_t{1} << KeyTable::kCursorBits);
      for (uint64_t i = random() % 100; i > 0; --i) {
        if (grows && others < 50'000) t.Insert(Name(others++));
        if (!grows && others > 0) t.Erase(Name(--others));
        if (!grows && t.table.sparse()) t.table.MergeOne();
      }
    } while (cursor != 0);
    EXPECT_TRUE(std::includes(seen.begin(), seen.end(), stay.begin(), stay.end()));
  }
}

TEST(KeyTableTest, TakingBucketsAwayYieldsEveryEntryOnce) {
  TableFixture t;
  for (int n = 0; n < 20'000; ++n) t.Insert(Name(n));
  std::multiset<std::string> taken;
  while (t.table.TakeLastBucket([&](const Entry* e) { taken.emplace(e->key()); })) {
  }
  EXPECT_EQ(taken, t.Keys());
  EXPECT_EQ(t.table.size(), 0u);
  EXPECT_EQ(t.table.memory_bytes(), 0u);
}

TEST(KeyTableTest, SwapExchangesEverything) {
  TableFixture a;
  TableFixture b;
  for (int n = 0; n < 1'000; ++n) a.Insert(Name(n));
  b.Insert("other");
  a.table.Swap(b.table);
  EXPECT_EQ(a.Visit(), b.Keys());
  EXPECT_EQ(b.Visit(), a.Keys());
  EXPECT_TRUE(a.table.IsConsistent() && b.table.IsConsistent());
}

}  // namespace
}  // namespace tidemark::cache
