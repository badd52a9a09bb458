// Replicas of replicas: a chain holds what its primary holds, whatever happens to the node in the
// middle, and nobody in it takes itself for fresher than it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>

#include "integration/harness/convergence.h"
#include "integration/harness/info.h"
#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;

const Node::Flags kTwoShardsAndAPort = {"--shards=2", "--replication_port=0",
                                        "--reconnect_backoff_max_ms=200"};
const Reply kOk = Reply::Status("OK");

Reply ReplicaOf(Node& node, int port) {
  return node.Connect().Do({"REPLICAOF", "127.0.0.1", std::to_string(port)});
}

bool AwaitField(Node& node, const std::string& name, const std::string& value) {
  return Eventually(kPatience, [&] { return InfoField(node, name) == value; });
}

bool AwaitFailure(Node& node, const std::string& part) {
  return Eventually(kPatience, [&] {
    return InfoField(node, "master_link_last_failure").find(part) != std::string::npos;
  });
}

// primary <- middle <- last, the last with other shards: what is at the end of a chain may have.
class ChainTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(primary_.AwaitReady());
    middle_ = std::make_unique<Node>(Node::Replica(primary_, middle_flags_));
    ASSERT_TRUE(middle_->AwaitReady());
    last_ = std::make_unique<Node>(
        Node::Replica(*middle_, {"--shards=3", "--reconnect_backoff_max_ms=200"}));
    ASSERT_TRUE(last_->AwaitReady());
  }
  void Fill(Node& node, int keys, const std::string& value) {
    RedisClient client = node.Connect();
    for (int i = 0; i < keys; ++i) client.Queue({"SET", "key:" + std::to_string(i), value});
    for (const Reply& reply : client.Flush()) ASSERT_EQ(reply, kOk);
  }
  testing::AssertionResult AllEqual() {
    return AwaitConvergence(primary_, {middle_.get(), last_.get()});
  }

  Node::Flags middle_flags_ = kTwoShardsAndAPort;
  Node primary_ = Node::Primary({"--shards=2"});
  std::unique_ptr<Node> middle_, last_;
};

TEST_F(ChainTest, HoldsWhatItsPrimaryHoldsAndShowsItselfAsRedisDoes) {
  // One that joins while it is written to, by way of a snapshot from the middle.
  Node joins = Node::Replica(*middle_, {"--shards=2"});
  BackgroundLoad load(primary_.port(), {.keys = 2000, .flush_all = true});
  ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > 10'000; }));
  ASSERT_TRUE(joins.AwaitReady());
  const int64_t before = load.commands();
  ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > before + 5'000; }));
  EXPECT_EQ(load.Stop(), "");
  EXPECT_TRUE(AwaitConvergence(primary_, {middle_.get(), last_.get(), &joins}));

  EXPECT_EQ(InfoField(primary_, "connected_slaves"), "1");
  EXPECT_EQ(InfoField(*middle_, "role"), "slave");
  EXPECT_EQ(InfoField(*middle_, "connected_slaves"), "2");
  EXPECT_THAT(InfoField(*middle_, "slave0"), HasSubstr("state=online"));
  EXPECT_EQ(middle_->Connect().Do({"ROLE"}).elements[0].text, "slave");
  EXPECT_EQ(InfoField(*last_, "master_port"), std::to_string(middle_->replication_port()));
  const Reply watermarks = middle_->Connect().Do({"TIDE", "WATERMARKS"});
  ASSERT_NE(watermarks.Find("replicas"), nullptr);
  EXPECT_EQ(watermarks.Find("replicas")->elements.size(), 2u);
  EXPECT_TRUE(middle_->Connect().Do({"WAIT", "1", "10"}).is_error());
  EXPECT_TRUE(middle_->Connect().Do({"SET", "a", "b"}).is_error());
  // What a client of the primary waits for is the primary's own replicas.
  RedisClient writer = primary_.Connect();
  ASSERT_EQ(writer.Do({"SET", "a", "b"}), kOk);
  EXPECT_EQ(writer.Do({"WAIT", "1", "0"}).integer, 1);
}

