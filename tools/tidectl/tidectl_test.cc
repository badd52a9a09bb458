// The parts of tidectl that decide and draw, on replies written by hand.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "tools/tidectl/arguments.h"
#include "tools/tidectl/status_table.h"
#include "tools/tidectl/tide_reply.h"
#include "tools/tidectl/tier_table.h"
#include "tools/tidectl/top_table.h"
#include "tools/tidectl/verdict.h"

namespace tidemark::tidectl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string ArgumentError(std::vector<const char*> words) {
  return std::string(ParseArguments(words).status().message());
}

TEST(ArgumentsTest, NodesAndFlagsComeInAnyOrder) {
  const std::vector<const char*> words = {"verify", "a:1", "--deadline=2.5", "[::1]:2",
                                          "--password=p"};
  const auto arguments = ParseArguments(words);
  ASSERT_TRUE(arguments.ok());
  EXPECT_EQ(arguments->command, Command::kVerify);
  ASSERT_EQ(arguments->nodes.size(), 2u);
  EXPECT_EQ(arguments->nodes[1].host, "::1");
  EXPECT_EQ(arguments->nodes[1].text(), "[::1]:2");
  EXPECT_EQ(arguments->deadline_s, 2.5);
  EXPECT_EQ(arguments->password, "p");
}

TEST(ArgumentsTest, MistakesAreNamed) {
  EXPECT_THAT(ArgumentError({}), HasSubstr("which command?"));
  EXPECT_THAT(ArgumentError({"stat", "a:1"}), HasSubstr("unknown command stat"));
  EXPECT_THAT(ArgumentError({"status"}), HasSubstr("status needs at least 1 HOST:PORT"));
  EXPECT_THAT(ArgumentError({"verify", "a:1"}), HasSubstr("verify needs at least 2 HOST:PORT"));
  EXPECT_THAT(ArgumentError({"status", "a"}), HasSubstr("'a' is not HOST:PORT"));
  EXPECT_THAT(ArgumentError({"status", "a:70000"}), HasSubstr("'a:70000' is not HOST:PORT"));
  EXPECT_THAT(ArgumentError({"status", "[]:1"}), HasSubstr("is not HOST:PORT"));
  EXPECT_THAT(ArgumentError({"status", "a:1", "--often"}), HasSubstr("unknown flag --often"));
  EXPECT_THAT(ArgumentError({"top", "a:1", "--interval=0"}),
              HasSubstr("--interval: '0' is not a number of seconds above 0"));
}

// A reply as hiredis reads it from `resp`.
class ReplyTest : public testing::Test {
 protected:
  const redisReply& Reply(std::string_view resp) {
    redisReader* reader = redisReaderCreate();
    void* reply = nullptr;
    EXPECT_EQ(redisReaderFeed(reader, resp.data(), resp.size()), REDIS_OK);
    EXPECT_EQ(redisReaderGetReply(reader, &reply), REDIS_OK);
    redisReaderFree(reader);
    reply_.reset(static_cast<redisReply*>(reply));
    return *reply_;
  }

