#include "cache/cold_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cache/fake_tier.h"

namespace tidemark::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kNow = 1'700'000'000'000;

class ColdValuesTest : public testing::Test {
 protected:
  ColdValuesTest() { keyspace_.set_now_ms(kNow); }
  ~ColdValuesTest() override {
    tier_.FinishAll();
    EXPECT_TRUE(keyspace_.IsConsistent());
    EXPECT_EQ(tier_.live(), keyspace_.cold_size());
  }

  static std::string Long(char c) { return std::string(100, c); }
  const Entry& Set(const std::string& key, const std::string& value) {
    keyspace_.Set(KeyRef::Of(key), value, kNoExpiry);
    return Look(key);
  }
  const Entry& Look(const std::string& key) { return *keyspace_.Look(KeyRef::Of(key)); }
  bool Take(const std::string& key) { return cold_.Take(Look(key), KeyRef::Of(key).hash); }
  // Stores a long value and sends it to disk.
  tier::ValueLocation Chill(const std::string& key) {
    Set(key, Long(key[0]));
    EXPECT_TRUE(Take(key));
    EXPECT_TRUE(tier_.FinishWrite());
    EXPECT_TRUE(Look(key).cold());
    return Look(key).location();
  }
  NeededValue Needed(const std::string& key) { return {.key = key, .at = Look(key).location()}; }
  void Fetch(std::vector<NeededValue> needed) {
    cold_.Fetch(std::move(needed), &staged_, [this] { ++done_; });
  }

  FakeTier tier_;
  Keyspace keyspace_{{}};
  std::vector<std::string> promotions_;  // "key=v", with the value's first letter.
  ColdValues cold_{
      {.promote =
           [this](std::string_view key, const tier::ValueLocation& at,
                  const tier::ReadValue& value) {
             EXPECT_TRUE(keyspace_.IsAt(KeyRef::Of(key), at));
             promotions_.push_back(std::string(key) + "=" + std::string(value.bytes.substr(0, 1)));
           }},
      &keyspace_,
      &tier_};
  StagedValues staged_;
  int done_ = 0;
};

// --- To disk ---

TEST_F(ColdValuesTest, ATakenValueStaysInMemoryUntilItIsWritten) {
  Set("k", Long('a'));
  ASSERT_TRUE(Take("k"));
  EXPECT_EQ(Look("k").value(), Long('a'));
  EXPECT_EQ(cold_.pending_bytes(), 100u);
  tier_.FinishWrite();
  EXPECT_TRUE(Look("k").cold());
  EXPECT_EQ(cold_.pending_bytes(), 0u);
  EXPECT_EQ(cold_.counters().demoted, 1u);
  EXPECT_EQ(cold_.counters().demoted_bytes, 100u);
}

TEST_F(ColdValuesTest, ShortColdAndTravellingValuesAreNotWanted) {
  EXPECT_FALSE(cold_.Wants(Set("short", std::string(63, 'x'))));
  EXPECT_TRUE(cold_.Wants(Set("k", std::string(64, 'x'))));
  ASSERT_TRUE(Take("k"));
  EXPECT_FALSE(cold_.Wants(Look("k")));
  EXPECT_TRUE(cold_.Wants(Set("other", Long('x'))));
  tier_.FinishWrite();
  EXPECT_FALSE(cold_.Wants(Look("k")));
}

TEST_F(ColdValuesTest, AValueThatIsReplacedWhileItIsWrittenStaysWhatItIs) {
  Set("k", Long('a'));
  ASSERT_TRUE(Take("k"));
  Set("k", Long('b'));
  tier_.FinishWrite();
  EXPECT_EQ(Look("k").value(), Long('b'));
  EXPECT_EQ(tier_.live(), 0u);
  EXPECT_EQ(cold_.counters().demotions_stale, 1u);
  EXPECT_EQ(cold_.counters().demoted, 0u);
  EXPECT_TRUE(cold_.Wants(Look("k")));
}

TEST_F(ColdValuesTest, AKeyThatIsDeletedWhileItIsWrittenLeavesNothingOnDisk) {
  Set("k", Long('a'));
  ASSERT_TRUE(Take("k"));
  keyspace_.Delete(KeyRef::Of("k"));
  tier_.FinishWrite();
  EXPECT_EQ(keyspace_.size(), 0u);
  EXPECT_EQ(tier_.live(), 0u);
  EXPECT_EQ(cold_.counters().demotions_stale, 1u);
}

