// A replica joins while a million keys are being overwritten, and its primary goes on serving.
#include <gtest/gtest.h>

#include <string>

#include "base/sanitizers.h"
#include "integration/harness/convergence.h"
#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"

namespace tidemark::integration {
namespace {

constexpr int kKeys = Scaled(1'000'000, 200'000);

void LoadKeys(RedisClient& client) {
  for (int first = 0; first < kKeys; first += 10'000) {
    for (int i = first; i < first + 10'000; i += 10) {
      std::vector<std::string> command = {"MSET"};
      for (int key = i; key < i + 10; ++key) {
        command.push_back("string:" + std::to_string(key));
        command.push_back("value of " + std::to_string(key));
      }
      client.Queue(command);
    }
    for (const Reply& reply : client.Flush()) ASSERT_EQ(reply, Reply::Status("OK"));
  }
  ASSERT_EQ(client.Do({"DBSIZE"}), Reply::Integer(kKeys));
}

class JoinUnderLoadTest : public testing::TestWithParam<int> {};

TEST_P(JoinUnderLoadTest, AReplicaJoinsWhileAMillionKeysAreOverwritten) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  LoadKeys(client);

  BackgroundLoad load(primary.port(), {.keys = kKeys});
  ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > 1'000; }));
  Node replica = Node::Replica(primary, {"--shards=" + std::to_string(GetParam())});
  ASSERT_TRUE(replica.AwaitReady());
  const int64_t when_ready = load.commands();
  EXPECT_TRUE(Eventually(kPatience, [&] { return load.commands() > when_ready + 1'000; }));
  EXPECT_EQ(load.Stop(), "");
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
}

INSTANTIATE_TEST_SUITE_P(ReplicaShards, JoinUnderLoadTest, testing::Values(1, 2),
                         testing::PrintToStringParamName());

TEST(JoinDuringFlushTest, AFlushDuringTheSyncEmptiesTheReplicaToo) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  LoadKeys(client);
  Node replica = Node::Replica(primary, {"--shards=2"});
  EXPECT_EQ(client.Do({"FLUSHALL"}), Reply::Status("OK"));
  EXPECT_EQ(client.Do({"SET", "after", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(replica.AwaitReady());
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  EXPECT_EQ(replica.Connect().Do({"DBSIZE"}), Reply::Integer(1));
}

}  // namespace
}  // namespace tidemark::integration
