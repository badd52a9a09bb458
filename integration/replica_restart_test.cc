// A replica that is killed comes back to what its primary holds, and its primary does not notice.
#include <gtest/gtest.h>
#include <signal.h>

#include "integration/harness/convergence.h"
#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"

namespace tidemark::integration {
namespace {

TEST(ReplicaRestartTest, AReplicaKilledUnderLoadConvergesAgain) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=2"});
  ASSERT_TRUE(replica.AwaitReady());
  BackgroundLoad load(primary.port(), {.keys = 2000});
  for (int round = 0; round < 3; ++round) {
    const int64_t before = load.commands();
    ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > before + 5'000; }));
    replica.Kill();
    ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > before + 10'000; }));
    replica.Restart();
    ASSERT_TRUE(replica.AwaitReady());
  }
  EXPECT_EQ(load.Stop(), "");
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
}

TEST(ReplicaRestartTest, AReplicaKilledDuringItsFirstSyncConvergesAtTheNext) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  for (int i = 0; i < 200'000; ++i) {
    client.Queue({"SET", "key:" + std::to_string(i), std::string(100, 'x')});
    if (i % 1000 == 999) {
      for (const Reply& reply : client.Flush()) ASSERT_EQ(reply, Reply::Status("OK"));
    }
  }
  Node replica = Node::Replica(primary, {"--shards=1"});
  // It answers before it is ready, and is killed wherever it then is.
  replica.Kill();
  replica.Restart();
  ASSERT_TRUE(replica.AwaitReady());
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
}

TEST(ReplicaRestartTest, TheOtherReplicaGoesOnWhileOneIsDown) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node stays = Node::Replica(primary, {"--shards=2"});
  Node goes = Node::Replica(primary, {"--shards=2"});
  ASSERT_TRUE(stays.AwaitReady() && goes.AwaitReady());
  goes.Kill();
  RedisClient client = primary.Connect();
  EXPECT_EQ(MixedLoad({}).Run(client, 10'000), "");
  EXPECT_TRUE(AwaitConvergence(primary, {&stays}));
}

}  // namespace
}  // namespace tidemark::integration
