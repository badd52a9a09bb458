#include "cache/keyspace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>

#include "cache/keyspace_recorder.h"

namespace tidemark::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kNow = 1'700'000'000'000;

class KeyspaceTest : public testing::Test {
 protected:
  KeyspaceTest() { keyspace_.set_now_ms(kNow); }

  void Set(std::string_view key, std::string_view value, int64_t expire_at_ms = kNoExpiry) {
    keyspace_.Set(KeyRef::Of(key), value, expire_at_ms);
  }
  std::string Get(std::string_view key) {
    const Entry* entry = keyspace_.Find(KeyRef::Of(key));
    return entry != nullptr ? std::string(entry->value()) : "(nil)";
  }

  MutationRecorder sink_;
  Keyspace keyspace_{{.sink = &sink_}};
};

TEST_F(KeyspaceTest, EveryWriteMintsOneMutation) {
  Set("a", "1");
  Set("a", "2", kNow + 5);
  keyspace_.SetKeepExpiry(KeyRef::Of("a"), "3");
  EXPECT_EQ(keyspace_.SetRange(KeyRef::Of("a"), 2, "x"), 3u);
  EXPECT_TRUE(keyspace_.SetExpiry(KeyRef::Of("a"), kNoExpiry));
  EXPECT_TRUE(keyspace_.Delete(KeyRef::Of("a")));
  EXPECT_EQ(keyspace_.SetRange(KeyRef::Of("b"), 0, ""), 0u);
  keyspace_.Flush();
  EXPECT_THAT(
      sink_.TakeLog(),
      ElementsAre("SET a 1 @0", "SET a 2 @1700000000005", "SET a 3 @1700000000005",
                  "SETRANGE a 2 x", "EXPIRE a @0", "DELETE a command", "SETRANGE b 0 ", "FLUSH"));
}

TEST_F(KeyspaceTest, WhatChangesNothingMintsNothing) {
  EXPECT_FALSE(keyspace_.Delete(KeyRef::Of("a")));
  EXPECT_FALSE(keyspace_.SetExpiry(KeyRef::Of("a"), kNow + 1));
  EXPECT_EQ(Get("a"), "(nil)");
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
}

TEST_F(KeyspaceTest, AppliedEffectsAreExactAndMintNothing) {
  keyspace_.ApplySet(KeyRef::Of("a"), "old", kNow - 1);  // Had expired before it arrived.
  keyspace_.ApplySetRange(KeyRef::Of("a"), 3, "er");
  EXPECT_EQ(StateOf(keyspace_), (State{{"a", {"older", kNow - 1}}}));
  keyspace_.ApplyExpiry(KeyRef::Of("a"), kNoExpiry);
  keyspace_.ApplyExpiry(KeyRef::Of("absent"), kNow);
  EXPECT_EQ(StateOf(keyspace_), (State{{"a", {"older", kNoExpiry}}}));
  keyspace_.ApplyDelete(KeyRef::Of("a"));
  keyspace_.ApplyDelete(KeyRef::Of("a"));
  EXPECT_EQ(keyspace_.size(), 0u);
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
}

TEST_F(KeyspaceTest, AnExpiredKeyIsDeletedAsAnEffectBeforeWhatMetIt) {
  for (const char* key : {"find", "peek", "range", "expire", "delete"}) Set(key, "old", kNow + 10);
  keyspace_.set_now_ms(kNow + 10);
  sink_.TakeLog();
  EXPECT_EQ(Get("find"), "(nil)");
  EXPECT_EQ(keyspace_.Peek(KeyRef::Of("peek")), nullptr);
  EXPECT_EQ(keyspace_.SetRange(KeyRef::Of("range"), 0, "x"), 1u);
  EXPECT_FALSE(keyspace_.SetExpiry(KeyRef::Of("expire"), kNow + 20));
  EXPECT_FALSE(keyspace_.Delete(KeyRef::Of("delete")));
  EXPECT_THAT(sink_.TakeLog(),
              ElementsAre("DELETE find expired", "DELETE peek expired", "DELETE range expired",
                          "SETRANGE range 0 x", "DELETE expire expired", "DELETE delete expired"));
  EXPECT_EQ(keyspace_.stats().expired_lazily, 5u);
  EXPECT_EQ(keyspace_.expiring_size(), 0u);
}

