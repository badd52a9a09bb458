// A replica that stands still costs its primary a bounded queue and nothing else, and catches up
// when it goes on.
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "integration/harness/convergence.h"
#include "integration/harness/node.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

constexpr int kKeys = 2'000;
constexpr size_t kValueBytes = 16 << 10;

// Overwrites the same keys, so that data do not grow while the stream does.
void Overwrite(RedisClient& client, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < kKeys; ++i) {
      client.Queue({"SET", "key:" + std::to_string(i),
                    std::string(kValueBytes, static_cast<char>('a' + round % 26))});
      if (i % 100 == 99) {
        for (const Reply& reply : client.Flush()) ASSERT_EQ(reply, Reply::Status("OK"));
      }
    }
  }
}

size_t OnlineReplicas(RedisClient& client) {
  const absl::StatusOr<WatermarksReport> report = Watermarks(client);
  EXPECT_TRUE(report.ok()) << report.status();
  size_t online = 0;
  if (report.ok()) {
    for (const ReplicaRow& row : report->replicas) online += row.state == "online" ? 1 : 0;
  }
  return online;
}

// How often a replica has begun a snapshot, by its own log.
size_t SnapshotsReceived(const Node& replica) {
  constexpr std::string_view kLine = "receiving a snapshot";
  const std::string log = replica.process().Errors();
  size_t snapshots = 0;
  for (size_t at = log.find(kLine); at != std::string::npos; at = log.find(kLine, at + 1)) {
    ++snapshots;
  }
  return snapshots;
}

struct Return {
  std::string name;
  std::string backlog_flag;
  size_t snapshots;  // That the replica needs to come back.
};

class SlowReplicaTest : public testing::TestWithParam<Return> {};

TEST_P(SlowReplicaTest, AReplicaStoppedPastItsQueueIsCutAndConvergesWhenItGoesOn) {
  Node primary =
      Node::Primary({"--shards=2", "--subscriber_queue_bytes=40mb", GetParam().backlog_flag});
  ASSERT_TRUE(primary.AwaitReady());
  Node stopped = Node::Replica(primary, {"--shards=2"});
  Node other = Node::Replica(primary, {"--shards=1"});
  ASSERT_TRUE(stopped.AwaitReady() && other.AwaitReady());
  RedisClient client = primary.Connect();
  Overwrite(client, 1);
  ASSERT_TRUE(AwaitConvergence(primary, {&stopped, &other}));
  const size_t snapshots_before = SnapshotsReceived(stopped);

  stopped.process().Signal(SIGSTOP);
  Overwrite(client, 3);
  EXPECT_TRUE(AwaitConvergence(primary, {&other})) << "held up by the one that stands still";
  EXPECT_TRUE(Eventually(kPatience, [&] { return OnlineReplicas(client) == 1; }))
      << "the one that stands still is not cut";

  stopped.process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitConvergence(primary, {&stopped, &other}));
  EXPECT_EQ(SnapshotsReceived(stopped) - snapshots_before, GetParam().snapshots);
}

INSTANTIATE_TEST_SUITE_P(Return, SlowReplicaTest,
                         testing::Values(Return{"FromTheBacklog", "--backlog_bytes=256mb", 0},
                                         Return{"BySnapshot", "--backlog_bytes=1mb", 1}),
                         [](const testing::TestParamInfo<Return>& info) {
                           return info.param.name;
                         });

// What a replica does not take is not kept: its queue is the bound.
TEST(StoppedReplicaTest, CostsNoMemoryBeyondItsQueue) {
  Node primary =
      Node::Primary({"--shards=2", "--subscriber_queue_bytes=4mb", "--backlog_bytes=1mb"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  Overwrite(client, 2);
  Node replica = Node::Replica(primary, {"--shards=2"});
  ASSERT_TRUE(replica.AwaitReady());
  replica.process().Signal(SIGSTOP);
  const int64_t resident_bytes = primary.process().ResidentBytes();
  Overwrite(client, 10);
  EXPECT_LT(primary.process().ResidentBytes(), resident_bytes + kAllocatorSlackBytes);
}

}  // namespace
}  // namespace tidemark::integration
