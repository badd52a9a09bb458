// A judge that finds no fault proves nothing until it has found some.
#include "integration/chaos/client_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::integration {
namespace {

using testing::HasSubstr;
using Kind = ClientHistory::Kind;
using Promise = ClientHistory::Promise;

class ClientHistoryTest : public testing::Test {
 protected:
  // One key; `acked` of its `attempted` writes were replied.
  static size_t Written(ClientHistory& history, Kind kind, int attempted, int acked) {
    const size_t key = history.Add("k", kind);
    for (int i = 0; i < attempted; ++i) {
      const int64_t number = history.Attempt(key);
      if (i < acked) history.OnAcked(key, number);
    }
    return key;
  }
};

TEST_F(ClientHistoryTest, AReadShowsWhatWasAckedAndNoMoreThanWasAttempted) {
  for (const Kind kind : {Kind::kRegister, Kind::kCounter}) {
    ClientHistory history(Promise::kWhileThePrimaryLives);
    const size_t key = Written(history, kind, 5, 3);
    EXPECT_EQ(history.acked(key), 3);
    for (const int64_t shown : {3, 4, 5}) EXPECT_EQ(history.Judge(key, 3, shown), "");
    EXPECT_THAT(history.Judge(key, 3, 2), HasSubstr("3 had been acknowledged"));
    EXPECT_THAT(history.Judge(key, 3, 6), HasSubstr("no more than 5"));
  }
}

TEST_F(ClientHistoryTest, APromiseThatSurvivesThePrimaryIsHeldToIt) {
  ClientHistory history(Promise::kSurvivesThePrimary);
  const size_t key = Written(history, Kind::kRegister, 5, 3);
  EXPECT_THAT(history.Settle(key, 2), HasSubstr("3 had been acknowledged"));
  EXPECT_EQ(history.Settle(key, 4), "");
  EXPECT_EQ(history.acked(key), 4);
}

TEST_F(ClientHistoryTest, WhatIsLostWithThePrimaryMustNotComeBack) {
  ClientHistory history(Promise::kWhileThePrimaryLives);
  const size_t key = Written(history, Kind::kRegister, 5, 3);
  ASSERT_EQ(history.Settle(key, 1), "");
  EXPECT_EQ(history.Judge(key, history.acked(key), 1), "");
  EXPECT_THAT(history.Judge(key, history.acked(key), 4), HasSubstr("seen again"));
  EXPECT_EQ(history.Attempt(key), 6);
  EXPECT_EQ(history.Judge(key, 1, 6), "");
}

TEST_F(ClientHistoryTest, ACounterGoesOnFromWhatThePrimaryKept) {
  ClientHistory history(Promise::kWhileThePrimaryLives);
  const size_t key = Written(history, Kind::kCounter, 5, 3);
  ASSERT_EQ(history.Settle(key, 2), "");
  EXPECT_THAT(history.Judge(key, 2, 3), HasSubstr("no more than 2"));
  history.Attempt(key);
  EXPECT_EQ(history.Judge(key, 2, 3), "");
}

}  // namespace
}  // namespace tidemark::integration
