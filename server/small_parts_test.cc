#include <gtest/gtest.h>

#include <string>

#include "server/error_counts.h"
#include "server/history_text.h"
#include "server/password.h"
#include "server/pause_gate.h"
#include "server/rate_meter.h"

namespace tidemark::server {
namespace {

TEST(ErrorCountsTest, CountsByTheFirstWord) {
  ErrorCounts counts;
  counts.Count("ERR syntax error");
  counts.Count("ERR no such key");
  counts.Count("NOAUTH");
  EXPECT_EQ(counts.total(), 3);
  EXPECT_EQ(counts.by_word().at("ERR"), 2);
  EXPECT_EQ(counts.by_word().at("NOAUTH"), 1);
}

TEST(ErrorCountsTest, RemembersABoundedNumberOfWords) {
  ErrorCounts counts;
  for (int i = 0; i < 1000; ++i) counts.Count("W" + std::to_string(i));
  EXPECT_EQ(counts.total(), 1000);
  EXPECT_EQ(counts.by_word().size(), ErrorCounts::kMaxWords);
}

TEST(PasswordTest, WithoutOneEverythingMatches) {
  Password password;
  password.Set("");
  EXPECT_FALSE(password.required());
  EXPECT_TRUE(password.Matches("anything"));
}

TEST(PasswordTest, MatchesOnlyTheWholePassword) {
  Password password;
  password.Set("secret");
  EXPECT_TRUE(password.required());
  EXPECT_TRUE(password.Matches("secret"));
  for (std::string_view wrong : {"", "s", "secre", "secretsecret", "Secret", "secret "}) {
    EXPECT_FALSE(password.Matches(wrong)) << wrong;
  }
}

TEST(PauseGateTest, HoldsWritesAloneOrEverythingUntilItsTime) {
  PauseGate gate;
  EXPECT_FALSE(gate.Holds(true, 0));
  gate.Pause(0, 100, true);
  EXPECT_TRUE(gate.Holds(true, 99));
  EXPECT_FALSE(gate.Holds(false, 99));
  EXPECT_FALSE(gate.Holds(true, 100));
  gate.Pause(100, 100, false);
  EXPECT_TRUE(gate.Holds(false, 150));
  gate.Unpause();
  EXPECT_FALSE(gate.Holds(true, 150));
}

TEST(PauseGateTest, AFailoverHoldsWritesOnItsOwnAccount) {
  PauseGate gate;
  gate.HoldWrites(true);
  EXPECT_TRUE(gate.paused(0));
  EXPECT_TRUE(gate.Holds(/*write=*/true, 1'000'000));
  EXPECT_FALSE(gate.Holds(/*write=*/false, 0));
  gate.Pause(0, 100, /*writes_only=*/false);
  EXPECT_TRUE(gate.Holds(/*write=*/false, 50));
  gate.Unpause();
  EXPECT_TRUE(gate.Holds(/*write=*/true, 50)) << "the failover goes on";
  gate.HoldWrites(false);
  EXPECT_FALSE(gate.paused(50));
}

TEST(PauseGateTest, APauseDuringAnotherTakesNothingFromIt) {
  PauseGate gate;
  gate.Pause(0, 100, false);
  gate.Pause(50, 10, true);
  EXPECT_TRUE(gate.Holds(false, 99));
  gate.Pause(50, 100, true);
  EXPECT_TRUE(gate.Holds(false, 149));
  gate.Pause(150, 10, true);
  EXPECT_FALSE(gate.Holds(false, 155)) << "the pauses before were over";
}

TEST(RateMeterTest, AveragesOverItsWindow) {
  RateMeter meter;
  for (int i = 1; i <= 40; ++i) {
    meter.Sample(int64_t{i} * 100'000'000, static_cast<uint64_t>(i) * 50);
  }
  EXPECT_NEAR(meter.per_second(), 500, 0.01);
}

TEST(HistoryHexTest, IsAsLongAsARedisReplicationId) {
  EXPECT_EQ(HistoryHex(HistoryId(0xabc)), std::string(37, '0') + "abc");
}

}  // namespace
}  // namespace tidemark::server
