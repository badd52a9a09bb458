// Roles change while nodes run: a replica is promoted and the others follow it from where they are;
// the old primary comes back and says what it gives up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <future>
#include <string>

#include "integration/harness/convergence.h"
#include "integration/harness/info.h"
#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"
#include "integration/harness/redis_server.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const Node::Flags kTwoShardsAndAPort = {"--shards=2", "--replication_port=0"};
const Reply kOk = Reply::Status("OK");

Reply ReplicaOf(Node& node, int port) {
  return node.Connect().Do({"REPLICAOF", "127.0.0.1", std::to_string(port)});
}
Reply Promote(Node& node) { return node.Connect().Do({"REPLICAOF", "NO", "ONE"}); }

class PromotionTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(primary_.AwaitReady());
    first_ = std::make_unique<Node>(Node::Replica(primary_, kTwoShardsAndAPort));
    second_ = std::make_unique<Node>(Node::Replica(primary_, kTwoShardsAndAPort));
    ASSERT_TRUE(first_->AwaitReady() && second_->AwaitReady());
  }

  Node primary_ = Node::Primary({"--shards=2"});
  std::unique_ptr<Node> first_, second_;
};

TEST_F(PromotionTest, OthersContinueFromAPromotedReplicaWithoutASnapshot) {
  Node other_shards = Node::Replica(primary_, {"--shards=3"});
  ASSERT_TRUE(other_shards.AwaitReady());
  BackgroundLoad load(primary_.port(), {.keys = 2000});
  ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > 5'000; }));
  // It misses some of what the other gets, but for what its socket holds.
  second_->process().Signal(SIGSTOP);
  const int64_t before = load.commands();
  ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > before + 5'000; }));
  ASSERT_EQ(load.Stop(), "");
  ASSERT_TRUE(AwaitConvergence(primary_, {first_.get(), &other_shards}));
  primary_.Kill();

  ASSERT_EQ(Promote(*first_), kOk);
  EXPECT_EQ(first_->Connect().Do({"SET", "after", "promotion"}), kOk);
  EXPECT_THAT(first_->Connect().Do({"ROLE"}).elements[0].text, "master");
  second_->process().Signal(SIGCONT);
  ASSERT_EQ(ReplicaOf(*second_, first_->port()), kOk);
  ASSERT_EQ(ReplicaOf(other_shards, first_->port()), kOk);
  EXPECT_TRUE(AwaitConvergence(*first_, {second_.get(), &other_shards}));
  EXPECT_EQ(InfoField(*first_, "sync_full"), "0");
  EXPECT_EQ(second_->Connect().Do({"GET", "after"}), Reply::String("promotion"));
}

TEST_F(PromotionTest, ASecondPromotionKnowsTheHistoryBeforeTheFirst) {
  RedisClient client = primary_.Connect();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.Do({"SET", std::to_string(i), "x"}), kOk);
  ASSERT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
  Node stays_behind = Node::Replica(primary_, kTwoShardsAndAPort);
  ASSERT_TRUE(stays_behind.AwaitReady());
  ASSERT_TRUE(AwaitConvergence(primary_, {&stays_behind}));
  primary_.Kill();

  ASSERT_EQ(Promote(*first_), kOk);
  ASSERT_EQ(ReplicaOf(*second_, first_->port()), kOk);
  ASSERT_EQ(first_->Connect().Do({"SET", "first", "1"}), kOk);
  ASSERT_TRUE(AwaitConvergence(*first_, {second_.get()}));
  first_->Kill();

  ASSERT_EQ(Promote(*second_), kOk);
  ASSERT_EQ(second_->Connect().Do({"SET", "second", "2"}), kOk);
  // It never heard of the first promotion.
  ASSERT_EQ(ReplicaOf(stays_behind, second_->port()), kOk);
  EXPECT_TRUE(AwaitConvergence(*second_, {&stays_behind}));
  EXPECT_EQ(InfoField(*second_, "sync_full"), "0");
  EXPECT_EQ(stays_behind.Connect().Do({"GET", "first"}), Reply::String("1"));
  const Reply history = second_->Connect().Do({"TIDE", "HISTORY"});
  ASSERT_NE(history.Find("ancestors"), nullptr);
  EXPECT_EQ(history.Find("ancestors")->elements.size(), 2u);
}

