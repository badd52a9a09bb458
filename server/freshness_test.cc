#include "server/freshness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/token_waiters.h"

namespace tidemark::server {
namespace {

using replication::Ancestor;
using replication::ServedPosition;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr HistoryId kGrandparent(1), kParent(2), kOwn(3), kStranger(9);

Watermarks Marks(std::initializer_list<uint64_t> values) {
  Watermarks marks;
  for (const uint64_t v : values) marks.push_back(Sequence(v));
  return marks;
}

StreamToken Token(HistoryId history, std::initializer_list<uint64_t> values) {
  return {.history = history, .sequences = Marks(values)};
}

// The parent was left at (20, 20); of the grandparent it had (30, 10).
ServedPosition At(std::initializer_list<uint64_t> reached) {
  return {.history = kOwn,
          .ancestors = {{kGrandparent, Marks({30, 10})}, {kParent, Marks({20, 20})}},
          .reached = Marks(reached),
          .shown_history = kOwn,
          .shown = Marks(reached)};
}

struct Case {
  std::string name;
  StreamToken token;
  ServedPosition position;
  Coverage coverage;
};

class CoverageTest : public testing::TestWithParam<Case> {};

TEST_P(CoverageTest, IsAsTheTableSays) {
  EXPECT_EQ(CoverageOf(GetParam().token, GetParam().position), GetParam().coverage);
}

INSTANTIATE_TEST_SUITE_P(
    Tokens, CoverageTest,
    testing::Values(
        Case{"Reached", Token(kOwn, {50, 40}), At({50, 40}), Coverage::kCovered},
        Case{"Nothing", Token(kOwn, {0, 0}), At({0, 0}), Coverage::kCovered},
        Case{"OneShardBehind", Token(kOwn, {50, 41}), At({50, 40}), Coverage::kBehind},
        Case{"Stranger", Token(kStranger, {0, 0}), At({50, 40}), Coverage::kForeign},
        Case{"NothingServedYet", Token(kOwn, {1, 1}), ServedPosition(), Coverage::kForeign},
        Case{"OtherShardCount", Token(kOwn, {1}), At({50, 40}), Coverage::kForeign},
        Case{"ParentAtItsFork", Token(kParent, {20, 20}), At({50, 40}), Coverage::kCovered},
        Case{"ParentAtItsForkNotReached", Token(kParent, {20, 20}), At({50, 19}),
             Coverage::kBehind},
        Case{"ParentBeyondItsForkAlthoughTheNumberIsReached", Token(kParent, {21, 20}),
             At({50, 40}), Coverage::kLost},
        Case{"GrandparentBelowBothForks", Token(kGrandparent, {20, 10}), At({50, 40}),
             Coverage::kCovered},
        Case{"GrandparentBelowItsForkBeyondItsChilds", Token(kGrandparent, {21, 10}), At({50, 40}),
             Coverage::kLost}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

TEST(FreshnessTest, NothingIsCoveredWhileAnotherHistoryMovesIn) {
  ServedPosition position = At({50, 40});
  position.shown_history = kStranger;
  EXPECT_EQ(CoverageOf(Token(kOwn, {1, 1}), position), Coverage::kBehind);
  EXPECT_THAT(WhyNotCovered(Token(kOwn, {1, 1}), position), HasSubstr("snapshot"));
}

TEST(FreshnessTest, ErrorsNameWhatIsMissing) {
  EXPECT_EQ(NotCoveredError(Token(kOwn, {53, 50}), At({50, 40})),
            "STALE 13 records are missing here, 10 of them of shard 1, which is at 40");
  EXPECT_THAT(NotCoveredError(Token(kStranger, {1, 1}), At({50, 40})), StartsWith("HISTORY "));
  EXPECT_THAT(NotCoveredError(Token(kParent, {21, 20}), At({50, 40})), StartsWith("HISTORY "));
}

TEST(FreshnessTest, BoundsRefuseWhatIsBeyondThem) {
  EXPECT_EQ(StalenessError({}, -1, 1'000'000), "") << "no bound";
  EXPECT_EQ(StalenessError({.max_ms = 500}, 500, 9), "") << "at the bound";
  EXPECT_EQ(StalenessError({.max_ms = 500}, 1520, 33),
            "STALE this replica is 1520 ms and 33 records behind its primary, more than 500 ms");
  EXPECT_EQ(StalenessError({.max_ms = 0, .max_records = 10}, 9, 11),
            "STALE this replica is 9 ms and 11 records behind its primary, more than 10 records");
  EXPECT_THAT(StalenessError({.max_ms = 500}, -1, 0), HasSubstr("not caught up"));
}

TEST(FreshnessTest, TheStricterBoundCounts) {
  const StalenessBounds both =
      Stricter({.max_ms = 500, .max_records = 0}, {.max_ms = 900, .max_records = 7});
  EXPECT_EQ(both.max_ms, 500);
  EXPECT_EQ(both.max_records, 7u);
}

class TokenWaitersTest : public testing::Test {
 protected:
  void Wait(const std::string& name, StreamToken token, int64_t deadline_ms) {
    waiters_.Add({.client = ++clients_,
                  .token = std::move(token),
                  .deadline_ms = deadline_ms,
                  .done = [this, name](Coverage coverage, const ServedPosition&) {
                    ended_.push_back(coverage == Coverage::kCovered ? name : name + "!");
                  }});
  }
  TokenWaiters waiters_;
  uint64_t clients_ = 0;
  std::vector<std::string> ended_;
};

TEST_F(TokenWaitersTest, OnePassEndsAllWaitsThatAMoveCovers) {
  Wait("far", Token(kOwn, {60, 60}), 1'000);
  Wait("near", Token(kOwn, {10, 10}), 1'000);
  Wait("near too", Token(kOwn, {50, 0}), 1'000);
  waiters_.OnPosition(At({50, 40}));
  EXPECT_THAT(ended_, ElementsAre("near", "near too"));
  EXPECT_EQ(waiters_.size(), 1u);
  EXPECT_EQ(waiters_.counters().timeouts, 0u);
}

TEST_F(TokenWaitersTest, ADeadlineEndsAWaitAndNamesWhatItThenWas) {
  Wait("late", Token(kOwn, {60, 60}), 1'000);
  EXPECT_FALSE(waiters_.due(999));
  EXPECT_TRUE(waiters_.due(1'000));
  waiters_.OnTime(999, At({50, 40}));
  EXPECT_TRUE(ended_.empty());
  waiters_.OnTime(1'000, At({50, 40}));
  EXPECT_THAT(ended_, ElementsAre("late!"));
  EXPECT_EQ(waiters_.counters().timeouts, 1u);
}

TEST_F(TokenWaitersTest, ATokenThatIsCoveredAtItsDeadlineHasNotTimedOut) {
  Wait("just", Token(kOwn, {50, 40}), 1'000);
  waiters_.OnTime(1'000, At({50, 40}));
  EXPECT_THAT(ended_, ElementsAre("just"));
  EXPECT_EQ(waiters_.counters().timeouts, 0u);
}

TEST_F(TokenWaitersTest, WhatWasLostIsNotWaitedFor) {
  Wait("lost", Token(kParent, {21, 20}), 1'000);
  waiters_.OnPosition(At({1, 1}));
  EXPECT_THAT(ended_, ElementsAre("lost!"));
}

TEST_F(TokenWaitersTest, AHistoryThatIsNotKnownMayBecomeKnown) {
  Wait("follows", Token(kStranger, {5}), 1'000);
  waiters_.OnPosition(At({50, 40}));
  EXPECT_TRUE(ended_.empty());
  waiters_.OnPosition({.history = kStranger,
                       .ancestors = {},
                       .reached = Marks({5}),
                       .shown_history = kStranger,
                       .shown = Marks({5})});
  EXPECT_THAT(ended_, ElementsAre("follows"));
}

TEST_F(TokenWaitersTest, WhoeverHasGoneIsNotCalledBack) {
  Wait("gone", Token(kOwn, {10, 10}), 1'000);
  Wait("there", Token(kOwn, {10, 10}), 1'000);
  waiters_.Forget(1);
  waiters_.OnPosition(At({50, 40}));
  EXPECT_THAT(ended_, ElementsAre("there"));
}

TEST_F(TokenWaitersTest, WhoeverIsCalledBackMayWaitAgain) {
  waiters_.Add({.client = 1,
                .token = Token(kOwn, {1, 1}),
                .deadline_ms = 1'000,
                .done = [this](Coverage, const ServedPosition&) {
                  Wait("again", Token(kOwn, {60, 60}), 2'000);
                }});
  waiters_.OnPosition(At({50, 40}));
  EXPECT_EQ(waiters_.size(), 1u);
  waiters_.OnPosition(At({60, 60}));
  EXPECT_THAT(ended_, ElementsAre("again"));
}

}  // namespace
}  // namespace tidemark::server
