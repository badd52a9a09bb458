#include "integration/harness/ready_line.h"

#include <gtest/gtest.h>

namespace tidemark::integration {
namespace {

TEST(ReadyLineTest, ReadsAPrimarys) {
  const auto ready = ParseReadyLine(
      "tidemark ready role=primary port=6379 replication_port=7631 shards=2 pid=4242");
  ASSERT_TRUE(ready.ok()) << ready.status();
  EXPECT_EQ(ready->role, "primary");
  EXPECT_EQ(ready->port, 6379);
  EXPECT_EQ(ready->replication_port, 7631);
  EXPECT_EQ(ready->shards, 2);
  EXPECT_EQ(ready->pid, 4242);
}

TEST(ReadyLineTest, ReadsTheExportsPort) {
  const auto ready = ParseReadyLine(
      "tidemark ready role=primary port=1 replication_port=2 export_port=3 shards=1 pid=4");
  ASSERT_TRUE(ready.ok()) << ready.status();
  EXPECT_EQ(ready->export_port, 3);
}

TEST(ReadyLineTest, ReadsAReplicasWithoutAReplicationPort) {
  const auto ready = ParseReadyLine("tidemark ready role=replica port=6380 shards=1 pid=1");
  ASSERT_TRUE(ready.ok()) << ready.status();
  EXPECT_EQ(ready->role, "replica");
  EXPECT_EQ(ready->replication_port, std::nullopt);
}

TEST(ReadyLineTest, RefusesEveryOtherForm) {
  for (const char* line :
       {"", "ready", "tidemark ready", "tidemark ready role=leader port=1 shards=1 pid=1",
        "tidemark ready role=primary port= shards=1 pid=1",
        "tidemark ready role=primary port=1 pid=1 shards=1",
        "tidemark ready role=primary port=1 shards=1 pid=1 more",
        " tidemark ready role=primary port=1 shards=1 pid=1",
        "tidemark ready role=primary port=x shards=1 pid=1"}) {
    EXPECT_FALSE(ParseReadyLine(line).ok()) << line;
  }
}

}  // namespace
}  // namespace tidemark::integration
