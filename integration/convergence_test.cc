// Replicas of any number of shards end with what their primary holds.
#include "integration/harness/convergence.h"

#include <gtest/gtest.h>

#include <string>

#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"

namespace tidemark::integration {
namespace {

class ConvergenceTest : public testing::TestWithParam<int> {
 protected:
  static std::string Shards(int shards) { return "--shards=" + std::to_string(shards); }

  Node primary_ = Node::Primary({Shards(GetParam())});
};

TEST_P(ConvergenceTest, ReplicasOfOneTwoAndFourShardsHoldWhatThePrimaryHolds) {
  ASSERT_TRUE(primary_.AwaitReady());
  Node one = Node::Replica(primary_, {Shards(1)});
  Node two = Node::Replica(primary_, {Shards(2)});
  Node four = Node::Replica(primary_, {Shards(4)});
  ASSERT_TRUE(one.AwaitReady() && two.AwaitReady() && four.AwaitReady());
  ASSERT_TRUE(AwaitConvergence(primary_, {&one, &two, &four})) << "while empty";

  BackgroundLoad other(primary_.port(), {.seed = 2, .keys = 500, .flush_all = true});
  RedisClient client = primary_.Connect();
  EXPECT_EQ(MixedLoad({.seed = 1, .keys = 500, .flush_all = true}).Run(client, 30'000), "");
  EXPECT_EQ(other.Stop(), "");
  // Something to be different in, if the last command was a FLUSHALL.
  EXPECT_EQ(MixedLoad({.seed = 3}).Run(client, 2'000), "");
  EXPECT_TRUE(AwaitConvergence(primary_, {&one, &two, &four}));
}

TEST_P(ConvergenceTest, AWriteIsReadOnEveryReplicaAfterWait) {
  ASSERT_TRUE(primary_.AwaitReady());
  Node one = Node::Replica(primary_, {Shards(1)});
  Node three = Node::Replica(primary_, {Shards(3)});
  ASSERT_TRUE(one.AwaitReady() && three.AwaitReady());
  RedisClient client = primary_.Connect();
  RedisClient at_one = one.Connect();
  RedisClient at_three = three.Connect();
  for (int i = 0; i < 50; ++i) {
    const std::string key = "key:" + std::to_string(i);
    ASSERT_EQ(client.Do({"SET", key, "v"}), Reply::Status("OK"));
    ASSERT_EQ(client.Do({"WAIT", "2", "60000"}), Reply::Integer(2));
    EXPECT_EQ(at_one.Do({"GET", key}), Reply::String("v"));
    EXPECT_EQ(at_three.Do({"GET", key}), Reply::String("v"));
  }
}

INSTANTIATE_TEST_SUITE_P(PrimaryShards, ConvergenceTest, testing::Values(1, 2, 4),
                         testing::PrintToStringParamName());

// The proof itself must be able to fail.
TEST(AwaitConvergenceTest, ANodeOfAnotherHistoryIsNeverEqual) {
  Node primary = Node::Primary({"--shards=1"});
  Node stranger = Node::Primary({"--shards=1"});
  ASSERT_TRUE(primary.AwaitReady() && stranger.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=1"});
  ASSERT_TRUE(replica.AwaitReady());
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  EXPECT_FALSE(AwaitConvergence(stranger, {&replica}, Duration(200)));
}

TEST(ReplicaTest, RefusesWritesAndServesReads) {
  Node primary = Node::Primary({"--shards=1"});
  ASSERT_TRUE(primary.AwaitReady());
  ASSERT_EQ(primary.Connect().Do({"SET", "k", "v"}), Reply::Status("OK"));
  Node replica = Node::Replica(primary, {"--shards=1"});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient client = replica.Connect();
  EXPECT_EQ(client.Do({"SET", "k", "other"}),
            Reply::Error("READONLY You can't write against a read only replica."));
  EXPECT_EQ(client.Do({"GET", "k"}), Reply::String("v"));
}

}  // namespace
}  // namespace tidemark::integration
