#include "cache/lock_table.h"

#include <algorithm>
#include <list>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace tidemark::cache {
namespace {

using Request = LockTable::Request;
constexpr LockMode kShared = LockMode::kShared;
constexpr LockMode kExclusive = LockMode::kExclusive;

std::vector<Request*> ReleaseOf(LockTable& table, Request& request) {
  std::vector<Request*> granted;
  table.Release(&request, &granted);
  return granted;
}

TEST(LockTableTest, StrangersNeverWait) {
  LockTable table;
  Request a = Request::Keys({1, 2}, kExclusive);
  Request b = Request::Keys({3}, kExclusive);
  EXPECT_TRUE(table.Acquire(&a));
  EXPECT_TRUE(table.Acquire(&b));
  EXPECT_TRUE(ReleaseOf(table, a).empty());
  EXPECT_TRUE(ReleaseOf(table, b).empty());
  EXPECT_TRUE(table.empty());
}

TEST(LockTableTest, ReadersShareAndAWriterWaitsForAllOfThem) {
  LockTable table;
  Request first = Request::Keys({7}, kShared);
  Request second = Request::Keys({7}, kShared);
  Request writer = Request::Keys({7}, kExclusive);
  Request late = Request::Keys({7}, kShared);
  EXPECT_TRUE(table.Acquire(&first));
  EXPECT_TRUE(table.Acquire(&second));
  EXPECT_FALSE(table.Acquire(&writer));
  EXPECT_FALSE(table.Acquire(&late)) << "would starve the writer";
  EXPECT_TRUE(ReleaseOf(table, second).empty());
  EXPECT_EQ(ReleaseOf(table, first), std::vector<Request*>{&writer});
  EXPECT_EQ(ReleaseOf(table, writer), std::vector<Request*>{&late});
  ReleaseOf(table, late);
  EXPECT_TRUE(table.empty());
}

TEST(LockTableTest, WholeShardWaitsForKeysAndHoldsLaterOnesBack) {
  LockTable table;
  Request key = Request::Keys({1}, kExclusive);
  Request whole = Request::WholeShard(kExclusive);
  Request later = Request::Keys({2}, kShared);
  EXPECT_TRUE(table.Acquire(&key));
  EXPECT_FALSE(table.Acquire(&whole));
  EXPECT_FALSE(table.Acquire(&later));
  EXPECT_EQ(ReleaseOf(table, key), std::vector<Request*>{&whole});
  EXPECT_EQ(ReleaseOf(table, whole), std::vector<Request*>{&later});
  ReleaseOf(table, later);
}

TEST(LockTableTest, SharedWholeShardLetsReadersIn) {
  LockTable table;
  Request whole = Request::WholeShard(kShared);
  Request reader = Request::Keys({1}, kShared);
  Request writer = Request::Keys({2}, kExclusive);
  EXPECT_TRUE(table.Acquire(&whole));
  EXPECT_TRUE(table.Acquire(&reader));
  EXPECT_FALSE(table.Acquire(&writer));
  EXPECT_EQ(ReleaseOf(table, whole), std::vector<Request*>{&writer});
  ReleaseOf(table, writer);
  ReleaseOf(table, reader);
}

TEST(LockTableTest, RepeatedKeyOfOneRequestCountsOnce) {
  LockTable table;
  Request twice = Request::Keys({5, 5, 5}, kExclusive);
  Request next = Request::Keys({5, 5}, kExclusive);
  EXPECT_TRUE(table.Acquire(&twice));
  EXPECT_FALSE(table.Acquire(&next));
  EXPECT_EQ(ReleaseOf(table, twice), std::vector<Request*>{&next});
  ReleaseOf(table, next);
}

TEST(LockTableTest, NoKeysConflictOnlyWithAnExclusiveShard) {
  LockTable table;
  Request shared = Request::WholeShard(kShared);
  Request keyless = Request::Keys({}, kShared);
  EXPECT_TRUE(table.Acquire(&shared));
  EXPECT_TRUE(table.Acquire(&keyless));
  Request exclusive = Request::WholeShard(kExclusive);
  Request blocked = Request::Keys({}, kShared);
  EXPECT_FALSE(table.Acquire(&exclusive));
  EXPECT_TRUE(table.Blocks({}, kShared));
  EXPECT_FALSE(table.Acquire(&blocked));
  ReleaseOf(table, keyless);
  EXPECT_EQ(ReleaseOf(table, shared), std::vector<Request*>{&exclusive});
  EXPECT_EQ(ReleaseOf(table, exclusive), std::vector<Request*>{&blocked});
  ReleaseOf(table, blocked);
}

// The rule of the class comment, word for word.
class Reference {
 public:
  struct Wish {
    std::set<uint64_t> keys;
    bool whole = false;
    LockMode mode = kShared;
    Request request;
    bool granted = false;
  };

