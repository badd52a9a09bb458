// Nodes with data directories change their role while they run: the log goes with the role, and
// whoever starts on the directory after a crash, at whatever step, finds all that was promised.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "integration/harness/convergence.h"
#include "integration/harness/info.h"
#include "integration/harness/node.h"
#include "integration/harness/redis_client.h"
#include "integration/harness/roving_writers.h"
#include "integration/harness/scratch.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;

const Reply kOk = Reply::Status("OK");
constexpr char kQuickRetry[] = "--reconnect_backoff_max_ms=200";

std::string RoleOf(Node& node) { return node.Connect().Do({"ROLE"}).elements[0].text; }
Reply Promote(Node& node) { return node.Connect().Do({"REPLICAOF", "NO", "ONE"}); }
Reply Follow(Node& node, const Node& primary) {
  return node.Connect().Do({"REPLICAOF", "127.0.0.1", std::to_string(primary.port())});
}

// Until the full sync that a replica begins with is whole on its disk.
bool AwaitWhole(Node& replica) {
  return replica.AwaitReady() && Eventually(kPatience, [&] {
           return InfoField(replica, "wal_stream_restarts_total") == "1" &&
                  InfoField(replica, "wal_stream_restarting") == "0";
         });
}

bool AwaitOnline(const Node& primary, size_t replicas) {
  return Eventually(kPatience, [&] {
    for (size_t i = 0; i < replicas; ++i) {
      const std::string row = InfoField(primary, fmt::format("slave{}", i));
      if (row.find("state=online") == std::string::npos) return false;
    }
    return true;
  });
}

void Fill(Node& node, const std::string& prefix, int keys) {
  RedisClient client = node.Connect();
  for (int i = 0; i < keys; ++i) client.Queue({"SET", prefix + std::to_string(i), "x"});
  for (const Reply& reply : client.Flush()) ASSERT_EQ(reply, kOk);
}
int Missing(Node& node, const std::string& prefix, int keys) {
  RedisClient client = node.Connect();
  int missing = 0;
  for (int i = 0; i < keys; ++i) client.Queue({"EXISTS", prefix + std::to_string(i)});
  for (const Reply& reply : client.Flush()) missing += reply.integer == 1 ? 0 : 1;
  return missing;
}

class RoleDataTest : public testing::Test {
 protected:
  static constexpr int kNodes = 3;
  void SetUp() override {
    nodes_.push_back(Node::Primary(FlagsOf(0)));
    ASSERT_TRUE(nodes_[0].AwaitReady());
    for (int i = 1; i < kNodes; ++i) nodes_.push_back(Node::Replica(nodes_[0], ReplicaFlagsOf(i)));
    for (int i = 1; i < kNodes; ++i) ASSERT_TRUE(AwaitWhole(nodes_[static_cast<size_t>(i)]));
    ASSERT_TRUE(AwaitOnline(nodes_[0], kNodes - 1));
  }
  Node::Flags FlagsOf(int i) const { return {"--shards=2", data_[i].data_dir(), "--fsync=always"}; }
  Node::Flags ReplicaFlagsOf(int i) const {
    Node::Flags flags = FlagsOf(i);
    flags.insert(flags.end(), {kQuickRetry, "--replication_port=0"});
    return flags;
  }
  std::vector<const Node*> AllBut(size_t primary) const {
    std::vector<const Node*> others;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (i != primary) others.push_back(&nodes_[i]);
    }
    return others;
  }

  Scratch data_[kNodes];
  std::vector<Node> nodes_;
};