TEST_F(ChainTest, TheMiddleIsKilledUnderLoadAndComesBackWithNothing) {
  BackgroundLoad load(primary_.port(), {.keys = 2000});
  for (int round = 0; round < 2; ++round) {
    const int64_t before = load.commands();
    ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > before + 3'000; }));
    middle_->Kill();
    ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > before + 6'000; }));
    EXPECT_EQ(last_->Connect().Do({"PING"}), Reply::Status("PONG"));
    middle_->Restart();
    ASSERT_TRUE(middle_->AwaitReady());
  }
  EXPECT_EQ(load.Stop(), "");
  EXPECT_TRUE(AllEqual());
}

TEST_F(ChainTest, PromotionOfTheMiddleKeepsItsFollowersWithoutAFullSync) {
  Node second = Node::Replica(*middle_, kTwoShardsAndAPort);
  ASSERT_TRUE(second.AwaitReady());
  BackgroundLoad load(primary_.port(), {.keys = 2000});
  ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > 5'000; }));
  primary_.Kill();
  load.Stop();
  ASSERT_EQ(middle_->Connect().Do({"REPLICAOF", "NO", "ONE"}), kOk);
  EXPECT_EQ(middle_->Connect().Do({"SET", "after", "promotion"}), kOk);
  EXPECT_TRUE(AwaitConvergence(*middle_, {last_.get(), &second}));
  EXPECT_EQ(InfoField(*middle_, "sync_full"), "0");
  EXPECT_EQ(last_->Connect().Do({"GET", "after"}), Reply::String("promotion"));
}

TEST_F(ChainTest, AFullSyncOfTheMiddleMakesItsFollowersFollow) {
  Fill(primary_, 3000, "of the first");
  ASSERT_TRUE(AllEqual());
  Node other = Node::Primary({"--shards=2"});
  ASSERT_TRUE(other.AwaitReady());
  Fill(other, 1000, "of the other");
  ASSERT_EQ(ReplicaOf(*middle_, other.port()), kOk);
  EXPECT_TRUE(AwaitConvergence(other, {middle_.get(), last_.get()}));
  EXPECT_EQ(last_->Connect().Do({"GET", "key:1"}), Reply::String("of the other"));
  EXPECT_EQ(last_->Connect().Do({"DBSIZE"}).integer, 1000);
}

TEST_F(ChainTest, AChangeOfHistoryAboveReachesTheEndWithoutAFullSync) {
  Node heir = Node::Replica(primary_, kTwoShardsAndAPort);
  ASSERT_TRUE(heir.AwaitReady());
  Fill(primary_, 3000, "v");
  ASSERT_TRUE(AwaitConvergence(primary_, {middle_.get(), last_.get(), &heir}));
  primary_.Kill();
  ASSERT_EQ(heir.Connect().Do({"REPLICAOF", "NO", "ONE"}), kOk);
  ASSERT_EQ(heir.Connect().Do({"SET", "after", "promotion"}), kOk);
  ASSERT_EQ(ReplicaOf(*middle_, heir.port()), kOk);
  EXPECT_TRUE(AwaitConvergence(heir, {middle_.get(), last_.get()}));
  EXPECT_EQ(InfoField(heir, "sync_full"), "0");
  EXPECT_EQ(InfoField(*middle_, "sync_full"), "0");
}

TEST_F(ChainTest, ThePrimaryHandsOverToTheMiddleAndTheChainStays) {
  Fill(primary_, 3000, "v");
  ASSERT_TRUE(AllEqual());
  ASSERT_EQ(primary_.Connect().Do({"FAILOVER"}), kOk);
  ASSERT_TRUE(AwaitField(*middle_, "role", "master"));
  ASSERT_TRUE(AwaitField(primary_, "role", "slave"));
  EXPECT_EQ(middle_->Connect().Do({"SET", "after", "failover"}), kOk);
  EXPECT_TRUE(AwaitConvergence(*middle_, {&primary_, last_.get()}));
  EXPECT_EQ(InfoField(*middle_, "sync_full"), "0");
}

