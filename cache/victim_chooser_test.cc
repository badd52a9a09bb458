#include "cache/victim_chooser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace tidemark::cache {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

constexpr int kSample = 8;

bool All(const Entry&) { return true; }

// Two tables with the entries that they borrow, and a chooser over them.
class VictimChooserTest : public testing::Test {
 protected:
  VictimChooserTest() { uses_.set_now_ms(kNow); }
  ~VictimChooserTest() override {
    for (const auto& [key, entry] : entries_) Entry::Destroy(entry);
  }

  Entry* Add(const std::string& key, int64_t idle_s, int64_t expire_at_ms = kNoExpiry) {
    Entry* entry = Entry::Create(key, "", expire_at_ms);
    SetIdle(entry, idle_s);
    entries_[key] = entry;
    keys_.Insert(KeyHash(key), entry);
    if (entry->has_expiry()) expiring_.Insert(KeyHash(key), entry);
    return entry;
  }
  static void SetIdle(Entry* entry, int64_t idle_s) {
    entry->set_use(Entry::AccessClock(kNow - idle_s * 1000));
  }
  void Remove(const std::string& key) {
    Entry* entry = entries_.at(key);
    keys_.Erase(KeyHash(key), entry);
    if (entry->has_expiry()) expiring_.Erase(KeyHash(key), entry);
    Entry::Destroy(entry);
    entries_.erase(key);
  }
  // So many that a sample is a small part of them. Returns those of the first sample.
  std::vector<Entry*> AddManySamples(int64_t idle_s) {
    for (int n = 0; n < 200; ++n) Add("key:" + std::to_string(n), idle_s);
    std::vector<Entry*> first;
    uint64_t cursor = 0;
    while (first.size() < kSample) {
      cursor = keys_.VisitBucket(cursor, [&](Entry* entry) { first.push_back(entry); });
    }
    return first;
  }
  // The key that goes next; empty: none.
  std::string Choose(absl::FunctionRef<bool(const Entry&)> may_go = All) {
    const VictimChooser::Victim victim = chooser_.Choose(keys_, expiring_, uses_, may_go);
    if (victim.entry == nullptr) return "";
    EXPECT_EQ(victim.hash, KeyHash(victim.entry->key()));
    return std::string(victim.entry->key());
  }

  KeyTable keys_;
  KeyTable expiring_;
  UseTracker uses_;
  VictimChooser chooser_{&KeyHash, 1};
  std::map<std::string, Entry*> entries_;
};

// Every choice sees the whole of a table with no more entries.
constexpr int kSeenAtOnce = VictimChooser::kMaxSamples - 4;

TEST_F(VictimChooserTest, NothingGoesWithoutAPolicyOrWithoutKeys) {
  Add("k", 5);
  EXPECT_EQ(Choose(), "");
  Remove("k");
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysLru});
  EXPECT_EQ(Choose(), "");
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysRandom});
  EXPECT_EQ(Choose(), "");
}

// With several times more candidates than the pool holds.
TEST_F(VictimChooserTest, WhereAllIsSeenTheLongestUnusedGoFirst) {
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysLru, .samples = 1'000});
  std::vector<int> idle(kSeenAtOnce);
  std::iota(idle.begin(), idle.end(), 1);
  std::shuffle(idle.begin(), idle.end(), std::mt19937_64(1));
  for (const int seconds : idle) Add("idle:" + std::to_string(seconds), seconds);
  for (int seconds = kSeenAtOnce; seconds > 0; --seconds) {
    const std::string victim = Choose();
    ASSERT_EQ(victim, "idle:" + std::to_string(seconds));
    Remove(victim);
  }
  EXPECT_EQ(Choose(), "");
}

TEST_F(VictimChooserTest, VolatilePoliciesTakeOnlyKeysWithAnExpiry) {
  Add("stays", 100);
  Add("goes", 1, kNow + 1'000'000);
  for (const EvictionPolicy policy : {EvictionPolicy::kVolatileLru, EvictionPolicy::kVolatileLfu,
                                      EvictionPolicy::kVolatileRandom}) {
    chooser_.set_options({.policy = policy});
    EXPECT_EQ(Choose(), "goes") << ToString(policy);
  }
  Remove("goes");
  chooser_.set_options({.policy = EvictionPolicy::kVolatileLru});
  EXPECT_EQ(Choose(), "");
}

TEST_F(VictimChooserTest, VolatileTtlTakesWhatExpiresFirstHoweverItIsUsed) {
  chooser_.set_options({.policy = EvictionPolicy::kVolatileTtl, .samples = 10});
  Add("last", 100, kNow + 3'000);
  Add("first", 0, kNow + 1'000);
  Add("second", 50, kNow + 2'000);
  for (const char* const key : {"first", "second", "last"}) {
    ASSERT_EQ(Choose(), key);
    Remove(key);
  }
}

TEST_F(VictimChooserTest, CandidatesOfEarlierSamplesCompete) {
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysLru, .samples = kSample});
  const std::vector<Entry*> first = AddManySamples(10);
  SetIdle(first[0], 100);
  SetIdle(first[1], 90);
  EXPECT_EQ(Choose(), first[0]->key());
  EXPECT_EQ(Choose(), first[1]->key()) << "the second sample has met none that old";
}

TEST_F(VictimChooserTest, ForgottenCandidatesDoNot) {
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysLru, .samples = kSample});
  const std::vector<Entry*> first = AddManySamples(10);
  SetIdle(first[0], 100);
  SetIdle(first[1], 90);
  EXPECT_EQ(Choose(), first[0]->key());
  chooser_.Forget();
  EXPECT_NE(Choose(), first[1]->key());
}