TEST_F(ColdValuesTest, AValueThatIsNotWrittenStaysInMemoryAndIsWantedAgain) {
  Set("k", Long('a'));
  ASSERT_TRUE(Take("k"));
  tier_.set_fail_writes(true);
  tier_.FinishWrite();
  EXPECT_EQ(Look("k").value(), Long('a'));
  EXPECT_EQ(cold_.pending_bytes(), 0u);
  EXPECT_EQ(cold_.counters().demotions_failed, 1u);
  EXPECT_TRUE(cold_.Wants(Look("k")));
}

TEST_F(ColdValuesTest, ATierThatIsFullOrDownIsLeftAloneForAWhile) {
  for (const tier::WriteOutcome outcome : {tier::WriteOutcome::kFull, tier::WriteOutcome::kDown}) {
    Set("k", Long('a'));
    tier_.set_refuse_writes(outcome);
    EXPECT_FALSE(Take("k"));
    tier_.set_refuse_writes(tier::WriteOutcome::kQueued);
    EXPECT_FALSE(cold_.Wants(Look("k")));
    keyspace_.set_now_ms(keyspace_.now_ms() + ColdValues::kRefusedPauseMs - 1);
    EXPECT_FALSE(cold_.Wants(Look("k")));
    keyspace_.set_now_ms(keyspace_.now_ms() + 1);
    EXPECT_TRUE(cold_.Wants(Look("k")));
  }
}

TEST_F(ColdValuesTest, ATierThatIsBusyIsAskedAgainAtOnce) {
  Set("k", Long('a'));
  for (const tier::WriteOutcome outcome :
       {tier::WriteOutcome::kBusy, tier::WriteOutcome::kNotAdmitted}) {
    tier_.set_refuse_writes(outcome);
    EXPECT_FALSE(Take("k"));
    EXPECT_TRUE(cold_.Wants(Look("k")));
    EXPECT_EQ(cold_.pending_bytes(), 0u);
  }
}