TEST_F(RoleDataTest, APromotedReplicasLogGoesOnAsItsOwn) {
  Fill(nodes_[0], "before", 500);
  ASSERT_TRUE(AwaitConvergence(nodes_[0], AllBut(0)));
  nodes_[0].Kill();
  const std::string old_history = InfoField(nodes_[1], "master_replid");
  ASSERT_EQ(Promote(nodes_[1]), kOk);
  ASSERT_EQ(Follow(nodes_[2], nodes_[1]), kOk);
  ASSERT_NO_FATAL_FAILURE(Fill(nodes_[1], "after", 500));
  RedisClient client = nodes_[1].Connect();
  EXPECT_EQ(client.Do({"SET", "last", "1"}), kOk);
  EXPECT_EQ(client.Do({"WAITAOF", "1", "1", "0"}).elements[0].integer, 1);
  ASSERT_TRUE(AwaitConvergence(nodes_[1], {&nodes_[2]}));
  EXPECT_EQ(InfoField(nodes_[1], "sync_full"), "0");
  EXPECT_EQ(InfoField(nodes_[1], "master_replid2"), old_history);
  EXPECT_EQ(client.Do({"SAVE"}), kOk) << "snapshots are the primary's now";

  const std::string own_history = InfoField(nodes_[1], "master_replid");
  nodes_[1].Kill();
  // As the role is not in its flags yet.
  nodes_[1] = Node::Primary(FlagsOf(1));
  ASSERT_TRUE(nodes_[1].AwaitReady());
  EXPECT_EQ(Missing(nodes_[1], "before", 500) + Missing(nodes_[1], "after", 500), 0);
  EXPECT_THAT(nodes_[1].process().Errors(), HasSubstr("recovered"));
  ASSERT_EQ(Follow(nodes_[2], nodes_[1]), kOk);
  EXPECT_TRUE(AwaitConvergence(nodes_[1], {&nodes_[2]}));
  EXPECT_EQ(InfoField(nodes_[1], "sync_full"), "0") << "its history is a child of " << own_history;
}

TEST_F(RoleDataTest, ADemotedPrimarySavesWhatItGivesUpAndKeepsWhatItFollows) {
  Fill(nodes_[0], "before", 500);
  ASSERT_TRUE(AwaitConvergence(nodes_[0], AllBut(0)));
  // As if the two could not see each other any more, and both were written to.
  ASSERT_EQ(Promote(nodes_[1]), kOk);
  Fill(nodes_[0], "lost", 10);
  Fill(nodes_[1], "kept", 10);
  ASSERT_EQ(Follow(nodes_[0], nodes_[1]), kOk);
  ASSERT_TRUE(AwaitConvergence(nodes_[1], {&nodes_[0]}));
  EXPECT_EQ(Missing(nodes_[0], "lost", 10), 10);
  EXPECT_EQ(Missing(nodes_[0], "kept", 10), 0);
  // The log takes over the new stream on a thread of its own.
  ASSERT_TRUE(AwaitWhole(nodes_[0]));
  EXPECT_THAT(nodes_[0].process().Errors(), HasSubstr("they are saved, see tidectl log dump"));
  EXPECT_EQ(InfoField(nodes_[0], "wal_discarded_records_total"), "10") << "no more than that";
  EXPECT_TRUE(std::filesystem::exists(data_[0].data() / "lost"));

  nodes_[0].Kill();
  nodes_[0] = Node::Replica(nodes_[1], ReplicaFlagsOf(0));
  ASSERT_TRUE(nodes_[0].AwaitReady());
  Fill(nodes_[1], "more", 10);
  EXPECT_TRUE(AwaitConvergence(nodes_[1], {&nodes_[0]}));
  EXPECT_EQ(InfoField(nodes_[1], "sync_full"), "1") << "that of the demotion";
}

TEST_F(RoleDataTest, FailoversUnderLoadLoseNothingNorDoesAKillOfAllAfterwards) {
  std::vector<int> ports;
  for (const Node& node : nodes_) ports.push_back(node.port());
  RovingWriters writers(ports, 4);
  size_t now = 0;
  for (const size_t next : {1u, 2u, 0u, 1u}) {
    SCOPED_TRACE(next);
    const int64_t before = writers.acknowledged();
    ASSERT_TRUE(Eventually(kPatience, [&] { return writers.acknowledged() > before + 500; }));
    ASSERT_TRUE(AwaitOnline(nodes_[now], 2));
    ASSERT_EQ(nodes_[now].Connect().Do(
                  {"FAILOVER", "TO", "127.0.0.1", std::to_string(nodes_[next].port())}),
              kOk);
    ASSERT_TRUE(Eventually(kPatience, [&] {
      return InfoField(nodes_[now], "master_failover_state") == "no-failover";
    }));
    ASSERT_EQ(RoleOf(nodes_[now]), "slave") << nodes_[now].process().Errors();
    // It has said that it takes over, and its log does so now.
    ASSERT_TRUE(Eventually(kPatience, [&] { return RoleOf(nodes_[next]) == "master"; }));
    now = next;
  }
  const int64_t before = writers.acknowledged();
  ASSERT_TRUE(Eventually(kPatience, [&] { return writers.acknowledged() > before + 500; }));
  writers.Stop();
  EXPECT_EQ(writers.Faults(), "");
  EXPECT_EQ(writers.Missing(nodes_[now]), 0) << "of " << writers.acknowledged();
  EXPECT_TRUE(AwaitConvergence(nodes_[now], AllBut(now)));
  for (const Node& node : nodes_) {
    EXPECT_THAT(InfoField(node, "sync_full"), testing::AnyOf("0", "", "2"));
  }
  for (Node& node : nodes_) node.Kill();
  nodes_[now] = Node::Primary(FlagsOf(static_cast<int>(now)));
  ASSERT_TRUE(nodes_[now].AwaitReady());
  EXPECT_EQ(writers.Missing(nodes_[now]), 0) << "of " << writers.acknowledged();
}

