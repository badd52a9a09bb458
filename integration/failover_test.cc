// FAILOVER: a primary hands its role over under load; no acknowledged write is lost, and writers
// hardly notice.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "integration/harness/convergence.h"
#include "integration/harness/info.h"
#include "integration/harness/node.h"
#include "integration/harness/redis_client.h"
#include "integration/harness/roving_writers.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;

const Reply kOk = Reply::Status("OK");

// The target has taken the role on itself a moment before it answers as a primary.
bool AwaitMaster(const Node& node) {
  return Eventually(kPatience,
                    [&] { return node.Connect().Do({"ROLE"}).elements[0].text == "master"; });
}

class FailoverTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(primary_.AwaitReady());
    first_ =
        std::make_unique<Node>(Node::Replica(primary_, {"--shards=2", "--replication_port=0"}));
    second_ =
        std::make_unique<Node>(Node::Replica(primary_, {"--shards=2", "--replication_port=0"}));
    ASSERT_TRUE(first_->AwaitReady() && second_->AwaitReady());
    ASSERT_TRUE(Eventually(kPatience, [&] { return InfoField(primary_, "slave1") != ""; }));
    ASSERT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
  }
  static std::vector<std::string> FailoverTo(const Node& target) {
    return {"FAILOVER", "TO", "127.0.0.1", std::to_string(target.port())};
  }
  // Waits until `node` says that no failover is under way.
  static bool AwaitOver(Node& node) {
    return Eventually(kPatience,
                      [&] { return InfoField(node, "master_failover_state") == "no-failover"; });
  }
  static bool AwaitOnline(Node& primary, size_t replicas) {
    return Eventually(kPatience, [&] {
      for (size_t i = 0; i < replicas; ++i) {
        if (InfoField(primary, fmt::format("slave{}", i)).find("state=online") ==
            std::string::npos) {
          return false;
        }
      }
      return true;
    });
  }

  // The first replica is told to take over, and stopped: it has not read that. "a" is 1.
  bool ForceOnStoppedTarget() {
    first_->process().Signal(SIGSTOP);
    RedisClient client = primary_.Connect();
    if (client.Do({"SET", "a", "1"}) != kOk) return false;
    std::vector<std::string> command = FailoverTo(*first_);
    command.insert(command.end(), {"FORCE", "TIMEOUT", "200"});
    return client.Do(command) == kOk && Eventually(kPatience, [&] {
             return InfoField(primary_, "master_failover_state") == "failover-in-progress";
           });
  }

  Node primary_ = Node::Primary({"--shards=2"});
  std::unique_ptr<Node> first_, second_;
};