TEST_F(ColdValuesTest, ValuesAsLongAsOneThatWasTooLongAreNotWanted) {
  Set("k", std::string(1'000, 'x'));
  tier_.set_refuse_writes(tier::WriteOutcome::kTooLarge);
  EXPECT_FALSE(Take("k"));
  EXPECT_FALSE(cold_.Wants(Look("k")));
  EXPECT_FALSE(cold_.Wants(Set("longer", std::string(1'001, 'x'))));
  EXPECT_TRUE(cold_.Wants(Set("shorter", std::string(999, 'x'))));
}

TEST_F(ColdValuesTest, WhatIsUnderWayIsBoundedButForOneValue) {
  constexpr size_t kBound = ColdValues::kMaxWritingBytes;
  Set("longer than all", std::string(kBound + 1, 'x'));
  Set("k", Long('a'));
  EXPECT_TRUE(Take("longer than all"));
  EXPECT_FALSE(Take("k"));
  tier_.FinishWrite();
  EXPECT_TRUE(Take("k"));
  Set("fits", std::string(kBound - 100, 'x'));
  EXPECT_TRUE(Take("fits"));
  EXPECT_EQ(cold_.pending_bytes(), kBound);
  Set("more", Long('b'));
  EXPECT_FALSE(Take("more"));
}

TEST_F(ColdValuesTest, TheTierMovesAValueToWhereItsEntryFollows) {
  const tier::ValueLocation from = Chill("k");
  EXPECT_TRUE(cold_.IsAt("k", from));
  EXPECT_FALSE(cold_.IsAt("other", from));
  ASSERT_TRUE(tier_.Reclaim(from));
  EXPECT_FALSE(cold_.IsAt("k", from));
  EXPECT_TRUE(cold_.IsAt("k", tier_.LastPut()));
}

// --- For commands ---

TEST_F(ColdValuesTest, ACommandGoesOnWhenItHasAllItsValues) {
  const tier::ValueLocation a = Chill("a"), b = Chill("b");
  Fetch({Needed("a"), Needed("b")});
  EXPECT_EQ(cold_.fetches_under_way(), 1u);
  tier_.FinishRead(1);
  EXPECT_EQ(done_, 0);
  tier_.FinishRead();
  EXPECT_EQ(done_, 1);
  EXPECT_EQ(cold_.fetches_under_way(), 0u);
  ASSERT_THAT(staged_, SizeIs(2));
  EXPECT_EQ(staged_.at(a)->bytes, Long('a'));
  EXPECT_EQ(staged_.at(b)->bytes, Long('b'));
  EXPECT_THAT(promotions_, ElementsAre("b=b", "a=a"));
  EXPECT_EQ(cold_.counters().hits_on_disk, 2u);
  EXPECT_EQ(cold_.counters().commands_waited, 1u);
  EXPECT_TRUE(Look("a").cold()) << "a read alone takes nothing into memory";
}

TEST_F(ColdValuesTest, WhatHasChangedMeanwhileIsNotStaged) {
  Chill("replaced");
  Chill("deleted");
  Fetch({Needed("replaced"), Needed("deleted")});
  Set("replaced", "new");
  keyspace_.Delete(KeyRef::Of("deleted"));
  tier_.FinishAll();
  EXPECT_EQ(done_, 1);
  EXPECT_THAT(staged_, IsEmpty());
  EXPECT_THAT(promotions_, IsEmpty());
  EXPECT_EQ(cold_.counters().hits_on_disk, 0u);
}

TEST_F(ColdValuesTest, WhatHasMovedMeanwhileIsStagedWhereItIsNow) {
  const tier::ValueLocation from = Chill("k");
  Fetch({Needed("k")});
  ASSERT_TRUE(tier_.Reclaim(from));
  tier_.FinishRead();
  ASSERT_THAT(staged_, SizeIs(1));
  EXPECT_EQ(staged_.at(Look("k").location())->bytes, Long('k'));
}

TEST_F(ColdValuesTest, AnUnreadableValueIsStagedAsItsError) {
  const tier::ValueLocation at = Chill("k");
  tier_.Damage(at);
  Fetch({Needed("k")});
  tier_.FinishRead();
  EXPECT_EQ(done_, 1);
  EXPECT_TRUE(absl::IsDataLoss(staged_.at(at).status()));
  EXPECT_EQ(cold_.counters().unreadable, 1u);
  EXPECT_THAT(promotions_, IsEmpty());
}

TEST_F(ColdValuesTest, AValueOfAnotherLengthIsNotTheEntrys) {
  const std::string value = Long('k');
  Set("k", value);
  const tier::ValueLocation at = tier_.Put("k", value.substr(1));
  ASSERT_TRUE(keyspace_.MakeCold(KeyRef::Of("k"), value, at));
  Fetch({Needed("k")});
  tier_.FinishRead();
  EXPECT_TRUE(absl::IsDataLoss(staged_.at(at).status()));
}

// Who asks may not be ready for an answer from within.
TEST_F(ColdValuesTest, AValueThatWasLostBeforeIsToldFromRetryOnly) {
  const tier::ValueLocation at = Chill("k");
  tier_.Damage(at);
  ASSERT_FALSE(keyspace_.WarmNow(KeyRef::Of("k"), at));
  Fetch({Needed("k")});
  EXPECT_EQ(done_, 0);
  EXPECT_FALSE(cold_.RetryReads());
  EXPECT_EQ(done_, 1);
  EXPECT_TRUE(absl::IsDataLoss(staged_.at(tier::ValueLocation()).status()));
  // Nor is it looked for in the page cache.
  tier_.set_cached([](std::string_view) { return true; });
  std::vector<NeededValue> needed = {Needed("k")};
  staged_.clear();
  EXPECT_FALSE(cold_.StageCached(needed, staged_));
  EXPECT_EQ(tier_.cached_asked(), 0u);
  keyspace_.Delete(KeyRef::Of("k"));  // It is cold, and nowhere.
}

TEST_F(ColdValuesTest, ReadsThatTheTierHasNoRoomForWaitInTheirOrder) {
  for (const char* const key : {"a", "b", "c"}) Chill(key);
  tier_.set_max_reads(1);
  Fetch({Needed("a")});
  Fetch({Needed("b")});
  EXPECT_TRUE(cold_.RetryReads());
  tier_.FinishRead();
  // There is room, but not for one that came later.
  Fetch({Needed("c")});
  EXPECT_EQ(tier_.reads_under_way(), 0u);
  EXPECT_TRUE(cold_.RetryReads());
  tier_.FinishRead();
  EXPECT_FALSE(cold_.RetryReads());
  tier_.FinishRead();
  EXPECT_THAT(promotions_, ElementsAre("a=a", "b=b", "c=c"));
  EXPECT_EQ(done_, 3);
}

// --- Without waiting ---

TEST_F(ColdValuesTest, WhatIsCachedIsStagedAtOnceAndTheRestIsLeft) {
  const tier::ValueLocation a = Chill("a");
  Chill("b");
  tier_.set_cached([](std::string_view key) { return key == "a"; });
  std::vector<NeededValue> needed = {Needed("a"), Needed("b"), Needed("a")};
  EXPECT_FALSE(cold_.StageCached(needed, staged_));
  ASSERT_THAT(needed, SizeIs(1));
  EXPECT_EQ(needed[0].key, "b");
  EXPECT_EQ(staged_.at(a)->bytes, Long('a'));
  EXPECT_THAT(promotions_, ElementsAre("a=a"));
  EXPECT_EQ(cold_.counters().hits_on_disk, 1u);
  EXPECT_EQ(cold_.counters().commands_waited, 0u);
  tier_.set_cached([](std::string_view) { return true; });
  EXPECT_TRUE(cold_.StageCached(needed, staged_));
  EXPECT_THAT(needed, IsEmpty());
  EXPECT_EQ(cold_.counters().hits_on_disk, 2u);
}

TEST_F(ColdValuesTest, ACachedValueThatIsDamagedIsStagedAsItsError) {
  const tier::ValueLocation at = Chill("k");
  tier_.Damage(at);
  tier_.set_cached([](std::string_view) { return true; });
  std::vector<NeededValue> needed = {Needed("k")};
  EXPECT_TRUE(cold_.StageCached(needed, staged_));
  EXPECT_TRUE(absl::IsDataLoss(staged_.at(at).status()));
  EXPECT_EQ(cold_.counters().unreadable, 1u);
  EXPECT_THAT(promotions_, IsEmpty());
}

TEST_F(ColdValuesTest, ATurnLooksForSoMuchInTheCacheAndNoMore) {
  Chill("k");
  const auto looks_in_a_turn = [&] {
    const uint64_t before = tier_.cached_asked();
    for (int i = 0; i < 1'000; ++i) {
      StagedValues staged;
      std::vector<NeededValue> needed = {Needed("k")};
      cold_.StageCached(needed, staged);
    }
    return tier_.cached_asked() - before;
  };
  tier_.set_cached([](std::string_view) { return true; });
  cold_.BeginTurn();
  EXPECT_EQ(looks_in_a_turn(), ColdValues::kCachedBytesInTurn / ColdValues::kLeastCachedCost);
  EXPECT_EQ(looks_in_a_turn(), 0u);
  tier_.set_cached([](std::string_view) { return false; });
  cold_.BeginTurn();
  EXPECT_EQ(looks_in_a_turn(), ColdValues::kCachedBytesInTurn / ColdValues::kNotCachedCost);
  EXPECT_EQ(cold_.counters().cached_put_off, 1'000u - 256 + 1'000 + 1'000 - 16);
}

// --- Promotion ---

TEST_F(ColdValuesTest, APromotionLandsWhereItsEntryStillIs) {
  const tier::ValueLocation at = Chill("k");
  EXPECT_TRUE(cold_.Land(KeyRef::Of("k"), at, Long('k')));
  EXPECT_EQ(Look("k").value(), Long('k'));
  EXPECT_EQ(tier_.live(), 0u);
  EXPECT_EQ(cold_.counters().promoted, 1u);
}

TEST_F(ColdValuesTest, ALatePromotionChangesNothing) {
  const tier::ValueLocation at = Chill("k");
  EXPECT_FALSE(cold_.Land(KeyRef::Of("k"), at, "of another length"));
  EXPECT_TRUE(Look("k").cold());
  ASSERT_TRUE(tier_.Reclaim(at));
  EXPECT_FALSE(cold_.Land(KeyRef::Of("k"), at, Long('k')));
  Set("k", Long('z'));
  EXPECT_FALSE(cold_.Land(KeyRef::Of("k"), at, Long('k')));
  EXPECT_EQ(Look("k").value(), Long('z'));
  keyspace_.Delete(KeyRef::Of("k"));
  EXPECT_FALSE(cold_.Land(KeyRef::Of("k"), at, Long('k')));
  EXPECT_EQ(cold_.counters().promotions_stale, 4u);
  EXPECT_EQ(cold_.counters().promoted, 0u);
}

}  // namespace
}  // namespace tidemark::cache