// --- Crashes in the middle ---

struct CrashCase {
  std::string point;
  bool of_target = false;     // Else of the node that hands over.
  bool log_is_whole = false;  // What dies has all on its disk by then.
};
void PrintTo(const CrashCase& c, std::ostream* out) { *out << c.point; }

class RoleCrashTest : public testing::TestWithParam<CrashCase> {
 protected:
  Node::Flags FlagsOf(int i) const { return {"--shards=2", data_[i].data_dir(), "--fsync=always"}; }
  // The environment of node `i`.
  std::vector<std::string> Death(int i) const {
    if (GetParam().of_target != (i == 1)) return {"TIDE_UNUSED=1"};
    return {"CRASH_AT=" + GetParam().point};
  }

  Scratch data_[2];
};

constexpr int kKeys = 300;

TEST_P(RoleCrashTest, AFailoverThatIsCutShortLosesNothing) {
  Node nodes[] = {Node::CrashingPrimary(FlagsOf(0), Death(0)), Node::Primary({"--shards=1"})};
  ASSERT_TRUE(nodes[0].AwaitReady());
  nodes[1] = Node::CrashingReplica(nodes[0], FlagsOf(1), Death(1));
  ASSERT_TRUE(AwaitWhole(nodes[1]) && AwaitOnline(nodes[0], 1));
  ASSERT_NO_FATAL_FAILURE(Fill(nodes[0], "key", kKeys));
  ASSERT_EQ(nodes[0].Connect().Do({"FAILOVER", "TO", "127.0.0.1", std::to_string(nodes[1].port())}),
            kOk);
  Node& victim = nodes[GetParam().of_target ? 1 : 0];
  Node& survivor = nodes[GetParam().of_target ? 0 : 1];
  ASSERT_EQ(victim.process().WaitExit(kPatience), KilledBy(SIGKILL)) << "the point is not passed";

  if (GetParam().log_is_whole) {
    // On what it has on its disk alone it may be the primary.
    Node::Flags flags = FlagsOf(GetParam().of_target ? 1 : 0);
    Node alone = Node::Primary(flags);
    ASSERT_TRUE(alone.AwaitReady());
    EXPECT_EQ(Missing(alone, "key", kKeys), 0);
    alone.Stop();
  }
  // The one that lives has everything, and takes over; the other comes back as its replica.
  ASSERT_TRUE(Eventually(
      kPatience, [&] { return InfoField(survivor, "master_failover_state") == "no-failover"; }));
  ASSERT_EQ(Promote(survivor), kOk);
  EXPECT_EQ(Missing(survivor, "key", kKeys), 0);
  ASSERT_EQ(survivor.Connect().Do({"SET", "after", "1"}), kOk);
  victim = Node::CrashingReplica(survivor, FlagsOf(GetParam().of_target ? 1 : 0));
  ASSERT_TRUE(victim.AwaitReady());
  EXPECT_TRUE(AwaitConvergence(survivor, {&victim}));
  EXPECT_EQ(victim.Connect().Do({"GET", "after"}), Reply::String("1"));
}

INSTANTIATE_TEST_SUITE_P(Points, RoleCrashTest,
                         testing::Values(CrashCase{"role.link_ended", true},
                                         CrashCase{"role.stream_finished", true},
                                         CrashCase{"history.added", true, true},
                                         CrashCase{"role.log_taken_over", true, true},
                                         CrashCase{"role.taken_over", true, true},
                                         CrashCase{"role.streams_ended", false},
                                         CrashCase{"following.marked", false, true},
                                         CrashCase{"following.begun", false, true},
                                         CrashCase{"role.following", false}));

}  // namespace
}  // namespace tidemark::integration
