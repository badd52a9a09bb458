#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cache/keyspace.h"
#include "cache/keyspace_recorder.h"

namespace tidemark::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kNow = 1'700'000'000'000;
constexpr int64_t kLease = 50;
constexpr TtlExtras kIdle = {.idle_ms = 1'000, .stale_ms = 0, .hard_at_ms = 0};

class KeyspaceExtrasTest : public testing::Test {
 protected:
  KeyspaceExtrasTest() { At(0); }

  // It is so many ms after kNow.
  void At(int64_t ms) {
    now_ms_ = kNow + ms;
    keyspace_.set_now_ms(now_ms_);
  }
  void Set(std::string_view key, const TtlExtras& extras) {
    keyspace_.Set(KeyRef::Of(key), "value", Expiry::OfUseAt(now_ms_, extras));
    sink_.TakeLog();
  }
  // Fresh for 1000 ms, stale for 500.
  void SetStale(std::string_view key) {
    Set(key, {.idle_ms = 0, .stale_ms = 500, .hard_at_ms = now_ms_ + 1'000});
  }
  bool Found(std::string_view key) { return keyspace_.Find(KeyRef::Of(key)) != nullptr; }
  bool Ask(std::string_view key) { return keyspace_.AskToRevalidate(KeyRef::Of(key), kLease); }

  int64_t now_ms_ = 0;
  MutationRecorder sink_;
  Keyspace keyspace_{{.sink = &sink_}};
};

TEST_F(KeyspaceExtrasTest, AnIdleKeyGoesItsTimeAfterItsLastUse) {
  Set("k", kIdle);
  At(999);
  EXPECT_TRUE(Found("k"));
  At(1'998);
  EXPECT_TRUE(Found("k"));
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("EXPIRE k @1700000001999 idle 1000",
                                           "EXPIRE k @1700000002998 idle 1000"));
  At(2'998);
  EXPECT_FALSE(Found("k"));
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("DELETE k expired"));
  EXPECT_EQ(keyspace_.stats().expired_idle, 1u);
  EXPECT_EQ(keyspace_.stats().idle_renewals, 2u);
}

TEST_F(KeyspaceExtrasTest, UsesMoveTheMomentEightTimesAnIdleTime) {
  Set("k", kIdle);
  for (int ms = 1; ms <= 1'000; ++ms) {
    At(ms);
    EXPECT_TRUE(Found("k"));
  }
  EXPECT_EQ(sink_.TakeLog().size(), 8u);
  At(124 + 1'000);
  EXPECT_TRUE(Found("k"));
}

TEST_F(KeyspaceExtrasTest, UseDoesNotPassTheLastMomentAndReachesIt) {
  Set("k", {.idle_ms = 1'000, .stale_ms = 0, .hard_at_ms = kNow + 1'050});
  At(49);
  EXPECT_TRUE(Found("k"));
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
  At(50);  // No eighth, but all that there is.
  EXPECT_TRUE(Found("k"));
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("EXPIRE k @1700000001050 idle 1000 hard 1700000001050"));
  At(1'049);
  EXPECT_TRUE(Found("k"));
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
  At(1'050);
  EXPECT_FALSE(Found("k"));
  EXPECT_EQ(keyspace_.stats().expired_idle, 0u) << "its time was up";
}

TEST_F(KeyspaceExtrasTest, LookingIsNoUse) {
  Set("k", kIdle);
  At(900);
  const KeyRef key = KeyRef::Of("k");
  EXPECT_NE(keyspace_.Peek(key), nullptr);
  keyspace_.Scan(0, 10, [](const Entry&) {});
  EXPECT_EQ(keyspace_.RandomKey(), "k");
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
}

TEST_F(KeyspaceExtrasTest, WritesThatKeepTheExpiryAreUses) {
  Set("k", kIdle);
  At(1);
  keyspace_.SetKeepExpiry(KeyRef::Of("k"), "w");  // Carries a moment anyway.
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("SET k w @1700000001001 idle 1000"));
  At(100);
  keyspace_.SetRange(KeyRef::Of("k"), 1, "x");
  At(500);
  keyspace_.SetRange(KeyRef::Of("k"), 2, "y");
  EXPECT_THAT(sink_.TakeLog(),
              ElementsAre("SETRANGE k 1 x", "SETRANGE k 2 y", "EXPIRE k @1700000001500 idle 1000"));
}

TEST_F(KeyspaceExtrasTest, WhoMayNotWriteMovesNothing) {
  Set("k", kIdle);
  keyspace_.set_effects_only(true);
  At(900);
  EXPECT_TRUE(Found("k"));
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
  At(1'000);
  EXPECT_FALSE(Found("k")) << "as a replica hides what it is not told to keep";
  EXPECT_EQ(keyspace_.size(), 1u);
  keyspace_.ApplyExpiry(KeyRef::Of("k"), Expiry(kNow + 1'900, kIdle));
  EXPECT_TRUE(Found("k"));
}

TEST_F(KeyspaceExtrasTest, AClockThatGoesBackTakesNoTimeAway) {
  Set("k", kIdle);
  At(-500);
  EXPECT_TRUE(Found("k"));
  keyspace_.SetKeepExpiry(KeyRef::Of("k"), "w");
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("SET k w @1700000001000 idle 1000"));
}

TEST_F(KeyspaceExtrasTest, AWalkShowsTheMomentOfItsBeginning) {
  Set("k", kIdle);
  WalkRecorder recorder;
  keyspace_.BeginWalk(&recorder);
  At(500);
  EXPECT_TRUE(Found("k"));
  while (!keyspace_.WalkSome(10)) {
  }
  EXPECT_EQ(recorder.seen().at("k").expiry, Expiry(kNow + 1'000, kIdle));
}

TEST_F(KeyspaceExtrasTest, AMovedMomentLeavesTheLeaseRunning) {
  Set("k", {.idle_ms = 2'000, .stale_ms = 9'000, .hard_at_ms = kNow + 100});
  At(1'000);
  EXPECT_TRUE(Ask("k"));
  EXPECT_TRUE(Found("k"));
  EXPECT_EQ(sink_.TakeLog().size(), 1u);
  EXPECT_FALSE(Ask("k"));
}

TEST_F(KeyspaceExtrasTest, AStaleValueIsServedUntilItsTimeIsOver) {
  SetStale("k");
  At(999);
  EXPECT_TRUE(Found("k"));
  EXPECT_EQ(keyspace_.stats().stale_hits, 0u);
  At(1'000);
  EXPECT_TRUE(Found("k"));
  At(1'499);
  EXPECT_TRUE(Found("k"));
  EXPECT_EQ(keyspace_.stats().stale_hits, 2u);
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
  At(1'500);
  EXPECT_FALSE(Found("k"));
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("DELETE k expired"));
}

TEST_F(KeyspaceExtrasTest, OneCallerALeaseIsAsked) {
  SetStale("k");
  At(999);
  EXPECT_FALSE(Ask("k")) << "fresh";
  At(1'000);
  EXPECT_TRUE(Ask("k"));
  EXPECT_FALSE(Ask("k"));
  At(1'000 + kLease - 1);
  EXPECT_FALSE(Ask("k"));
  At(1'000 + kLease);
  EXPECT_TRUE(Ask("k")) << "the first is taken for lost";
  EXPECT_FALSE(Ask("k"));
  At(1'500);
  EXPECT_FALSE(Ask("k")) << "gone";
  EXPECT_EQ(keyspace_.stats().revalidations_asked, 2u);
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
}

TEST_F(KeyspaceExtrasTest, AChangeEndsTheLease) {
  SetStale("k");
  At(1'000);
  EXPECT_TRUE(Ask("k"));
  keyspace_.SetKeepExpiry(KeyRef::Of("k"), "other");  // Stale still.
  EXPECT_TRUE(Ask("k"));
  keyspace_.SetRange(KeyRef::Of("k"), 1, "x");
  EXPECT_TRUE(Ask("k"));
  SetStale("k");
  EXPECT_FALSE(Ask("k"));
  At(2'000);
  EXPECT_TRUE(Ask("k")) << "a lease of the value before does not count";
}

TEST_F(KeyspaceExtrasTest, NobodyIsAskedForWhatCannotBecomeStale) {
  keyspace_.Set(KeyRef::Of("plain"), "value", now_ms_ + 10);
  Set("idle", {.idle_ms = 1'000, .stale_ms = 0, .hard_at_ms = 0});
  At(5);
  EXPECT_FALSE(Ask("plain"));
  EXPECT_FALSE(Ask("idle"));
  EXPECT_FALSE(Ask("absent"));
}

TEST_F(KeyspaceExtrasTest, WhoMayNotWriteAsksNobody) {
  SetStale("k");
  At(1'000);
  keyspace_.set_effects_only(true);
  EXPECT_TRUE(Found("k"));
  EXPECT_FALSE(Ask("k"));
  keyspace_.set_effects_only(false);
  EXPECT_TRUE(Ask("k"));
}

}  // namespace
}  // namespace tidemark::cache
