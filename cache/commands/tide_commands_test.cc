// TIDE GET, TIDE SET and TIDE EXPIRE: what they answer and mint, and that SET and EXPIRE know
// nothing of their options.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "cache/commands/local_shard.h"
#include "cache/commands/tide_rows.h"
#include "cache/commands/ttl_jitter.h"
#include "cache/keyspace_recorder.h"

namespace tidemark::cache {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Words = std::vector<std::string>;

constexpr int64_t kNow = 1'700'000'000'000;
constexpr uint64_t kHighestHash = std::numeric_limits<uint64_t>::max();

TEST(JitteredTtlTest, LosesBetweenNothingAndItsPercentage) {
  EXPECT_EQ(JitteredTtl(1'000, 10, 0), 1'000);
  EXPECT_EQ(JitteredTtl(1'000, 10, kHighestHash / 2), 951);
  EXPECT_EQ(JitteredTtl(1'000, 10, kHighestHash), 901);
  EXPECT_EQ(JitteredTtl(1'000, 0, kHighestHash), 1'000);
}

TEST(JitteredTtlTest, LeavesAtLeastAMillisecond) {
  EXPECT_EQ(JitteredTtl(1, 100, kHighestHash), 1);
  EXPECT_EQ(JitteredTtl(1'000, 100, kHighestHash), 1);
}

TEST(JitteredTtlTest, TheLongestTimeDoesNotOverflow) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(JitteredTtl(kMax, 100, 0), kMax);
  EXPECT_EQ(JitteredTtl(kMax, 100, kHighestHash), 1);
}

TEST(JitteredTtlTest, SpreadsKeysEvenly) {
  std::vector<int> tenths(10);
  for (int i = 0; i < 10'000; ++i) {
    const int64_t ttl = JitteredTtl(1'000'000, 100, KeyHash(fmt::format("key:{}", i)));
    ++tenths.at(static_cast<size_t>((ttl - 1) / 100'000));
  }
  for (const int each : tenths) EXPECT_NEAR(each, 1'000, 180);  // Six standard deviations.
}

class TideCommandsTest : public testing::Test {
 protected:
  TideCommandsTest() { shard_.keyspace().set_now_ms(kNow); }

  std::string Tide(const CommandSpec& spec, const Words& command) {
    const std::vector<std::string_view> args(command.begin(), command.end());
    RecordedReply reply(RecordedReply::Protocol::kResp2);
    CommandContext context{
        .keyspace = shard_.keyspace(), .spec = spec, .key_hash = KeyHash(args[2])};
    spec.handler(context, args, reply);
    EXPECT_EQ(reply.replies(), 1);
    return reply.text();
  }
  std::string Set(Words command) { return Tide(kTideSetRow, Prefixed("SET", command)); }
  std::string Get(Words command) { return Tide(kTideGetRow, Prefixed("GET", command)); }
  std::string Expire(Words command) { return Tide(kTideExpireRow, Prefixed("EXPIRE", command)); }
  // The time that is left; less than 0 if there is none or no key.
  int64_t Ttl(const std::string& key) {
    const Entry* entry = shard_.keyspace().Peek(KeyRef::Of(key));
    return entry == nullptr || !entry->has_expiry() ? -1 : entry->expire_at_ms() - kNow;
  }

  MutationRecorder sink_;
  LocalShard shard_{&sink_};

 private:
  static Words Prefixed(const std::string& subcommand, Words command) {
    command.insert(command.begin(), {"TIDE", subcommand});
    return command;
  }
};

TEST_F(TideCommandsTest, WithoutJitterTheyAreSetAndExpire) {
  Set({"k", "v"});
  Set({"k", "w", "PX", "500"});
  Expire({"k", "EX", "2"});
  Expire({"k", "PX", "7"});
  EXPECT_THAT(sink_.TakeLog(), ElementsAre("SET k v @0", "SET k w @1700000000500",
                                           "EXPIRE k @1700000002000", "EXPIRE k @1700000000007"));
}

TEST_F(TideCommandsTest, JitterMintsAnAbsoluteMomentOfTheKey) {
  const int64_t expected = kNow + JitteredTtl(10'000, 50, KeyHash("k"));
  ASSERT_NE(expected, kNow + 10'000);
  Set({"k", "v", "PX", "10000", "JITTER", "50"});
  Expire({"k", "EX", "10", "JITTER", "50"});
  Set({"k", "v", "jitter", "50", "nx", "EX", "10"});
  Set({"k", "v", "jitter", "50", "xx", "EX", "10"});
  const std::string effect = fmt::format("SET k v @{}", expected);
  EXPECT_THAT(sink_.TakeLog(), ElementsAre(effect, fmt::format("EXPIRE k @{}", expected), effect));
}

TEST_F(TideCommandsTest, KeysSetTogetherDoNotExpireTogether) {
  std::set<int64_t> ttls;
  for (int i = 0; i < 1'000; ++i) {
    const std::string key = fmt::format("key:{}", i);
    Set({key, "v", "PX", "1000000", "JITTER", "20"});
    ttls.insert(Ttl(key));
    EXPECT_GE(Ttl(key), 800'000);
    EXPECT_LE(Ttl(key), 1'000'000);
  }
  EXPECT_GT(ttls.size(), 990u);
}

TEST_F(TideCommandsTest, ConditionsHoldForTheJitteredMoment) {
  const int64_t jittered = JitteredTtl(10'000, 50, KeyHash("k"));
  Set({"k", "v", "PX", "9990"});
  ASSERT_LT(jittered, 9'990);
  EXPECT_EQ(Expire({"k", "PX", "10000", "JITTER", "50", "GT"}), ":0");
  EXPECT_EQ(Ttl("k"), 9'990);
  EXPECT_EQ(Expire({"k", "PX", "10000", "JITTER", "50", "LT"}), ":1");
  EXPECT_EQ(Ttl("k"), jittered);
}

TEST_F(TideCommandsTest, ExtrasAreInTheEffect) {
  Set({"k", "v", "IDLE", "2"});
  Set({"k", "v", "pidle", "2500", "EX", "9"});
  Set({"k", "v", "EX", "9", "STALE", "3"});
  Set({"k", "v", "PSTALE", "3500", "IDLE", "20", "PXAT", "1700000009000"});
  Expire({"k", "IDLE", "2"});
  Expire({"k", "PSTALE", "1", "PX", "5", "PIDLE", "7"});
  EXPECT_THAT(sink_.TakeLog(),
              ElementsAre("SET k v @1700000002000 idle 2000",
                          "SET k v @1700000002500 idle 2500 hard 1700000009000",
                          "SET k v @1700000012000 stale 3000 hard 1700000009000",
                          "SET k v @1700000012500 idle 20000 stale 3500 hard 1700000009000",
                          "EXPIRE k @1700000002000 idle 2000",
                          "EXPIRE k @1700000000006 idle 7 stale 1 hard 1700000000005"));
}

TEST_F(TideCommandsTest, JitterIsOfTheHardMoment) {
  const int64_t hard = kNow + JitteredTtl(10'000, 50, KeyHash("k"));
  Set({"k", "v", "PX", "10000", "JITTER", "50", "STALE", "1"});
  EXPECT_THAT(sink_.TakeLog(),
              ElementsAre(fmt::format("SET k v @{} stale 1000 hard {}", hard + 1'000, hard)));
}

TEST_F(TideCommandsTest, AKeyThatIsStaleAlreadyMayBeSetAndOneThatIsGoneMayNot) {
  Set({"k", "v", "PXAT", std::to_string(kNow - 10), "PSTALE", "11"});
  EXPECT_EQ(Ttl("k"), 1);
  Set({"k", "v", "PXAT", std::to_string(kNow - 10), "PSTALE", "10"});
  EXPECT_THAT(shard_.Run({"EXISTS", "k"}), ":0");
}

TEST_F(TideCommandsTest, ConditionsHoldForTheMomentAtWhichTheKeyGoes) {
  Set({"k", "v", "EX", "5", "STALE", "5"});
  EXPECT_EQ(Expire({"k", "EX", "9", "GT"}), ":0");
  EXPECT_EQ(Expire({"k", "IDLE", "11", "GT"}), ":1");
  EXPECT_EQ(Ttl("k"), 11'000);
}

TEST_F(TideCommandsTest, WhatSetsAnExpiryAnewDropsTheExtras) {
  const std::vector<Words> commands = {
      {"SET", "k", "w"},         {"SET", "k", "w", "EX", "5"}, {"GETSET", "k", "w"},
      {"MSET", "k", "w"},        {"EXPIRE", "k", "5"},         {"PERSIST", "k"},
      {"GETEX", "k", "EX", "5"}, {"GETEX", "k", "PERSIST"},
  };
  for (const Words& command : commands) {
    Set({"k", "v", "IDLE", "60", "EX", "60", "STALE", "60"});
    ASSERT_TRUE(shard_.keyspace().Peek(KeyRef::Of("k"))->has_extras());
    shard_.Run(command);
    EXPECT_FALSE(shard_.keyspace().Peek(KeyRef::Of("k"))->has_extras())
        << testing::PrintToString(command);
  }
}

TEST_F(TideCommandsTest, WhatKeepsTheExpiryKeepsTheExtras) {
  const std::vector<std::pair<Words, std::string>> commands = {
      {{"SET", "k", "7", "KEEPTTL"}, "k"},
      {{"INCR", "k"}, "k"},
      {{"APPEND", "k", "1"}, "k"},
      {{"SETRANGE", "k", "0", "2"}, "k"},
      {{"COPY", "k", "other"}, "other"},
      {{"RENAME", "k", "other"}, "other"},
      {{"GETEX", "k"}, "k"},
  };
  for (const auto& [command, key] : commands) {
    Set({"k", "1", "IDLE", "60", "EX", "60", "STALE", "60"});
    const Expiry expiry = shard_.keyspace().Peek(KeyRef::Of("k"))->expiry();
    shard_.Run({"DEL", "other"});
    shard_.Run(command);
    const Entry* entry = shard_.keyspace().Peek(KeyRef::Of(key));
    ASSERT_NE(entry, nullptr) << testing::PrintToString(command);
    EXPECT_EQ(entry->expiry(), expiry) << testing::PrintToString(command);
  }
}

std::string StateText(std::string_view state, int64_t remaining_ms, bool revalidate) {
  return fmt::format(R"(["value", "v", "state", "{}", "remaining_ms", :{}, "revalidate", {}])",
                     state, remaining_ms, revalidate ? "#1" : "#0");
}

TEST_F(TideCommandsTest, GetTellsFreshFromStaleAndAsksOneCaller) {
  Set({"k", "v", "PX", "1000", "PSTALE", "20000"});
  EXPECT_EQ(Get({"k"}), StateText("fresh", 1'000, false));
  shard_.keyspace().set_now_ms(kNow + 1'000);
  EXPECT_EQ(Get({"k"}), StateText("stale", 20'000, true));
  EXPECT_EQ(Get({"k"}), StateText("stale", 20'000, false));
  shard_.keyspace().set_now_ms(kNow + 6'000);
  EXPECT_EQ(Get({"k", "LEASE", "10"}), StateText("stale", 15'000, true));
  shard_.keyspace().set_now_ms(kNow + 6'010);
  EXPECT_EQ(Get({"k"}), StateText("stale", 14'990, true));
  EXPECT_EQ(shard_.Run({"GET", "k"}), "\"v\"");
  EXPECT_EQ(shard_.Run({"PTTL", "k"}), ":14990");
  shard_.keyspace().set_now_ms(kNow + 21'000);
  EXPECT_EQ(Get({"k"}), "nil");
}

TEST_F(TideCommandsTest, GetTellsHowLongAValueStaysFresh) {
  Set({"k", "v"});
  EXPECT_EQ(Get({"k"}), StateText("fresh", -1, false));
  Set({"k", "v", "EX", "5"});
  EXPECT_EQ(Get({"k"}), StateText("fresh", 5'000, false));
  Set({"k", "v", "IDLE", "2", "EX", "5", "STALE", "7"});
  EXPECT_EQ(Get({"k"}), StateText("fresh", 2'000, false));
  EXPECT_EQ(Get({"absent"}), "nil");
}

TEST_F(TideCommandsTest, GetRefusesALeaseThatIsNone) {
  Set({"k", "v"});
  for (const Words& command :
       {Words{"k", "LEASE"}, Words{"k", "LEASE", "0"}, Words{"k", "LEASE", "60001"},
        Words{"k", "LEASE", "x"}, Words{"k", "UNTIL", "5"}, Words{"k", "LEASE", "5", "LEASE"}}) {
    EXPECT_THAT(Get(command), HasSubstr("ERR")) << testing::PrintToString(command);
  }
}

TEST_F(TideCommandsTest, WhatIsWrongChangesNothing) {
  for (const Words& command : {
           Words{"k", "v", "JITTER", "10"},                     // Of what?
           Words{"k", "v", "JITTER", "10", "KEEPTTL"},          //
           Words{"k", "v", "JITTER", "10", "PXAT", "1700000"},  // A moment is meant exactly.
           Words{"k", "v", "PX", "10", "JITTER"},               //
           Words{"k", "v", "PX", "10", "JITTER", ""},           //
           Words{"k", "v", "PX", "10", "JITTER", "x"},          //
           Words{"k", "v", "PX", "10", "JITTER", "-1"},         //
           Words{"k", "v", "PX", "10", "JITTER", "101"},        //
           Words{"k", "v", "PX", "0", "JITTER", "10"},          //
           Words{"k", "v", "IDLE"},                             //
           Words{"k", "v", "IDLE", "0"},                        //
           Words{"k", "v", "IDLE", "1", "PIDLE", "1"},          //
           Words{"k", "v", "IDLE", "9223372036854775807"},      //
           Words{"k", "v", "IDLE", "1", "JITTER", "10"},        //
           Words{"k", "v", "IDLE", "1", "KEEPTTL"},             //
           Words{"k", "v", "STALE", "1"},                       // After which moment?
           Words{"k", "v", "STALE", "1", "IDLE", "1"},          //
           Words{"k", "v", "EX", "1", "STALE", "-1"},           //
           Words{"k", "v", "EX", "1", "PSTALE", "9223372036854775807"},
       }) {
    EXPECT_THAT(Set(command), HasSubstr("ERR")) << testing::PrintToString(command);
  }
  for (const Words& command : {
           Words{"k", "IN", "10"},
           Words{"k", "EXAT", "1700000"},
           Words{"k", "EX", "10", "JITTER"},
           Words{"k", "EX", "10", "JITTER", "101"},
           Words{"k", "EX", "10", "NX", "GT"},
           Words{"k", "IDLE", "10", "EXAT", "1700000"},
           Words{"k", "STALE", "10"},
           Words{"k", "IDLE", "0"},
           Words{"k", "IDLE", "10", "NX", "EX", "10"},
           Words{"k", "NX", "IDLE", "10"},
       }) {
    EXPECT_THAT(Expire(command), HasSubstr("ERR")) << testing::PrintToString(command);
  }
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
}

TEST_F(TideCommandsTest, SetTakesNoneOfTheseOptions) {
  EXPECT_THAT(shard_.Run({"SET", "k", "v", "EX", "10", "JITTER", "10"}), HasSubstr("syntax"));
  EXPECT_THAT(shard_.Run({"SET", "k", "v", "IDLE", "10"}), HasSubstr("syntax"));
  EXPECT_THAT(sink_.TakeLog(), IsEmpty());
}

}  // namespace
}  // namespace tidemark::cache
