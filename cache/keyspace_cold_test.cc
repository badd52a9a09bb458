#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cache/content_digest.h"
#include "cache/fake_tier.h"
#include "cache/keyspace.h"
#include "cache/keyspace_recorder.h"

namespace tidemark::cache {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

class KeyspaceColdTest : public testing::Test {
 protected:
  KeyspaceColdTest() {
    keyspace_.set_now_ms(kNow);
    keyspace_.set_tier(&tier_);
  }
  ~KeyspaceColdTest() override { EXPECT_TRUE(keyspace_.IsConsistent()); }

  static std::string Value(int n) { return std::string(100, static_cast<char>('a' + n % 26)); }
  void Set(const std::string& key, const std::string& value, int64_t expire_at_ms = kNoExpiry) {
    keyspace_.Set(KeyRef::Of(key), value, expire_at_ms);
  }
  tier::ValueLocation Chill(const std::string& key) {
    const std::string value(keyspace_.Look(KeyRef::Of(key))->value());
    const tier::ValueLocation at = tier_.Put(key, value);
    EXPECT_TRUE(keyspace_.MakeCold(KeyRef::Of(key), value, at));
    return at;
  }
  const Entry* Look(const std::string& key) { return keyspace_.Look(KeyRef::Of(key)); }
  void FinishWalk() {
    while (!keyspace_.WalkSome(10)) {
      if (keyspace_.walk_waits()) tier_.FinishAll();
    }
  }