  static bool Conflict(const Wish& a, const Wish& b) {
    const bool a_writes = a.mode == kExclusive && (a.whole || !a.keys.empty());
    const bool b_writes = b.mode == kExclusive && (b.whole || !b.keys.empty());
    if (!a_writes && !b_writes) return false;
    if (a.whole || b.whole) return true;
    return std::any_of(a.keys.begin(), a.keys.end(),
                       [&](uint64_t k) { return b.keys.count(k) > 0; });
  }
  bool MayRun(const Wish& wish) const {
    for (const auto& earlier : unreleased) {
      if (earlier.get() == &wish) return true;
      if (Conflict(*earlier, wish)) return false;
    }
    return true;
  }

  std::list<std::unique_ptr<Wish>> unreleased;  // By arrival.
};

TEST(LockTableTest, RandomSchedulesGrantExactlyWhatTheRuleSays) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](uint32_t n) { return random() % n; };
    LockTable table;
    Reference reference;
    for (int step = 0; step < 600; ++step) {
      const bool full = reference.unreleased.size() > 12;
      if (!full && below(2) == 0) {
        auto wish = std::make_unique<Reference::Wish>();
        wish->mode = below(2) == 0 ? kShared : kExclusive;
        wish->whole = below(8) == 0;
        std::vector<uint64_t> keys;
        for (uint32_t n = wish->whole ? 0 : below(4); n > 0; --n) keys.push_back(below(5));
        wish->keys.insert(keys.begin(), keys.end());
        wish->request =
            wish->whole ? Request::WholeShard(wish->mode) : Request::Keys(keys, wish->mode);
        const bool may_run = reference.MayRun(*wish);
        if (!wish->whole) {
          ASSERT_EQ(table.Blocks(keys, wish->mode), !may_run);
        }
        ASSERT_EQ(table.Acquire(&wish->request), may_run);
        wish->granted = may_run;
        reference.unreleased.push_back(std::move(wish));
        continue;
      }
      // The earliest is always granted, so that something can be released: no deadlock.
      std::vector<std::list<std::unique_ptr<Reference::Wish>>::iterator> granted;
      for (auto it = reference.unreleased.begin(); it != reference.unreleased.end(); ++it) {
        if ((*it)->granted) granted.push_back(it);
      }
      if (reference.unreleased.empty()) continue;
      ASSERT_FALSE(granted.empty());
      const auto released = granted[below(static_cast<uint32_t>(granted.size()))];
      const std::unique_ptr<Reference::Wish> gone = std::move(*released);
      reference.unreleased.erase(released);
      std::vector<Request*> reported = ReleaseOf(table, gone->request);
      std::vector<Request*> expected;
      for (auto& wish : reference.unreleased) {
        if (wish->granted || !reference.MayRun(*wish)) continue;
        wish->granted = true;
        expected.push_back(&wish->request);
      }
      std::sort(reported.begin(), reported.end());
      std::sort(expected.begin(), expected.end());
      ASSERT_EQ(reported, expected);
    }
    // Everything that waits is granted in the end.
    while (!reference.unreleased.empty()) {
      const std::unique_ptr<Reference::Wish> first = std::move(reference.unreleased.front());
      reference.unreleased.pop_front();
      ASSERT_TRUE(first->request.granted());
      ReleaseOf(table, first->request);
    }
    EXPECT_TRUE(table.empty());
    EXPECT_FALSE(table.whole_shard_wanted());
  }
}

}  // namespace
}  // namespace tidemark::cache
