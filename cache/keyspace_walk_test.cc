#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "cache/keyspace.h"
#include "cache/keyspace_recorder.h"

namespace tidemark::cache {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;
constexpr int kKeys = 2'000;

class WalkTest : public testing::Test {
 protected:
  WalkTest() {
    keyspace_.set_now_ms(kNow);
    for (int n = 0; n < kKeys; ++n) Set(Name(n), "old");
  }

  static std::string Name(int n) { return "key:" + std::to_string(n); }
  void Set(const std::string& key, std::string_view value, int64_t expire_at_ms = kNoExpiry) {
    keyspace_.Set(KeyRef::Of(key), value, expire_at_ms);
  }
  void FinishWalk() {
    while (!keyspace_.WalkSome(100)) {
    }
  }
  void BeginAndCancelAt(size_t shown) {
    WalkRecorder abandoned;
    keyspace_.BeginWalk(&abandoned);
    while (abandoned.seen().size() < shown) keyspace_.WalkSome(1);
    keyspace_.CancelWalk();
  }

  Keyspace keyspace_{{}};
};

TEST_F(WalkTest, ShowsEveryEntryOnceInSlices) {
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  int slices = 1;
  while (!keyspace_.WalkSome(100)) ++slices;
  EXPECT_FALSE(keyspace_.walking());
  EXPECT_EQ(recorder.seen().size(), size_t{kKeys});
  EXPECT_EQ(recorder.repeats(), 0);
  EXPECT_GE(slices, kKeys / 100);
}

TEST_F(WalkTest, OfAnEmptyKeyspaceIsCompleteAtOnce) {
  Keyspace empty({});
  WalkRecorder recorder;
  empty.BeginWalk(&recorder);
  EXPECT_TRUE(empty.WalkSome(1));
  EXPECT_TRUE(recorder.seen().empty());
}

struct ChangeCase {
  std::string_view name;
  std::function<void(Keyspace&, KeyRef)> change;
};

void PrintTo(const ChangeCase& c, std::ostream* os) { *os << c.name; }

class ChangeDuringWalkTest : public WalkTest, public testing::WithParamInterface<ChangeCase> {};

TEST_P(ChangeDuringWalkTest, ShowsWhatWasThereBeforeAndThenOnlyOnce) {
  for (int n = 0; n < kKeys; n += 2) Set(Name(n), std::string(20'000, 'L'), kNow + 100);
  const State before = StateOf(keyspace_);
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  for (int n = 0; n < kKeys; ++n) {
    if (n % 8 == 0) keyspace_.WalkSome(1);
    const size_t shown = recorder.seen().size();
    const bool was_shown = recorder.seen().contains(Name(n));
    GetParam().change(keyspace_, KeyRef::Of(Name(n)));
    // The pre-image goes out before the change, not at some later slice.
    ASSERT_EQ(recorder.seen().size(), shown + (was_shown ? 0 : 1)) << n;
    ASSERT_TRUE(recorder.seen().contains(Name(n)));
  }
  FinishWalk();
  EXPECT_EQ(recorder.seen(), before);
  EXPECT_EQ(recorder.repeats(), 0);
  EXPECT_TRUE(keyspace_.IsConsistent());
}

INSTANTIATE_TEST_SUITE_P(
    , ChangeDuringWalkTest,
    testing::Values(
        ChangeCase{"OverwriteInPlace", [](Keyspace& k, KeyRef key) { k.Set(key, "new", 0); }},
        ChangeCase{"OverwriteElsewhere",
                   [](Keyspace& k, KeyRef key) { k.Set(key, std::string(500, 'n'), kNow + 7); }},
        ChangeCase{"KeepExpiry", [](Keyspace& k, KeyRef key) { k.SetKeepExpiry(key, "new"); }},
        ChangeCase{"Append", [](Keyspace& k, KeyRef key) { k.SetRange(key, 3, "new"); }},
        ChangeCase{"Delete", [](Keyspace& k, KeyRef key) { k.Delete(key); }},
        ChangeCase{"DeleteAndInsert",
                   [](Keyspace& k, KeyRef key) {
                     k.Delete(key);
                     k.Set(key, "new", 0);
                   }},
        ChangeCase{"Expire", [](Keyspace& k, KeyRef key) { k.SetExpiry(key, kNow + 9); }},
        ChangeCase{"ApplySet", [](Keyspace& k, KeyRef key) { k.ApplySet(key, "new", 0); }},
        ChangeCase{"ApplyDelete", [](Keyspace& k, KeyRef key) { k.ApplyDelete(key); }},
        ChangeCase{"ApplyExpiry", [](Keyspace& k, KeyRef key) { k.ApplyExpiry(key, kNow + 9); }},
        ChangeCase{"ApplySetRange", [](Keyspace& k, KeyRef key) { k.ApplySetRange(key, 9, "n"); }}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(WalkTest, ShowsWhatExpiresMeanwhile) {
  for (int n = 0; n < kKeys; ++n) Set(Name(n), "old", kNow + 10);
  const State before = StateOf(keyspace_);
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  keyspace_.set_now_ms(kNow + 10);
  for (int n = 0; n < kKeys; n += 3) keyspace_.Find(KeyRef::Of(Name(n)));
  while (keyspace_.ExpireSome(100)) keyspace_.WalkSome(10);
  if (keyspace_.walking()) FinishWalk();
  EXPECT_EQ(recorder.seen(), before);
  EXPECT_EQ(keyspace_.size(), 0u);
}

TEST_F(WalkTest, AnEntryIsShownAheadOnRequestAndOnlyOnce) {
  keyspace_.ShowUnseen(KeyRef::Of(Name(1)));  // No walk: nobody to show it to.
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  keyspace_.ShowUnseen(KeyRef::Of(Name(1)));
  keyspace_.ShowUnseen(KeyRef::Of(Name(1)));
  keyspace_.ShowUnseen(KeyRef::Of("absent"));
  EXPECT_EQ(recorder.seen().size(), 1u);
  FinishWalk();
  EXPECT_EQ(recorder.seen().size(), size_t{kKeys});
  EXPECT_EQ(recorder.repeats(), 0);
}

TEST_F(WalkTest, ReadsShowNothing) {
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  keyspace_.Find(KeyRef::Of(Name(1)));
  keyspace_.Scan(0, 100, [](const Entry&) {});
  EXPECT_TRUE(recorder.seen().empty());
}

TEST_F(WalkTest, NewKeysAreNotShownHoweverTheTableGrowsAndShrinks) {
  const State before = StateOf(keyspace_);
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  for (int n = 0; n < 30'000; ++n) {
    Set("new:" + std::to_string(n), "new");
    if (n % 150 == 0) keyspace_.WalkSome(1);
  }
  for (int n = 0; n < 30'000; ++n) keyspace_.Delete(KeyRef::Of("new:" + std::to_string(n)));
  for (int n = 0; keyspace_.walking(); ++n) {
    keyspace_.Housekeeping(20);
    keyspace_.WalkSome(7);
  }
  EXPECT_EQ(recorder.seen(), before);
  EXPECT_EQ(recorder.repeats(), 0);
}

TEST_F(WalkTest, GoesOnInTheTableThatAFlushDetached) {
  const State before = StateOf(keyspace_);
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  keyspace_.WalkSome(300);
  keyspace_.Flush();
  for (int n = 0; n < 500; ++n) Set(Name(n), "new");
  keyspace_.Flush();  // This one holds nothing that the walk has to show.
  for (int n = 0; n < 500; ++n) Set(Name(n), "newer");
  // What the walk still needs is not freed under it.
  while (keyspace_.Housekeeping(100)) {
  }
  FinishWalk();
  EXPECT_EQ(recorder.seen(), before);
  EXPECT_EQ(recorder.repeats(), 0);
  while (keyspace_.Housekeeping(100)) {
  }
  EXPECT_EQ(StateOf(keyspace_).size(), 500u);
}

TEST_F(WalkTest, ACancelledWalkOfADetachedTableLetsItGo) {
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  keyspace_.Flush();
  while (keyspace_.Housekeeping(100)) {
  }
  const size_t held_bytes = keyspace_.memory_bytes();
  keyspace_.CancelWalk();
  while (keyspace_.Housekeeping(100)) {
  }
  EXPECT_LT(keyspace_.memory_bytes(), held_bytes / 10);
}

TEST_F(WalkTest, AfterCancelledWalksTheNextIsExact) {
  // More of them than there are marks, each cancelled at another place, some after changes, and
  // with no housekeeping to clean up between.
  const State before = StateOf(keyspace_);
  for (int walk = 0; walk < 50; ++walk) {
    BeginAndCancelAt(static_cast<size_t>(walk * 37 % kKeys));
    Set(Name(walk), "old");
    if (walk % 7 != 0) continue;
    WalkRecorder recorder;
    keyspace_.BeginWalk(&recorder);
    FinishWalk();
    ASSERT_EQ(recorder.seen(), before) << walk;
    ASSERT_EQ(recorder.repeats(), 0) << walk;
  }
  for (int walk = 0; walk < 100; ++walk) BeginAndCancelAt(3);
  EXPECT_EQ(StateOf(keyspace_), before);
  EXPECT_TRUE(keyspace_.IsConsistent());
}

TEST_F(WalkTest, HousekeepingCleansUpAfterACancelledWalk) {
  const State before = StateOf(keyspace_);
  BeginAndCancelAt(kKeys / 2);
  EXPECT_TRUE(keyspace_.Housekeeping(10));
  while (keyspace_.Housekeeping(100)) {
  }
  EXPECT_TRUE(keyspace_.IsConsistent());  // Now all marks agree.
  EXPECT_EQ(StateOf(keyspace_), before);
}

TEST_F(WalkTest, MarksTravelWithSwappedContents) {
  const State before = StateOf(keyspace_);
  BeginAndCancelAt(kKeys / 2);
  Keyspace other({});
  for (int walk = 0; walk < 3; ++walk) StateOf(other);
  other.Set(KeyRef::Of("other"), "v", kNoExpiry);
  keyspace_.SwapContents(other);
  keyspace_.Set(KeyRef::Of("more"), "v", kNoExpiry);
  EXPECT_EQ(StateOf(keyspace_).size(), 2u);
  EXPECT_EQ(StateOf(other), before);
}

}  // namespace
}  // namespace tidemark::cache