  FakeTier tier_;
  MutationRecorder sink_;
  Keyspace keyspace_{{.sink = &sink_}};
};

TEST_F(KeyspaceColdTest, AColdEntryKeepsEverythingButItsBytes) {
  Set("k", Value(1), kNow + 5000);
  keyspace_.set_now_ms(kNow + 3000);
  sink_.TakeLog();
  const size_t warm_bytes = keyspace_.memory_bytes();
  const tier::ValueLocation at = Chill("k");
  const Entry* entry = Look("k");
  ASSERT_TRUE(entry->cold());
  EXPECT_EQ(entry->location(), at);
  EXPECT_EQ(entry->value_bytes(), 100u);
  EXPECT_EQ(entry->expire_at_ms(), kNow + 5000);
  EXPECT_EQ(entry->IdleSeconds(kNow + 3000), 3u);
  EXPECT_EQ(keyspace_.expiring_size(), 1u);
  EXPECT_EQ(keyspace_.cold_size(), 1u);
  EXPECT_EQ(keyspace_.cold_bytes(), 100u);
  EXPECT_LT(keyspace_.memory_bytes(), warm_bytes);
  EXPECT_TRUE(sink_.TakeLog().empty());
}

TEST_F(KeyspaceColdTest, AColdEntrysExpiryKeepsItsExtras) {
  const TtlExtras extras = {.idle_ms = 1'000, .stale_ms = 9'000, .hard_at_ms = kNow + 100};
  keyspace_.Set(KeyRef::Of("k"), Value(1), Expiry::OfUseAt(kNow, extras));
  const tier::ValueLocation at = Chill("k");
  keyspace_.set_now_ms(kNow + 500);
  ASSERT_NE(keyspace_.Find(KeyRef::Of("k")), nullptr);
  EXPECT_TRUE(keyspace_.AskToRevalidate(KeyRef::Of("k"), 50));
  EXPECT_TRUE(Look("k")->cold());
  EXPECT_TRUE(keyspace_.MakeWarm(KeyRef::Of("k"), at, Value(1)));
  EXPECT_EQ(Look("k")->expiry(), Expiry(kNow + 1'500, extras));
  EXPECT_FALSE(keyspace_.AskToRevalidate(KeyRef::Of("k"), 50)) << "somebody is on the way";
  EXPECT_EQ(sink_.replica().at("k").expiry, Look("k")->expiry());
}

TEST_F(KeyspaceColdTest, AValueThatChangedWhileItWasWrittenStaysInMemory) {
  Set("k", Value(1));
  const tier::ValueLocation at = tier_.Put("k", Value(1));
  Set("k", Value(2));
  EXPECT_FALSE(keyspace_.MakeCold(KeyRef::Of("k"), Value(1), at));
  EXPECT_EQ(Look("k")->value(), Value(2));
  keyspace_.Delete(KeyRef::Of("k"));
  EXPECT_FALSE(keyspace_.MakeCold(KeyRef::Of("k"), Value(2), at));
  tier_.Free(at);
}

TEST_F(KeyspaceColdTest, EveryWayOutFreesTheLocationOnce) {
  for (const char* key : {"set", "delete", "warm", "apply-set", "apply-delete", "expired"}) {
    Set(key, Value(1), key == std::string_view("expired") ? kNow + 1 : kNoExpiry);
    Chill(key);
  }
  EXPECT_EQ(tier_.live(), 6u);
  Set("set", Value(2));
  keyspace_.Delete(KeyRef::Of("delete"));
  EXPECT_TRUE(keyspace_.MakeWarm(KeyRef::Of("warm"), Look("warm")->location(), Value(1)));
  EXPECT_EQ(Look("warm")->value(), Value(1));
  keyspace_.ApplySet(KeyRef::Of("apply-set"), Value(3), kNoExpiry);
  keyspace_.ApplyDelete(KeyRef::Of("apply-delete"));
  keyspace_.set_now_ms(kNow + 10);
  EXPECT_EQ(keyspace_.Find(KeyRef::Of("expired")), nullptr);
  EXPECT_EQ(tier_.live(), 0u);
  EXPECT_EQ(keyspace_.cold_size(), 0u);
}

TEST_F(KeyspaceColdTest, ANewExpiryKeepsTheLocation) {
  Set("k", Value(1));
  const tier::ValueLocation at = Chill("k");
  keyspace_.SetExpiry(KeyRef::Of("k"), kNow + 100);
  keyspace_.SetExpiry(KeyRef::Of("k"), kNow + 200);
  EXPECT_TRUE(Look("k")->ColdAt(at));
  keyspace_.SetExpiry(KeyRef::Of("k"), kNoExpiry);
  EXPECT_TRUE(keyspace_.IsAt(KeyRef::Of("k"), at));
  EXPECT_EQ(tier_.live(), 1u);
}

TEST_F(KeyspaceColdTest, AFlushFreesAllInSlices) {
  for (int n = 0; n < 1000; ++n) {
    Set(std::to_string(n), Value(n));
    Chill(std::to_string(n));
  }
  keyspace_.Flush();
  EXPECT_EQ(keyspace_.cold_size(), 0u);
  while (keyspace_.Housekeeping(10)) {
  }
  EXPECT_EQ(tier_.live(), 0u);
}

TEST_F(KeyspaceColdTest, AStalePromotionDoesNotResurrect) {
  Set("k", Value(1));
  const tier::ValueLocation at = Chill("k");
  Set("k", Value(2));
  EXPECT_FALSE(keyspace_.MakeWarm(KeyRef::Of("k"), at, Value(1)));
  EXPECT_EQ(Look("k")->value(), Value(2));
  keyspace_.Delete(KeyRef::Of("k"));
  EXPECT_FALSE(keyspace_.MakeWarm(KeyRef::Of("k"), at, Value(1)));
  EXPECT_EQ(Look("k"), nullptr);
}

TEST_F(KeyspaceColdTest, AppendedValuesComeBackAsSuch) {
  keyspace_.Set(KeyRef::Of("k"), Value(1), kNoExpiry);
  keyspace_.SetRange(KeyRef::Of("k"), 100, std::string(20'000, 'x'));
  const std::string value(Look("k")->value());
  const tier::ValueLocation at = Chill("k");
  EXPECT_TRUE(Look("k")->appended());
  EXPECT_TRUE(keyspace_.MakeWarm(KeyRef::Of("k"), at, value));
  EXPECT_TRUE(Look("k")->appended());
  EXPECT_EQ(Look("k")->value(), value);
}

TEST_F(KeyspaceColdTest, AReplicaChangesAPartOfAColdValue) {
  Set("k", Value(1));
  Chill("k");
  keyspace_.ApplySetRange(KeyRef::Of("k"), 99, "!!");
  EXPECT_EQ(Look("k")->value(), Value(1).substr(0, 99) + "!!");
  EXPECT_EQ(tier_.live(), 0u);
}

TEST_F(KeyspaceColdTest, APartOfALostValueLeavesItLost) {
  Set("k", Value(1));
  tier_.Damage(Chill("k"));
  keyspace_.ApplySetRange(KeyRef::Of("k"), 99, "!!");
  ASSERT_TRUE(Look("k")->cold());
  EXPECT_TRUE(Look("k")->location().is_null());
  EXPECT_EQ(keyspace_.stats().cold_lost, 1u);
  EXPECT_EQ(tier_.live(), 0u);
  Set("k", Value(2));
  EXPECT_EQ(Look("k")->value(), Value(2));
}

// --- Walks ---

TEST_F(KeyspaceColdTest, AWalkShowsColdEntriesWithoutWarmingThem) {
  for (int n = 0; n < 200; ++n) Set(std::to_string(n), Value(n), n % 3 == 0 ? kNow + n : kNoExpiry);
  const State before = StateOf(keyspace_);
  for (int n = 0; n < 200; n += 2) Chill(std::to_string(n));
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  FinishWalk();
  EXPECT_EQ(recorder.seen(), before);
  EXPECT_EQ(recorder.repeats(), 0);
  EXPECT_EQ(keyspace_.cold_size(), 100u);
}

TEST_F(KeyspaceColdTest, AWalkReadsNoMoreThanItMay) {
  for (int n = 0; n < 1000; ++n) {
    Set(std::to_string(n), Value(n));
    Chill(std::to_string(n));
  }
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  while (!keyspace_.walk_waits()) ASSERT_FALSE(keyspace_.WalkSome(1000));
  // The bucket in which it got full is shown to its end.
  EXPECT_LT(tier_.reads_under_way(), WalkReads::kMaxReads + 32);
  EXPECT_FALSE(keyspace_.WalkSome(1000));
  FinishWalk();
  EXPECT_EQ(recorder.seen().size(), 1000u);
}

TEST_F(KeyspaceColdTest, AWalkWaitsForAFrontWithoutRoom) {
  tier_.set_max_reads(3);
  for (int n = 0; n < 100; ++n) {
    Set(std::to_string(n), Value(n));
    Chill(std::to_string(n));
  }
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  for (int n = 0; n < 100; ++n) Set(std::to_string(n), "new");
  while (!keyspace_.WalkSome(10)) tier_.FinishRead();
  EXPECT_EQ(recorder.seen().size(), 100u);
  EXPECT_EQ(recorder.seen().at("7").value, Value(7));
  EXPECT_EQ(tier_.kept(), 0u);
}

// What a visitor that follows the changes as well is told.
class LateRecorder final : public WalkVisitor {
 public:
  void OnEntry(const Entry& entry) override { told_.push_back(Text(entry)); }
  void OnLateEntry(const Entry& entry, const Entry* now) override {
    told_.push_back(Text(entry) + " -> " + (now == nullptr ? "gone" : Text(*now)));
  }
  void OnUnreadable(const Entry& entry, const absl::Status& why) override {
    told_.push_back(std::string(entry.key()) + " lost");
  }
  bool told_nothing() const { return told_.empty(); }
  std::string TakeOne() {
    EXPECT_EQ(told_.size(), 1u);
    return told_.empty() ? "" : std::exchange(told_, {}).front();
  }

 private:
  static std::string Text(const Entry& entry) {
    const int64_t expiry = entry.has_expiry() ? entry.expire_at_ms() - kNow : 0;
    return std::string(entry.value().substr(0, 1)) + "@" + std::to_string(expiry);
  }
  std::vector<std::string> told_;
};

class LateEntryTest : public KeyspaceColdTest {
 protected:
  LateEntryTest() {
    Set("k", Value(0), kNow + 9);
    at_ = Chill("k");
    keyspace_.BeginWalk(&visitor_);
  }
  std::string WhatIsTold() {
    FinishWalk();
    EXPECT_FALSE(keyspace_.walking());
    EXPECT_EQ(tier_.kept(), tier_.live());  // No pin is left.
    return visitor_.TakeOne();
  }

  tier::ValueLocation at_;
  LateRecorder visitor_;
};

TEST_F(LateEntryTest, Unchanged) { EXPECT_EQ(WhatIsTold(), "a@9"); }

TEST_F(LateEntryTest, Overwritten) {
  Set("k", "z");
  EXPECT_EQ(tier_.live(), 0u);
  EXPECT_EQ(WhatIsTold(), "a@9 -> z@0");
}

TEST_F(LateEntryTest, Deleted) {
  keyspace_.Delete(KeyRef::Of("k"));
  EXPECT_EQ(WhatIsTold(), "a@9 -> gone");
}

TEST_F(LateEntryTest, GivenAnotherExpiry) {
  keyspace_.SetExpiry(KeyRef::Of("k"), kNow + 5);
  EXPECT_EQ(WhatIsTold(), "a@9 -> a@5");
}

TEST_F(LateEntryTest, TakenBackIntoMemoryWhileItIsRead) {
  EXPECT_FALSE(keyspace_.WalkSome(10));
  EXPECT_TRUE(keyspace_.MakeWarm(KeyRef::Of("k"), at_, Value(0)));
  EXPECT_EQ(WhatIsTold(), "a@9 -> a@9");
}

TEST_F(LateEntryTest, OverwrittenAndDemotedOnceMore) {
  Set("k", Value(7));
  Chill("k");
  EXPECT_EQ(WhatIsTold(), "a@9 -> h@0");
}

TEST_F(LateEntryTest, DemotedOnceMoreAndOverwrittenAgainWhileThatIsRead) {
  Set("k", Value(7));
  Chill("k");
  EXPECT_FALSE(keyspace_.WalkSome(10));
  tier_.FinishRead();
  EXPECT_EQ(tier_.reads_under_way(), 1u);
  Set("k", "z");
  EXPECT_EQ(WhatIsTold(), "a@9 -> z@0");
}

TEST_F(LateEntryTest, Flushed) {
  keyspace_.Flush();
  EXPECT_EQ(WhatIsTold(), "a@9 -> gone");
  while (keyspace_.Housekeeping(10)) {
  }
  EXPECT_EQ(tier_.live(), 0u);
}

TEST_F(LateEntryTest, MovedByReclaimWhileItIsRead) {
  EXPECT_FALSE(keyspace_.WalkSome(10));
  const tier::ValueLocation to = tier_.Put("k", Value(0));
  EXPECT_TRUE(keyspace_.Relocate(KeyRef::Of("k"), at_, to));
  tier_.Free(at_);
  EXPECT_EQ(WhatIsTold(), "a@9 -> a@9");
}

TEST_F(LateEntryTest, Unreadable) {
  tier_.Damage(at_);
  EXPECT_EQ(WhatIsTold(), "k lost");
  EXPECT_EQ(keyspace_.stats().cold_unreadable_in_walks, 1u);
}

TEST_F(LateEntryTest, NobodyIsToldOnceTheWalkIsCancelled) {
  EXPECT_FALSE(keyspace_.WalkSome(10));
  keyspace_.CancelWalk();
  tier_.FinishAll();
  EXPECT_TRUE(visitor_.told_nothing());
}

TEST_F(KeyspaceColdTest, TheDigestDoesNotDependOnWhereValuesAre) {
  for (int n = 0; n < 300; ++n) Set(std::to_string(n), Value(n));
  const auto digest = [&] {
    ContentDigester digester;
    keyspace_.BeginWalk(&digester);
    FinishWalk();
    return digester.digest();
  };
  const ContentDigest warm = digest();
  for (int n = 0; n < 300; n += 3) Chill(std::to_string(n));
  EXPECT_EQ(digest(), warm);
  tier_.Damage(Look("3")->location());
  EXPECT_FALSE(digest() == warm);
}

// A tiered keyspace and a plain one take the same random changes, while values of the one wander to
// disk and back: both mint the same, and walks of both show the same.
TEST_F(KeyspaceColdTest, RandomChangesAreThoseOfAPlainKeyspace) {
  MutationRecorder plain_sink;
  Keyspace plain({.sink = &plain_sink});
  std::mt19937 random(20'251'121);
  int64_t now = kNow;
  WalkRecorder tiered_walk;
  WalkRecorder plain_walk;
  for (int step = 0; step < 30'000; ++step) {
    const std::string name = std::to_string(random() % 60);
    const KeyRef key = KeyRef::Of(name);
    const std::string value = Value(static_cast<int>(random())) + std::to_string(random() % 9);
    const int64_t expiry =
        random() % 2 == 0 ? kNoExpiry : now + static_cast<int64_t>(random() % 99);
    const auto both = [&](auto change) {
      change(keyspace_);
      change(plain);
    };
    switch (random() % 12) {
      case 0:
        both([&](Keyspace& k) { k.Set(key, value, expiry); });
        break;
      case 1:
        both([&](Keyspace& k) { k.SetKeepExpiry(key, value); });
        break;
      case 2:
        both([&](Keyspace& k) { k.Delete(key); });
        break;
      case 3:
        both([&](Keyspace& k) { k.SetExpiry(key, expiry); });
        break;
      case 4:
        if (const Entry* entry = Look(name); entry != nullptr && entry->cold()) {
          keyspace_.MakeWarm(key, entry->location(), tier_.ReadNow(name, entry->location())->bytes);
        }
        both([&](Keyspace& k) { k.SetRange(key, 90, "part"); });
        break;
      case 5:
        if (!sink_.replica().contains(name)) break;  // It mints nothing that would create it there.
        both([&](Keyspace& k) { k.ApplySetRange(key, 95, value); });
        break;
      case 6:
        now += 1;
        both([&](Keyspace& k) { k.set_now_ms(now); });
        break;
      case 7:
      case 8:
        if (const Entry* entry = Look(name); entry != nullptr && !entry->cold()) Chill(name);
        break;
      case 9:
        if (const Entry* entry = Look(name); entry != nullptr && entry->cold()) {
          const tier::ValueLocation to =
              tier_.Put(name, tier_.ReadNow(name, entry->location())->bytes);
          const tier::ValueLocation from = entry->location();
          ASSERT_TRUE(keyspace_.Relocate(key, from, to));
          tier_.Free(from);
        }
        break;
      case 10:
        if (random() % 50 == 0) both([&](Keyspace& k) { k.Flush(); });
        while (keyspace_.Housekeeping(5) || plain.Housekeeping(5)) {
          if (keyspace_.walking() || plain.walking()) break;
        }
        tier_.FinishRead();
        break;
      default:
        if (!keyspace_.walking() && random() % 20 == 0) {
          tiered_walk = WalkRecorder();
          plain_walk = WalkRecorder();
          keyspace_.BeginWalk(&tiered_walk);
          plain.BeginWalk(&plain_walk);
        } else if (keyspace_.walking()) {
          if (plain.walking()) plain.WalkSome(3);
          if (keyspace_.WalkSome(3)) {
            if (plain.walking()) {
              while (!plain.WalkSome(100)) {
              }
            }
            ASSERT_EQ(tiered_walk.seen(), plain_walk.seen()) << "step " << step;
            ASSERT_EQ(tiered_walk.repeats(), 0);
          }
          tier_.FinishRead(tier_.reads_under_way() / 2);
        }
    }
    ASSERT_EQ(sink_.TakeLog(), plain_sink.TakeLog()) << "step " << step;
    ASSERT_LE(keyspace_.cold_size(), tier_.live());  // What was flushed is freed in slices.
  }
  if (keyspace_.walking()) keyspace_.CancelWalk();
  while (keyspace_.Housekeeping(100)) {
  }
  EXPECT_EQ(keyspace_.cold_size(), tier_.live());
}

}  // namespace
}  // namespace tidemark::cache