TEST_F(PromotionTest, ThePrimaryThatComesBackNamesWhatItGivesUp) {
  RedisClient client = primary_.Connect();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.Do({"SET", std::to_string(i), "x"}), kOk);
  ASSERT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
  const std::string history = InfoField(primary_, "master_replid");
  // As if the two could not see each other any more, and both were written to.
  ASSERT_EQ(Promote(*first_), kOk);
  EXPECT_EQ(InfoField(*first_, "master_replid2"), history);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(client.Do({"INCR", "lost"}).integer, i + 1);
  ASSERT_EQ(first_->Connect().Do({"SET", "kept", "1"}), kOk);

  ASSERT_EQ(ReplicaOf(primary_, first_->port()), kOk);
  EXPECT_TRUE(AwaitConvergence(*first_, {&primary_}));
  EXPECT_EQ(primary_.Connect().Do({"GET", "lost"}), Reply::Nil());
  EXPECT_EQ(primary_.Connect().Do({"GET", "kept"}), Reply::String("1"));
  EXPECT_EQ(client.Do({"SET", "a", "b"}),
            Reply::Error("READONLY You can't write against a read only replica."));
  EXPECT_THAT(primary_.process().Errors(), HasSubstr("which are discarded: shard"));
  EXPECT_EQ(InfoField(primary_, "replication_discarded_records_total"), "10");
}

TEST_F(PromotionTest, APrimaryThatWroteNothingMoreContinuesWithoutASnapshot) {
  RedisClient client = primary_.Connect();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.Do({"SET", std::to_string(i), "x"}), kOk);
  ASSERT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
  ASSERT_EQ(Promote(*first_), kOk);
  ASSERT_EQ(first_->Connect().Do({"SET", "kept", "1"}), kOk);
  ASSERT_EQ(ReplicaOf(primary_, first_->port()), kOk);
  EXPECT_TRUE(AwaitConvergence(*first_, {&primary_}));
  EXPECT_EQ(InfoField(*first_, "sync_full"), "0");
  // And back, and again: each keeps what it has.
  ASSERT_EQ(Promote(primary_), kOk);
  ASSERT_EQ(ReplicaOf(*first_, primary_.port()), kOk);
  ASSERT_EQ(client.Do({"SET", "again", "2"}), kOk);
  EXPECT_TRUE(AwaitConvergence(primary_, {first_.get()}));
  EXPECT_EQ(InfoField(primary_, "sync_full"), "0");
}

TEST_F(PromotionTest, BlockedClientsAreToldThatTheRoleHasChanged) {
  std::promise<void> waiting;
  std::future<Reply> blocked = std::async(std::launch::async, [&] {
    RedisClient client = primary_.Connect();
    client.Do({"SET", "a", "b"});
    waiting.set_value();
    return client.Do({"WAIT", "7", "0"});
  });
  waiting.get_future().wait();
  ASSERT_TRUE(Eventually(kPatience, [&] { return InfoField(primary_, "blocked_clients") == "1"; }));
  ASSERT_EQ(Promote(*first_), kOk);
  ASSERT_EQ(ReplicaOf(primary_, first_->port()), kOk);
  EXPECT_THAT(blocked.get().text, StartsWith("UNBLOCKED"));
}

// --- What REPLICAOF refuses, and what it does with a primary that is not there. ---