TEST_F(KeyspaceTest, ReplacingAnExpiredKeyIsOneMutationAndKeepsNoExpiry) {
  Set("set", "old", kNow + 10);
  Set("keep", "old", kNow + 10);
  keyspace_.set_now_ms(kNow + 10);
  sink_.TakeLog();
  Set("set", "new");
  keyspace_.SetKeepExpiry(KeyRef::Of("keep"), "new");
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("SET set new @0", "SET keep new @0"));
  EXPECT_EQ(Get("keep"), "new");
}

// As on a primary whose log writes again, before its shard has come to know.
TEST_F(KeyspaceTest, AWriteReplacesWhatHasExpiredEvenWhileThatIsOnlyHidden) {
  for (const std::string_view key : {"append", "delete", "expire"}) Set(key, "old", kNow + 5);
  keyspace_.set_now_ms(kNow + 10);
  keyspace_.set_effects_only(true);
  sink_.TakeLog();
  EXPECT_EQ(keyspace_.SetRange(KeyRef::Of("append"), 0, "x"), 1u);
  EXPECT_FALSE(keyspace_.Delete(KeyRef::Of("delete")));
  EXPECT_FALSE(keyspace_.SetExpiry(KeyRef::Of("expire"), kNow + 100));
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("DELETE append expired", "SETRANGE append 0 x",
                                           "DELETE delete expired", "DELETE expire expired"));
  EXPECT_EQ(keyspace_.size(), 1u);
  EXPECT_TRUE(keyspace_.IsConsistent());
}