TEST_F(VictimChooserTest, WhatIsUsedAfterItWasSeenIsNoCandidate) {
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysLru, .samples = kSample});
  const std::vector<Entry*> first = AddManySamples(10);
  for (Entry* const entry : first) SetIdle(entry, 100);
  EXPECT_EQ(entries_.at(Choose())->IdleSeconds(kNow), 100u);
  for (Entry* const entry : first) SetIdle(entry, 0);
  EXPECT_EQ(entries_.at(Choose())->IdleSeconds(kNow), 10u);
}

TEST_F(VictimChooserTest, WhatIsGoneIsNoCandidate) {
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysLru, .samples = kSample});
  const std::vector<Entry*> first = AddManySamples(10);
  for (Entry* const entry : first) SetIdle(entry, 100);
  Choose();
  for (const Entry* const entry : first) Remove(std::string(entry->key()));
  const std::string victim = Choose();
  ASSERT_TRUE(entries_.contains(victim));
  EXPECT_EQ(entries_.at(victim)->IdleSeconds(kNow), 10u);
}

TEST_F(VictimChooserTest, CandidatesAreRankedAnewAsTimePasses) {
  uses_.set_options({.mode = UseMode::kLfu, .lfu_log_factor = 0, .lfu_decay_minutes = 1});
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysLfu, .samples = kSample});
  const auto set_frequency = [this](Entry* entry, uint32_t frequency) {
    entry->set_use(uses_.Fresh());
    while (uses_.Frequency(entry->use()) < frequency) uses_.Touch(entry);
  };
  const std::vector<Entry*> first = AddManySamples(0);
  for (Entry* const entry : first) set_frequency(entry, entry == first[0] ? 5 : 30);
  EXPECT_EQ(Choose(), first[0]->key());
  // The candidates' 30 have become 5 by now: less than the others' 10, which are of this moment.
  uses_.set_now_ms(kNow + 25 * 60'000);
  for (const auto& [key, entry] : entries_) {
    if (std::find(first.begin(), first.end(), entry) == first.end()) set_frequency(entry, 10);
  }
  const std::string victim = Choose();
  EXPECT_EQ(uses_.Frequency(entries_.at(victim)->use()), 5u) << victim;
}

TEST_F(VictimChooserTest, WhatMayNotGoIsNotChosen) {
  for (const EvictionPolicy policy :
       {EvictionPolicy::kAllKeysLru, EvictionPolicy::kAllKeysRandom, EvictionPolicy::kAllKeysLfu}) {
    for (const char* const key : {"a", "b", "c"}) Add(key, 10);
    chooser_.set_options({.policy = policy});
    const auto only_b = [](const Entry& entry) { return entry.key() == "b"; };
    EXPECT_EQ(Choose(only_b), "b") << ToString(policy);
    Remove("b");
    EXPECT_EQ(Choose(only_b), "") << ToString(policy);
    for (const char* const key : {"a", "c"}) Remove(key);
  }
}

// It was a candidate while it might go.
TEST_F(VictimChooserTest, WhatMayNoLongerGoIsNotChosen) {
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysLru, .samples = kSample});
  const std::vector<Entry*> first = AddManySamples(10);
  for (Entry* const entry : first) SetIdle(entry, 100);
  Choose();
  const std::set<const Entry*> kept(first.begin(), first.end());
  const std::string victim = Choose([&](const Entry& entry) { return !kept.contains(&entry); });
  ASSERT_NE(victim, "");
  EXPECT_FALSE(kept.contains(entries_.at(victim)));
}

TEST_F(VictimChooserTest, AChoiceAmongKeysThatMayNotGoIsBounded) {
  constexpr int kKeys = 20'000;
  for (int n = 0; n < kKeys; ++n) Add("key:" + std::to_string(n), 10);
  for (const EvictionPolicy policy :
       {EvictionPolicy::kAllKeysLru, EvictionPolicy::kAllKeysRandom}) {
    chooser_.set_options({.policy = policy});
    int asked = 0;
    EXPECT_EQ(Choose([&](const Entry&) { return ++asked == 0; }), "");
    EXPECT_GT(asked, 0) << ToString(policy);
    EXPECT_LT(asked, kKeys / 2) << ToString(policy);
  }
}

TEST_F(VictimChooserTest, AtRandomEveryKeyHasItsTurn) {
  chooser_.set_options({.policy = EvictionPolicy::kAllKeysRandom});
  for (int n = 0; n < 30; ++n) Add("key:" + std::to_string(n), n);
  std::set<std::string> chosen;
  for (int n = 0; n < 2'000; ++n) chosen.insert(Choose());
  EXPECT_EQ(chosen.size(), entries_.size());
}

}  // namespace
}  // namespace tidemark::cache