TEST_F(PromotionTest, AHeldReplyIsGivenUpWithTheRole) {
  first_->process().Signal(SIGSTOP);
  second_->process().Signal(SIGSTOP);
  RedisClient writer = primary_.Connect();
  ASSERT_EQ(writer.Do({"CONFIG", "SET", "ack-timeout-ms", "0"}), kOk);
  ASSERT_EQ(writer.Do({"TIDE", "ACK", "replicas:2"}), kOk);
  std::future<Reply> held = std::async(std::launch::async, [&] {
    return writer.Do({"SET", "k", "v"});
  });
  ASSERT_TRUE(
      Eventually(kPatience, [&] { return InfoField(primary_, "ack_held_clients") == "1"; }));
  Node other = Node::Primary({"--shards=2"});
  ASSERT_TRUE(other.AwaitReady());
  EXPECT_EQ(ReplicaOf(primary_, other.port()), kOk);
  const Reply reply = held.get();
  EXPECT_TRUE(reply.is_error());
  EXPECT_THAT(reply.text, StartsWith("UNBLOCKED"));
  first_->process().Signal(SIGCONT);
  second_->process().Signal(SIGCONT);
}

TEST_F(PromotionTest, WhatCannotBeFollowedIsRefusedAndNothingChanges) {
  RedisServer redis;
  ASSERT_TRUE(redis.AwaitReady());
  EXPECT_THAT(ReplicaOf(primary_, primary_.port()).text, HasSubstr("is this node itself"));
  EXPECT_THAT(ReplicaOf(primary_, first_->port()).text, HasSubstr("follows this node"));
  Node without_port = Node::Replica(primary_, {"--shards=2"});
  ASSERT_TRUE(without_port.AwaitReady());
  EXPECT_THAT(ReplicaOf(*second_, without_port.port()).text, HasSubstr("takes no replicas"));
  EXPECT_THAT(ReplicaOf(primary_, redis.port()).text, HasSubstr("no Tidemark node"));
  EXPECT_EQ(ReplicaOf(primary_, 70'000), Reply::Error("ERR Invalid master port"));
  EXPECT_EQ(ReplicaOf(*first_, primary_.replication_port()),
            Reply::Status("OK Already connected to specified master"));
  EXPECT_EQ(Promote(primary_), kOk) << "it is that already";
  EXPECT_EQ(primary_.Connect().Do({"SET", "a", "b"}), kOk);
  EXPECT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
}

TEST_F(PromotionTest, ItselfIsRefusedByItsReplicationPortToo) {
  // Whether that port is of this node only the link finds out.
  ASSERT_EQ(ReplicaOf(primary_, primary_.replication_port()), kOk);
  EXPECT_EQ(primary_.Connect().Do({"ROLE"}).elements[0].text, "slave");
  ASSERT_EQ(Promote(primary_), kOk);
  EXPECT_EQ(primary_.Connect().Do({"SET", "a", "b"}), kOk);
}

TEST_F(PromotionTest, APrimaryThatIsNotThereIsTriedAgainAndItsReplicaServesMeanwhile) {
  RedisClient client = primary_.Connect();
  ASSERT_EQ(client.Do({"SET", "a", "b"}), kOk);
  ASSERT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
  second_->Kill();
  ASSERT_EQ(ReplicaOf(*first_, second_->port()), kOk);
  EXPECT_EQ(InfoField(*first_, "master_link_status"), "down");
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return InfoField(*first_, "master_link_last_failure").find("cannot connect") !=
           std::string::npos;
  }));
  EXPECT_EQ(first_->Connect().Do({"GET", "a"}), Reply::String("b"));
  // There in the end: as a primary that has all.
  second_->Restart();
  ASSERT_TRUE(second_->AwaitReady());
  ASSERT_TRUE(AwaitConvergence(primary_, {second_.get()}));
  ASSERT_EQ(Promote(*second_), kOk);
  EXPECT_TRUE(AwaitConvergence(*second_, {first_.get()}));
}

TEST(PromotionTokenTest, AWrongTokenIsRefusedAndShown) {
  Node primary = Node::Primary({"--shards=1", "--replication_token=right"});
  Node other = Node::Primary({"--shards=1", "--replication_token=wrong"});
  ASSERT_TRUE(primary.AwaitReady() && other.AwaitReady());
  ASSERT_EQ(ReplicaOf(other, primary.port()), kOk);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return InfoField(other, "master_link_last_failure").find("TOKEN") != std::string::npos;
  }));
  EXPECT_EQ(other.Connect().Do({"ROLE"}).elements[3].text, "refused");
}

}  // namespace
}  // namespace tidemark::integration