TEST_F(FailoverTest, UnderLoadNoAcknowledgedWriteIsLostAndTheOthersFollow) {
  RovingWriters writers({primary_.port(), first_->port(), second_->port()}, 4);
  std::vector<Node*> in_turn = {first_.get(), second_.get(), &primary_, first_.get()};
  Node* now = &primary_;
  for (Node* next : in_turn) {
    const int64_t before = writers.acknowledged();
    ASSERT_TRUE(Eventually(kPatience, [&] { return writers.acknowledged() > before + 2'000; }));
    ASSERT_TRUE(AwaitOnline(*now, 2));
    ASSERT_EQ(now->Connect().Do(FailoverTo(*next)), kOk);
    ASSERT_TRUE(AwaitOver(*now));
    ASSERT_EQ(now->Connect().Do({"ROLE"}).elements[0].text, "slave") << now->process().Errors();
    ASSERT_TRUE(AwaitMaster(*next));
    now = next;
  }
  const int64_t before = writers.acknowledged();
  ASSERT_TRUE(Eventually(kPatience, [&] { return writers.acknowledged() > before + 2'000; }));
  writers.Stop();
  EXPECT_EQ(writers.Faults(), "");
  EXPECT_EQ(writers.Missing(*now), 0) << "of " << writers.acknowledged();
  EXPECT_TRUE(AwaitConvergence(*first_, {&primary_, second_.get()}));
  for (Node* node : {&primary_, first_.get(), second_.get()}) {
    EXPECT_THAT(InfoField(*node, "sync_full"), testing::AnyOf("0", "")) << node->process().Errors();
  }
  std::printf("%lld writes acknowledged over 4 failovers; the longest gap of a writer: %lld ms\n",
              static_cast<long long>(writers.acknowledged()),
              static_cast<long long>(writers.LongestGapMs()));
}

TEST_F(FailoverTest, ATargetThatDoesNotCatchUpIsGivenUpAndWritesGoOn) {
  first_->process().Signal(SIGSTOP);
  RedisClient client = primary_.Connect();
  ASSERT_EQ(client.Do({"SET", "a", "1"}), kOk);
  std::vector<std::string> command = FailoverTo(*first_);
  command.insert(command.end(), {"TIMEOUT", "300"});
  ASSERT_EQ(client.Do(command), kOk);
  EXPECT_EQ(client.Do({"FAILOVER"}), Reply::Error("ERR FAILOVER already in progress."));
  EXPECT_EQ(client.Do({"REPLICAOF", "NO", "ONE"}),
            Reply::Error("ERR REPLICAOF not allowed while failing over."));
  // It is held back, and goes on when the failover is given up.
  EXPECT_EQ(primary_.Connect().Do({"SET", "a", "2"}), kOk);
  EXPECT_TRUE(AwaitOver(primary_));
  EXPECT_EQ(client.Do({"ROLE"}).elements[0].text, "master");
  EXPECT_THAT(primary_.process().Errors(), HasSubstr("the failover is given up"));
  first_->process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
}

TEST_F(FailoverTest, AbortEndsIt) {
  first_->process().Signal(SIGSTOP);
  RedisClient client = primary_.Connect();
  ASSERT_EQ(client.Do({"SET", "a", "1"}), kOk);
  std::vector<std::string> command = FailoverTo(*first_);
  command.insert(command.end(), {"TIMEOUT", "60000"});
  ASSERT_EQ(client.Do(command), kOk);
  EXPECT_EQ(InfoField(primary_, "master_failover_state"), "waiting-for-sync");
  EXPECT_EQ(client.Do({"FAILOVER", "ABORT"}), kOk);
  EXPECT_TRUE(AwaitOver(primary_));
  EXPECT_EQ(client.Do({"SET", "a", "2"}), kOk);
  EXPECT_EQ(client.Do({"FAILOVER", "ABORT"}), Reply::Error("ERR No failover in progress."));
  first_->process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
}

TEST_F(FailoverTest, AForcedOneTellsTheTargetAtTheTimeoutWhateverItHas) {
  ASSERT_TRUE(ForceOnStoppedTarget());
  // All was on its way; and the order comes behind it.
  first_->process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitOver(primary_));
  EXPECT_TRUE(AwaitMaster(*first_));
  EXPECT_EQ(primary_.Connect().Do({"ROLE"}).elements[0].text, "slave");
  EXPECT_EQ(first_->Connect().Do({"GET", "a"}), Reply::String("1"));
  EXPECT_EQ(first_->Connect().Do({"SET", "a", "2"}), kOk);
  EXPECT_TRUE(AwaitConvergence(*first_, {&primary_, second_.get()}));
}

TEST_F(FailoverTest, ATargetThatDiesBeforeItAnswersLeavesNoTwoPrimaries) {
  ASSERT_TRUE(ForceOnStoppedTarget());
  first_->Kill();
  ASSERT_TRUE(AwaitOver(primary_));
  // Whether the target took over nobody can say: this node does not go on by itself.
  EXPECT_EQ(primary_.Connect().Do({"ROLE"}).elements[0].text, "slave");
  EXPECT_EQ(primary_.Connect().Do({"SET", "a", "2"}),
            Reply::Error("READONLY You can't write against a read only replica."));
  EXPECT_THAT(primary_.process().Errors(), HasSubstr("two primaries would be worse than none"));
  ASSERT_EQ(primary_.Connect().Do({"REPLICAOF", "NO", "ONE"}), kOk);
  EXPECT_EQ(primary_.Connect().Do({"GET", "a"}), Reply::String("1"));
  EXPECT_EQ(primary_.Connect().Do({"SET", "a", "2"}), kOk);
}

TEST_F(FailoverTest, ATargetThatDiesAndComesBackAsAReplicaGivesTheRoleBack) {
  ASSERT_TRUE(ForceOnStoppedTarget());
  first_->Kill();
  first_->Restart();
  ASSERT_TRUE(AwaitOver(primary_));
  EXPECT_EQ(primary_.Connect().Do({"ROLE"}).elements[0].text, "master");
  EXPECT_THAT(primary_.process().Errors(), HasSubstr("which is still a replica"));
  EXPECT_EQ(primary_.Connect().Do({"SET", "a", "2"}), kOk);
  ASSERT_TRUE(first_->AwaitReady());
  EXPECT_TRUE(AwaitConvergence(primary_, {first_.get(), second_.get()}));
}

TEST_F(FailoverTest, ATargetWithoutAReplicationPortRefuses) {
  Node without = Node::Replica(primary_, {"--shards=2"});
  ASSERT_TRUE(without.AwaitReady());
  ASSERT_TRUE(AwaitOnline(primary_, 3));
  ASSERT_EQ(primary_.Connect().Do(FailoverTo(without)), kOk);
  EXPECT_TRUE(AwaitOver(primary_));
  EXPECT_EQ(primary_.Connect().Do({"ROLE"}).elements[0].text, "master");
  EXPECT_THAT(primary_.process().Errors(), HasSubstr("the target refused"));
  EXPECT_EQ(primary_.Connect().Do({"SET", "a", "1"}), kOk);
  EXPECT_TRUE(AwaitConvergence(primary_, {first_.get(), &without}));
}

TEST_F(FailoverTest, ErrorsAreRedis) {
  const auto error = [&](Node& node, std::vector<std::string> words) {
    return node.Connect().Do(words).text;
  };
  EXPECT_EQ(error(*first_, {"FAILOVER"}), "ERR FAILOVER is not valid when server is a replica.");
  EXPECT_EQ(error(primary_, {"FAILOVER", "TIMEOUT", "0"}),
            "ERR FAILOVER timeout must be greater than 0");
  EXPECT_EQ(error(primary_, {"FAILOVER", "TO", "h"}), "ERR syntax error");
  EXPECT_EQ(error(primary_, {"FAILOVER", "FORCE"}),
            "ERR FAILOVER with force option requires both a timeout and target host and IP.");
  EXPECT_EQ(error(primary_, {"FAILOVER", "TO", "127.0.0.1", "1"}),
            "ERR FAILOVER target HOST and PORT is not a replica.");
  Node alone = Node::Primary({"--shards=1"});
  ASSERT_TRUE(alone.AwaitReady());
  EXPECT_EQ(error(alone, {"FAILOVER"}), "ERR FAILOVER requires connected replicas.");
}

}  // namespace
}  // namespace tidemark::integration
