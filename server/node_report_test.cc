#include "server/node_report.h"

#include <gtest/gtest.h>

namespace tidemark::server {
namespace {

TEST(NodeReportTest, CountersAddUpAndAveragesWeighByKeys) {
  std::vector<ShardReport> shards(2);
  shards[0].keys = 10;
  shards[0].expiring_keys = 1;
  shards[0].average_ttl_ms = 100;
  shards[1].keys = 20;
  shards[1].expiring_keys = 3;
  shards[1].average_ttl_ms = 500;
  const ShardReport total = Sum(shards);
  EXPECT_EQ(total.keys, 30);
  EXPECT_EQ(total.expiring_keys, 4);
  EXPECT_EQ(total.average_ttl_ms, 400);
}

TEST(NodeReportTest, TheLargestBufferOfAllShardsStands) {
  std::vector<ShardReport> shards(2);
  shards[0].largest_output_bytes = 7;
  shards[1].largest_output_bytes = 5;
  EXPECT_EQ(Sum(shards).largest_output_bytes, 7);
}

TEST(NodeReportTest, CommandsOfAllShardsMeetByName) {
  std::vector<ShardReport> shards(2);
  shards[0].commands["get"] = {.calls = 1, .usec = 5, .p99_usec = 2};
  shards[1].commands["get"] = {.calls = 2, .usec = 6, .p99_usec = 9};
  shards[1].commands["set"] = {.calls = 3};
  const ShardReport total = Sum(shards);
  EXPECT_EQ(total.commands.at("get").calls, 3);
  EXPECT_EQ(total.commands.at("get").usec, 11);
  EXPECT_EQ(total.commands.at("get").p99_usec, 9);  // The worst shard's.
  EXPECT_EQ(total.commands.at("set").calls, 3);
}

TEST(NodeReportTest, AResetTakesBackCountersAndNothingElse) {
  ShardReport at_reset;
  at_reset.commands_processed = 10;
  at_reset.clients = 3;
  ShardReport now = at_reset;
  now.commands_processed = 12;
  SubtractCounters(at_reset, now);
  EXPECT_EQ(now.commands_processed, 2);
  EXPECT_EQ(now.clients, 3);
}

TEST(NodeReportTest, AnAddressEndsAtItsLastColon) {
  EXPECT_EQ(SplitAddress("[::1]:6380").host, "[::1]");
  EXPECT_EQ(SplitAddress("[::1]:6380").port, "6380");
  EXPECT_EQ(SplitAddress("unknown").port, "0");
}

}  // namespace
}  // namespace tidemark::server