 private:
  struct Free {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  std::unique_ptr<redisReply, Free> reply_;
};

TEST_F(ReplyTest, WatermarksOfAPrimaryAreRead) {
  const auto node = ReadWatermarks(Reply(
      "*12\r\n$4\r\nrole\r\n$7\r\nprimary\r\n$7\r\nhistory\r\n$2\r\nab\r\n$6\r\nshards\r\n:2\r\n"
      "$7\r\nemitted\r\n*2\r\n:5\r\n:7\r\n$5\r\nnovel\r\n*0\r\n$8\r\nreplicas\r\n*1\r\n"
      "*6\r\n$2\r\nid\r\n:3\r\n$4\r\naddr\r\n$5\r\nh:123\r\n$11\r\nlag_records\r\n:4\r\n"));
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(node->role, "primary");
  EXPECT_EQ(node->shards, 2);
  EXPECT_THAT(node->position(), ElementsAre(5, 7));
  ASSERT_EQ(node->replicas.size(), 1u);
  EXPECT_EQ(node->replicas[0].id, "3");
  EXPECT_EQ(node->replicas[0].addr, "h:123");
  EXPECT_EQ(node->replicas[0].lag_records, 4);
}

TEST_F(ReplyTest, RepliesOfAnotherShapeAreRefused) {
  EXPECT_FALSE(ReadWatermarks(Reply("+OK\r\n")).ok());
  EXPECT_FALSE(ReadWatermarks(Reply("*1\r\n+role\r\n")).ok());
  EXPECT_FALSE(ReadWatermarks(Reply("*2\r\n+role\r\n+primary\r\n")).ok());
  EXPECT_EQ(std::string(ReadWatermarks(Reply("*6\r\n+role\r\n+replica\r\n+history\r\n+ab\r\n"
                                             "+applied\r\n*1\r\n+x\r\n"))
                            .status()
                            .message()),
            "applied is not an integer");
  EXPECT_EQ(std::string(ReadDigest(Reply("*0\r\n")).status().message()), "history is not present");
}

TEST_F(ReplyTest, DigestsAreRead) {
  const auto node = ReadDigest(
      Reply("*10\r\n+history\r\n+ab\r\n+watermarks\r\n*1\r\n:9\r\n+keys\r\n:4\r\n+digest\r\n+ff\r\n"
            "+shard_digests\r\n*2\r\n+f0\r\n+0f\r\n"));
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_THAT(node->watermarks, ElementsAre(9));
  EXPECT_EQ(node->keys, 4);
  EXPECT_THAT(node->shard_digests, ElementsAre("f0", "0f"));
}

DigestOf Node(std::string name, std::string history, Vector watermarks, std::string digest,
              std::vector<std::string> shards = {}) {
  return {.name = std::move(name),
          .digest = NodeDigest{.history = std::move(history),
                               .watermarks = std::move(watermarks),
                               .keys = 1,
                               .digest = std::move(digest),
                               .shard_digests = std::move(shards)}};
}

TEST(VerdictTest, EqualNodesAreEqual) {
  const Verdict verdict =
      Judge(std::vector{Node("a:1", "h", {4, 5}, "ff"), Node("b:1", "h", {4, 5}, "ff")});
  EXPECT_EQ(verdict.outcome, Outcome::kEqual);
  EXPECT_EQ(verdict.text, "2 nodes are equal at [4 5] of history h: 1 keys, digest ff\n");
}

TEST(VerdictTest, TheShardThatDiffersIsNamed) {
  const Verdict verdict = Judge(std::vector{Node("a:1", "h", {4, 5, 6}, "ff", {"1", "2", "3"}),
                                            Node("b:1", "h", {4, 5, 6}, "fe", {"1", "x", "3"})});
  EXPECT_EQ(verdict.outcome, Outcome::kDiffer);
  EXPECT_THAT(verdict.text, HasSubstr("a:1 and b:1 differ at [4 5 6], in shard 1:"));
}

TEST(VerdictTest, OtherWatermarksOrHistoriesAreNotComparedYet) {
  EXPECT_EQ(Judge(std::vector{Node("a:1", "h", {4}, "ff"), Node("b:1", "h", {3}, "fe")}).outcome,
            Outcome::kUneven);
  EXPECT_EQ(Judge(std::vector{Node("a:1", "h", {4}, "ff"), Node("b:1", "g", {4}, "fe")}).outcome,
            Outcome::kUneven);
}

TEST(VerdictTest, ADifferenceOutweighsALateNode) {
  EXPECT_EQ(Judge(std::vector{Node("a:1", "h", {4}, "ff"), Node("b:1", "h", {4}, "fe"),
                              Node("c:1", "h", {3}, "00")})
                .outcome,
            Outcome::kDiffer);
}

TEST(VerdictTest, ANodeThatDoesNotAnswerIsNamed) {
  const Verdict verdict = Judge(
      std::vector{Node("a:1", "h", {4}, "ff"),
                  DigestOf{.name = "b:1", .digest = absl::UnavailableError("Connection refused")}});
  EXPECT_EQ(verdict.outcome, Outcome::kUneven);
  EXPECT_EQ(verdict.text, "b:1: Connection refused\n");
}

TEST(StatusTableTest, LagIsMeasuredAgainstThePrimary) {
  NodeWatermarks primary;
  primary.role = "primary";
  primary.history = "h";
  primary.emitted = {10, 20};
  NodeWatermarks replica;
  replica.role = "replica";
  replica.history = "h";
  replica.applied = {7, 20};
  const std::string table = StatusTable(std::vector{
      NodeStatus{.name = "r:1", .watermarks = replica},
      NodeStatus{.name = "p:1", .watermarks = primary},
      NodeStatus{.name = "x:1", .watermarks = absl::UnavailableError("Connection refused")}});
  EXPECT_THAT(table, testing::ContainsRegex("r:1 +replica +h +0 +3  .7 20.\n"));
  EXPECT_THAT(table, testing::ContainsRegex("p:1 +primary +h +0 +-  .10 20.\n"));
  EXPECT_THAT(table, testing::ContainsRegex("x:1 +Connection refused\n"));
}

TEST(StatusTableTest, ANodeUnderPressureIsNamedWithItsCause) {
  const auto line = [](std::string info) {
    const std::string table = StatusTable(
        std::vector{NodeStatus{.name = "p:1", .watermarks = NodeWatermarks(), .info = info}});
    return table.substr(std::min(table.size(), table.rfind("\np:1 is")));
  };
  EXPECT_EQ(line("pressure_state:normal\r\npressure_cause:\r\n"), "");
  EXPECT_EQ(line("pressure_state:throttled\r\npressure_cause:log_bytes\r\n"),
            "\np:1 is throttled by log_bytes\n");
  EXPECT_EQ(line("pressure_state:suspended\r\npressure_cause:log_bytes\r\npressure_stalled:1\r\n"),
            "\np:1 is suspended by log_bytes, which stands still: writes are refused\n");
}

TEST(TopTableTest, FieldsOfInfoAreFoundByTheirWholeName) {
  const std::string info =
      "# Server\r\nrole:master\r\nconnected_clients:7\r\ndb0:keys=12,expires=0\r\n";
  EXPECT_EQ(InfoField(info, "connected_clients"), "7");
  EXPECT_EQ(InfoField(info, "clients"), std::nullopt);
  EXPECT_EQ(InfoField(info, "connected"), std::nullopt);
  const std::string table = TopTable(std::vector{NodeLoad{.name = "a:1", .info = info}});
  EXPECT_THAT(table, testing::ContainsRegex("a:1 +primary +- +7 +- +- +12 +-\n"));
}

TEST(TierTableTest, OnlyNodesThatHaveATierAreInIt) {
  const std::string none = "tier_enabled:0\r\n";
  EXPECT_EQ(TierTable(std::vector{NodeLoad{.name = "a:1", .info = none},
                                  NodeLoad{.name = "b:2", .info = absl::UnknownError("gone")}}),
            "");
}

TEST(TierTableTest, RatesAreOfTheTimeBetweenTwoLooks) {
  const auto info = [](int promoted, int demoted) {
    return fmt::format(
        "tier_enabled:1\r\ntier_cold_keys:500\r\ntier_hit_ratio_memory:0.8650\r\n"
        "tier_hit_ratio_disk:0.1350\r\ntier_promoted:{}\r\ntier_demoted:{}\r\n"
        "tier_queued_reads:3\r\ntier_read_p50_usec:3.5\r\ntier_read_p99_usec:184.3\r\n",
        promoted, demoted);
  };
  NodeLoad node = {.name = "a:1", .info = info(10, 500)};
  EXPECT_THAT(TierTable(std::vector{node}),
              testing::ContainsRegex("a:1 +500 +86.5% +13.5% +- +- +3 +3.5 +184.3\n"));
  node.info_before = info(4, 100);
  node.seconds_between = 2;
  EXPECT_THAT(TierTable(std::vector{node}), testing::ContainsRegex("13.5% +3 +200 +3 "));
  node.info_before = info(11, 100);
  EXPECT_THAT(TierTable(std::vector{node}), testing::ContainsRegex("13.5% +- +200 +3 "))
      << "it was started again meanwhile";
}

}  // namespace
}  // namespace tidemark::tidectl