TEST_F(ChainTest, WhoIsCutOffFromThePrimaryKnowsItAtTheEndOfTheChainToo) {
  Fill(primary_, 10, "v");
  ASSERT_TRUE(AllEqual());
  ASSERT_TRUE(Eventually(kPatience, [&] {
    const std::string stale_ms = InfoField(*last_, "slave_stale_ms");
    return !stale_ms.empty() && std::stoi(stale_ms) >= 0;
  }));
  primary_.process().Signal(SIGSTOP);
  // The middle goes on sending heartbeats, of which the last makes itself no illusions.
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return std::stoi(InfoField(*last_, "slave_stale_ms")) > 1'500 &&
           InfoField(*last_, "master_link_status") == "up";
  }));
  primary_.process().Signal(SIGCONT);
  EXPECT_TRUE(Eventually(kPatience,
                         [&] { return std::stoi(InfoField(*last_, "slave_stale_ms")) < 1'500; }));
}

TEST_F(ChainTest, ACircleIsRefusedAndNothingChanges) {
  EXPECT_THAT(ReplicaOf(primary_, middle_->port()).text, HasSubstr("follows this node"));
  EXPECT_THAT(ReplicaOf(*middle_, middle_->port()).text, HasSubstr("is this node itself"));
  Node end = Node::Replica(*middle_, kTwoShardsAndAPort);
  ASSERT_TRUE(end.AwaitReady());
  EXPECT_THAT(ReplicaOf(primary_, end.port()).text, HasSubstr("follows this node"));
  EXPECT_THAT(ReplicaOf(*middle_, end.port()).text, HasSubstr("follows this node"));
  Fill(primary_, 10, "v");
  EXPECT_TRUE(AwaitConvergence(primary_, {middle_.get(), last_.get(), &end}));
}

TEST_F(ChainTest, ACircleThatIsMadeByReplicationPortsServesNobody) {
  // Whom such a port belongs to is not asked: the link finds out.
  ASSERT_EQ(ReplicaOf(primary_, middle_->replication_port()), kOk);
  EXPECT_TRUE(AwaitFailure(primary_, "refused"));
  EXPECT_TRUE(AwaitFailure(*middle_, "refused"));
  ASSERT_EQ(primary_.Connect().Do({"REPLICAOF", "NO", "ONE"}), kOk);
  Fill(primary_, 10, "v");
  EXPECT_TRUE(AllEqual());
}

TEST_F(ChainTest, AMiddleWithoutALinkKeepsItsFollowersAndTakesNoNewOnes) {
  Fill(primary_, 10, "v");
  ASSERT_TRUE(AllEqual());
  primary_.Kill();
  ASSERT_TRUE(AwaitField(*middle_, "master_link_status", "down"));
  EXPECT_EQ(InfoField(*last_, "master_link_status"), "up");
  Node late = Node::Replica(*middle_, {"--shards=2"});
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return late.process().Errors().find("no link to its own primary") != std::string::npos;
  }));
  ASSERT_EQ(middle_->Connect().Do({"REPLICAOF", "NO", "ONE"}), kOk);
  ASSERT_TRUE(late.AwaitReady());
  EXPECT_TRUE(AwaitConvergence(*middle_, {last_.get(), &late}));
}

TEST(ChainOfOtherShardsTest, OnlyAReplicaWithAsManyShardsAsItsPrimaryHandsTheStreamOn) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node middle = Node::Replica(primary, {"--shards=3", "--replication_port=0"});
  ASSERT_TRUE(middle.AwaitReady());
  Node last = Node::Primary({"--shards=2"});
  ASSERT_TRUE(last.AwaitReady());
  ASSERT_EQ(ReplicaOf(last, middle.port()), kOk);
  EXPECT_TRUE(AwaitFailure(last, "3 shards and follows one that has 2"));
}

class ChainWithLogsTest : public testing::Test {
 protected:
  Scratch scratch_;
};

TEST_F(ChainWithLogsTest, AMiddleThatIsKilledGoesOnFromItsLogAndSoDoItsFollowers) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node::Flags flags = kTwoShardsAndAPort;
  flags.push_back(scratch_.data_dir());
  Node middle = Node::Replica(primary, flags);
  ASSERT_TRUE(middle.AwaitReady());
  Node last = Node::Replica(middle, {"--shards=2", "--reconnect_backoff_max_ms=200"});
  ASSERT_TRUE(last.AwaitReady());
  BackgroundLoad load(primary.port(), {.keys = 2000});
  ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > 3'000; }));
  // Its log may lack what it has handed on already; its follower waits until it has that again.
  middle.Kill();
  middle.Restart();
  ASSERT_TRUE(middle.AwaitReady());
  const int64_t before = load.commands();
  ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > before + 3'000; }));
  EXPECT_EQ(load.Stop(), "");
  EXPECT_TRUE(AwaitConvergence(primary, {&middle, &last}));
}

}  // namespace
}  // namespace tidemark::integration
