#include "integration/harness/tide_reports.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace tidemark::integration {
namespace {

Reply Integers(std::initializer_list<int64_t> integers) {
  Reply array = Reply::Array({});
  for (int64_t integer : integers) array.elements.push_back(Reply::Integer(integer));
  return array;
}

Reply PrimaryReply() {
  const Reply row = Reply::Array(
      {Reply::String("id"), Reply::Integer(7), Reply::String("addr"), Reply::String("127.0.0.1:1"),
       Reply::String("state"), Reply::String("online"), Reply::String("acked"), Integers({4, 5}),
       Reply::String("lag_records"), Reply::Integer(3), Reply::String("lag_ms"), Reply::Integer(2),
       Reply::String("queue_bytes"), Reply::Integer(100)});
  return Reply::Array({Reply::String("role"), Reply::String("primary"), Reply::String("history"),
                       Reply::String("ab12"), Reply::String("shards"), Reply::Integer(2),
                       Reply::String("assigned"), Integers({6, 7}), Reply::String("emitted"),
                       Integers({6, 6}), Reply::String("acked"), Integers({4, 5}),
                       Reply::String("replicas"), Reply::Array({row})});
}

TEST(TideReportsTest, ReadsAPrimarysWatermarks) {
  const auto report = ParseWatermarks(PrimaryReply());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->history, "ab12");
  EXPECT_EQ(report->assigned, (Vector{6, 7}));
  EXPECT_EQ(report->emitted, (Vector{6, 6}));
  ASSERT_EQ(report->replicas.size(), 1u);
  EXPECT_EQ(report->replicas[0].state, "online");
  EXPECT_EQ(report->replicas[0].acked, (Vector{4, 5}));
  EXPECT_EQ(report->replicas[0].lag_records, 3);
}

TEST(TideReportsTest, ReadsAReplicasWatermarks) {
  const auto report = ParseWatermarks(
      Reply::Array({Reply::String("role"), Reply::String("replica"), Reply::String("history"),
                    Reply::String("ab12"), Reply::String("shards"), Reply::Integer(1),
                    Reply::String("applied"), Integers({9})}));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->applied, Vector{9});
}

TEST(TideReportsTest, NamesTheFieldThatIsMissingOrOfAnotherType) {
  Reply missing = PrimaryReply();
  missing.elements[6] = Reply::String("assignned");
  EXPECT_NE(ParseWatermarks(missing).status().message().find("assigned is missing"),
            absl::string_view::npos);
  Reply other = PrimaryReply();
  other.elements[5] = Reply::String("2");
  EXPECT_FALSE(ParseWatermarks(other).ok());
  EXPECT_FALSE(ParseWatermarks(Reply::Error("ERR unknown command 'TIDE'")).ok());
}

TEST(TideReportsTest, ADigestIs32HexDigits) {
  const auto reply = [](std::string digest) {
    return Reply::Array({Reply::String("history"), Reply::String("ab12"),
                         Reply::String("watermarks"), Integers({1, 2}), Reply::String("keys"),
                         Reply::Integer(3), Reply::String("digest"), Reply::String(digest)});
  };
  const auto report = ParseDigest(reply("00112233445566778899aabbccddeeff"));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->keys, 3);
  EXPECT_EQ(report->watermarks, (Vector{1, 2}));
  EXPECT_FALSE(ParseDigest(reply("00112233445566778899aabbccddeef")).ok());
  EXPECT_FALSE(ParseDigest(reply("00112233445566778899AABBCCDDEEFF")).ok());
}

}  // namespace
}  // namespace tidemark::integration