TEST_F(KeyspaceTest, AReplicaHidesWhatHasExpiredAndKeepsIt) {
  Set("a", "1", kNow + 10);
  keyspace_.set_effects_only(true);
  keyspace_.set_now_ms(kNow + 10);
  sink_.TakeLog();
  EXPECT_EQ(Get("a"), "(nil)");
  EXPECT_EQ(keyspace_.Peek(KeyRef::Of("a")), nullptr);
  EXPECT_FALSE(keyspace_.ExpireSome(1'000));
  EXPECT_EQ(keyspace_.RandomKey(), "");
  keyspace_.Scan(0, 10, [](const Entry&) { FAIL() << "an expired key was shown"; });
  EXPECT_EQ(keyspace_.size(), 1u);
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
}

TEST_F(KeyspaceTest, ExpireSomeDeletesWhatIsDueAndAsksForMoreWhileMuchIs) {
  for (int n = 0; n < 10'000; ++n) Set("gone:" + std::to_string(n), "v", kNow + 10);
  for (int n = 0; n < 100; ++n) Set("stays:" + std::to_string(n), "v", kNow + 10'000);
  Set("persistent", "v");
  keyspace_.set_now_ms(kNow + 10);
  sink_.TakeLog();
  int rounds = 0;
  while (keyspace_.ExpireSome(100)) ++rounds;
  EXPECT_GT(rounds, 90);
  EXPECT_LT(keyspace_.size(), 1'000u);
  for (int i = 0; i < 1'000; ++i) keyspace_.ExpireSome(100);
  EXPECT_EQ(keyspace_.size(), 101u);
  EXPECT_EQ(keyspace_.expiring_size(), 100u);
  EXPECT_EQ(keyspace_.stats().expired_actively, 10'000u);
  EXPECT_EQ(keyspace_.average_ttl_ms(), 9'990);
  const auto log = sink_.TakeLog();
  EXPECT_TRUE(std::all_of(log.begin(), log.end(),
                          [](const std::string& line) { return line.ends_with(" expired"); }));
}

TEST_F(KeyspaceTest, AverageTtlOfExpiriesFarAheadDoesNotOverflow) {
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
  for (int n = 0; n < 100; ++n) Set(std::to_string(n), "v", kFar);
  EXPECT_GT(keyspace_.average_ttl_ms(), kFar / 2);
}

TEST_F(KeyspaceTest, CountsHitsAndMissesOfFindOnly) {
  Set("a", "1");
  Get("a");
  Get("b");
  keyspace_.Peek(KeyRef::Of("a"));
  EXPECT_EQ(keyspace_.stats().hits, 1u);
  EXPECT_EQ(keyspace_.stats().misses, 1u);
  keyspace_.ResetStats();
  EXPECT_EQ(keyspace_.stats().hits, 0u);
}

TEST_F(KeyspaceTest, FindMarksTheAccessAndPeekDoesNot) {
  Set("a", "1");
  keyspace_.set_now_ms(kNow + 60'000);
  EXPECT_EQ(keyspace_.Peek(KeyRef::Of("a"))->IdleSeconds(kNow + 60'000), 60u);
  EXPECT_EQ(keyspace_.Find(KeyRef::Of("a"))->IdleSeconds(kNow + 60'000), 0u);
}

TEST_F(KeyspaceTest, OverwritingWithinTheSizeClassReusesTheAllocation) {
  Set("a", std::string(64, 'x'));
  const Entry* before = keyspace_.Peek(KeyRef::Of("a"));
  Set("a", std::string(66, 'y'));
  EXPECT_EQ(keyspace_.Peek(KeyRef::Of("a")), before);
}

TEST_F(KeyspaceTest, WritesMayUseViewsOfTheEntryThatTheyChange) {
  for (const size_t size : {10u, 1'000u, 20'000u}) {
    const std::string value = std::string(size, 'x') + "tail";
    Set("a", value);
    keyspace_.SetKeepExpiry(KeyRef::Of("a"), keyspace_.Peek(KeyRef::Of("a"))->value().substr(3));
    EXPECT_EQ(Get("a"), value.substr(3));
    const std::string_view present = keyspace_.Peek(KeyRef::Of("a"))->value();
    keyspace_.SetRange(KeyRef::Of("a"), present.size(), present);
    EXPECT_EQ(Get("a"), value.substr(3) + value.substr(3));
    const Entry* entry = keyspace_.Peek(KeyRef::Of("a"));
    Set("b", entry->value());
    EXPECT_TRUE(keyspace_.Delete({entry->key(), KeyHash(entry->key())}));
    EXPECT_EQ(Get("b"), value.substr(3) + value.substr(3));
  }
  EXPECT_EQ(sink_.replica(), StateOf(keyspace_));
}

TEST_F(KeyspaceTest, HoldsHugeKeysAndValues) {
  const std::string key(64 << 20, 'k');
  const std::string value(64 << 20, 'v');
  sink_.set_keep_log(false);
  Set(key, value, kNow + 1'000);
  EXPECT_EQ(keyspace_.Find(KeyRef::Of(key))->value(), value);
  EXPECT_NE(keyspace_.Find(KeyRef::Of(key))->value_buffer().get(), nullptr);
  keyspace_.SetRange(KeyRef::Of(key), value.size() + 1, "!");
  EXPECT_EQ(Get(key).size(), value.size() + 2);
  EXPECT_TRUE(keyspace_.Delete(KeyRef::Of(key)));
  EXPECT_EQ(Get(key), "(nil)");
}

TEST_F(KeyspaceTest, AppendingByteByByteKeepsTheValueInOnePlace) {
  const std::string piece(100, 'p');
  int moves = 0;
  const Entry* before = nullptr;
  for (int n = 0; n < 10'000; ++n) {
    keyspace_.SetRange(KeyRef::Of("log"), n * piece.size(), piece);
    const Entry* entry = keyspace_.Peek(KeyRef::Of("log"));
    moves += entry != before;
    before = entry;
  }
  EXPECT_TRUE(before->appended());
  EXPECT_EQ(before->value().size(), 1'000'000u);
  EXPECT_LT(moves, 60);  // Four size classes to a doubling.
}

TEST_F(KeyspaceTest, AReaderKeepsALargeValueThatIsOverwritten) {
  Set("a", std::string(50'000, 'x'));
  const BufferRef reader = keyspace_.Find(KeyRef::Of("a"))->value_buffer();
  Set("a", "short");
  Set("a", std::string(50'000, 'y'));
  EXPECT_EQ(reader->view(), std::string(50'000, 'x'));
}

TEST_F(KeyspaceTest, ScanShowsWhatStaysAcrossHeavyGrowthAndShrinking) {
  sink_.set_keep_log(false);
  std::set<std::string> stays;
  for (int n = 0; n < 1'000; ++n) {
    Set("stays:" + std::to_string(n), "v");
    stays.insert("stays:" + std::to_string(n));
  }
  for (const bool grows : {true, false}) {
    std::set<std::string> seen;
    uint64_t cursor = 0;
    int others = 0;
    do {
      cursor = keyspace_.Scan(cursor, 10, [&](const Entry& e) { seen.emplace(e.key()); });
      ASSERT_LT(cursor, uint64_t{1} << 48);
      for (int i = 0; i < 300 && others < 60'000; ++i, ++others) {
        const std::string key = "other:" + std::to_string(others);
        grows ? Set(key, "v") : static_cast<void>(keyspace_.Delete(KeyRef::Of(key)));
      }
      keyspace_.Housekeeping(200);
    } while (cursor != 0);
    EXPECT_TRUE(std::includes(seen.begin(), seen.end(), stays.begin(), stays.end())) << grows;
  }
}

TEST_F(KeyspaceTest, ScanTakesAnyCursorAndCount) {
  for (int n = 0; n < 100; ++n) Set(std::to_string(n), "v");
  const auto nothing = [](const Entry&) {};
  EXPECT_LT(keyspace_.Scan(~uint64_t{0}, 10, nothing), uint64_t{1} << 48);
  EXPECT_EQ(keyspace_.Scan(0, ~size_t{0}, nothing), 0u);
  EXPECT_LT(keyspace_.Scan(12'345, 0, nothing), uint64_t{1} << 48);
}

TEST_F(KeyspaceTest, RandomKeyReachesEveryKey) {
  EXPECT_EQ(keyspace_.RandomKey(), "");
  std::set<std::string> seen;
  for (int n = 0; n < 50; ++n) Set(std::to_string(n), "v");
  for (int i = 0; i < 3'000; ++i) seen.insert(keyspace_.RandomKey());
  EXPECT_EQ(seen.size(), 50u);
}

TEST_F(KeyspaceTest, HousekeepingGivesBackWhatAFlushLeft) {
  sink_.set_keep_log(false);
  const size_t empty_bytes = keyspace_.memory_bytes();
  for (int n = 0; n < 50'000; ++n) Set(std::to_string(n), "v", n % 2 == 0 ? kNow + 1 : kNoExpiry);
  const size_t full_bytes = keyspace_.memory_bytes();
  keyspace_.Flush();
  EXPECT_EQ(keyspace_.size(), 0u);
  EXPECT_EQ(keyspace_.expiring_size(), 0u);
  EXPECT_GT(keyspace_.memory_bytes(), full_bytes / 2);
  Set("new", "v");
  int slices = 0;
  while (keyspace_.Housekeeping(1'000)) ++slices;
  EXPECT_GT(slices, 50);
  EXPECT_LT(keyspace_.memory_bytes(), empty_bytes + 200);
  EXPECT_EQ(Get("new"), "v");
}

TEST_F(KeyspaceTest, HousekeepingShrinksATableThatLostItsKeys) {
  sink_.set_keep_log(false);
  const size_t empty_bytes = keyspace_.memory_bytes();
  for (int n = 0; n < 50'000; ++n) Set(std::to_string(n), "v", kNow + 1);
  for (int n = 0; n < 50'000; ++n) keyspace_.Delete(KeyRef::Of(std::to_string(n)));
  while (keyspace_.Housekeeping(100)) {
  }
  EXPECT_EQ(keyspace_.memory_bytes(), empty_bytes);
}

TEST_F(KeyspaceTest, SwapContentsExchangesEverythingButRoleAndClock) {
  MutationRecorder other_sink;
  Keyspace other({.sink = &other_sink});
  other.set_now_ms(kNow + 60'000);
  Set("a", "1", kNow + 10);
  for (int n = 0; n < 1'000; ++n) other.Set(KeyRef::Of(std::to_string(n)), "v", kNoExpiry);
  keyspace_.SwapContents(other);
  EXPECT_EQ(keyspace_.size(), 1'000u);
  EXPECT_EQ(keyspace_.now_ms(), kNow);
  EXPECT_EQ(other.expiring_size(), 1u);
  EXPECT_TRUE(keyspace_.IsConsistent() && other.IsConsistent());
  sink_.TakeLog();
  Set("0", "new");
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("SET 0 new @0"));
}

}  // namespace
}  // namespace tidemark::cache
