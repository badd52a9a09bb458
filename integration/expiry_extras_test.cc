// Idle times and stale times of real nodes: what a primary and its replica show, and what is left
// of them after kill -9.

#include <gtest/gtest.h>

#include <string>

#include "integration/harness/convergence.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"

namespace tidemark::integration {
namespace {

bool Exists(RedisClient& client, const std::string& key) {
  return client.Do({"EXISTS", key}) == Reply::Integer(1);  // No use of the key.
}

// A field of TIDE GET's answer; "gone" if there is no key.
std::string Field(RedisClient& client, const std::string& key, const std::string& field) {
  const Reply reply = client.Do({"TIDE", "GET", key});
  const Reply* const found = reply.Find(field);
  if (found == nullptr) return reply == Reply::Nil() ? "gone" : reply.text;
  return found->type == Reply::Type::kInteger ? std::to_string(found->integer) : found->text;
}

bool AwaitState(RedisClient& client, const std::string& key, const std::string& state) {
  return Eventually(kPatience, [&] { return Field(client, key, "state") == state; });
}

// A primary, a replica with another number of shards, and a client of each.
class PairTest : public testing::Test {
 protected:
  Node primary_ = Serving(Node::Primary({"--shards=2"}));
  Node replica_ = Serving(Node::Replica(primary_, {"--shards=1"}));
  RedisClient client_ = primary_.Connect();
  RedisClient reader_ = replica_.Connect();

 private:
  static Node Serving(Node node) {
    EXPECT_TRUE(node.AwaitReady());
    return node;
  }
};

TEST_F(PairTest, AKeyInUseStaysOnBothNodesAndOneThatIsNotGoesOnBoth) {
  // On a machine that had no time for this test the key in use may go as well: then once more.
  const auto story = [&] {
    for (const char* key : {"used", "unused"}) {
      EXPECT_EQ(client_.Do({"TIDE", "SET", key, "v", "PIDLE", "1500"}), Reply::Status("OK"));
    }
    EXPECT_TRUE(Eventually(kPatience, [&] {
      client_.Do({"GET", "used"});
      return !Exists(client_, "unused") && !Exists(reader_, "unused");
    }));
    return Exists(client_, "used") && Exists(reader_, "used");
  };
  EXPECT_TRUE(Eventually(kPatience, story));
  EXPECT_TRUE(AwaitConvergence(primary_, {&replica_}));
  EXPECT_TRUE(Eventually(kPatience, [&] { return !Exists(client_, "used"); }));
  EXPECT_TRUE(Eventually(kPatience, [&] { return !Exists(reader_, "used"); }));
  EXPECT_TRUE(AwaitConvergence(primary_, {&replica_}));
}

TEST_F(PairTest, AStaleValueIsServedOnBothNodesAndOneCallerOfThePrimaryIsAsked) {
  client_.Do({"TIDE", "SET", "k", "old", "PX", "100", "STALE", "1000"});
  ASSERT_TRUE(AwaitState(reader_, "k", "stale"));
  EXPECT_EQ(Field(reader_, "k", "revalidate"), "0");
  EXPECT_EQ(reader_.Do({"GET", "k"}), Reply::String("old"));

  const std::vector<std::string> ask = {"TIDE", "GET", "k", "LEASE", "60000"};
  ASSERT_TRUE(Eventually(kPatience, [&] {
    const Reply reply = client_.Do(ask);
    return *reply.Find("state") == Reply::String("stale") &&
           *reply.Find("revalidate") == Reply::Integer(1);
  }));
  EXPECT_EQ(*client_.Do(ask).Find("revalidate"), Reply::Integer(0));
  client_.Do({"TIDE", "SET", "k", "new", "EX", "1000", "STALE", "1000"});
  EXPECT_EQ(Field(client_, "k", "state"), "fresh");
  EXPECT_TRUE(AwaitState(reader_, "k", "fresh"));
  EXPECT_EQ(reader_.Do({"GET", "k"}), Reply::String("new"));
  EXPECT_TRUE(AwaitConvergence(primary_, {&replica_}));
}

TEST(ExpiryExtrasTest, ExtrasSurviveKillAndRestart) {
  const Scratch data;
  Node primary = Node::Primary(
      {"--shards=2", data.data_dir(), "--snapshot_every_s=1", "--snapshot_min_writes=1"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  client.Do({"TIDE", "ACK", "durable"});
  ASSERT_EQ(client.Do({"TIDE", "SET", "stale", "v", "PX", "1", "STALE", "1000"}),
            Reply::Status("OK"));
  // A use a millisecond later reaches its last moment.
  ASSERT_EQ(client.Do({"TIDE", "SET", "idle", "v", "PIDLE", "600000", "PX", "600001"}),
            Reply::Status("OK"));
  const Reply goes_at = client.Do({"PEXPIRETIME", "stale"});
  primary.Kill();
  primary.Restart();
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=1"});  // From a snapshot of what was recovered.
  ASSERT_TRUE(replica.AwaitReady());
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));

  for (const Node* node : {&primary, &replica}) {
    RedisClient again = node->Connect();
    EXPECT_TRUE(AwaitState(again, "stale", "stale"));
    EXPECT_EQ(again.Do({"PEXPIRETIME", "stale"}), goes_at);
  }
  RedisClient again = primary.Connect();
  RedisClient reader = replica.Connect();
  const Reply before = reader.Do({"PEXPIRETIME", "idle"});
  reader.Do({"GET", "idle"});
  EXPECT_EQ(again.Do({"PEXPIRETIME", "idle"}), before) << "reads on replicas are no use";
  again.Do({"GET", "idle"});
  const Reply moved = Reply::Integer(before.integer + 1);
  EXPECT_EQ(again.Do({"PEXPIRETIME", "idle"}), moved);
  EXPECT_TRUE(Eventually(kPatience, [&] { return reader.Do({"PEXPIRETIME", "idle"}) == moved; }));
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
}

}  // namespace
}  // namespace tidemark::integration
