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

size_t StreamingReplicas(RedisClient& client) {
  const absl::StatusOr<WatermarksReport> report = Watermarks(client);
  EXPECT_TRUE(report.ok()) << report.status();
  size_t streaming = 0;
  if (report.ok()) {
    for (const ReplicaRow& row : report->replicas) streaming += row.state == "streaming" ? 1 : 0;
  }
  return streaming;
}

class SlowReplicaTest : public testing::Test {
 protected:
  // Stops one of two replicas, writes `rounds` times 32 MB, and continues it.
  void StopAndContinue(int rounds) {
    ASSERT_TRUE(primary_.AwaitReady());
    Node stopped = Node::Replica(primary_, {"--shards=2"});
    Node other = Node::Replica(primary_, {"--shards=1"});
    ASSERT_TRUE(stopped.AwaitReady() && other.AwaitReady());
    RedisClient client = primary_.Connect();
    Overwrite(client, 1);
    ASSERT_TRUE(AwaitConvergence(primary_, {&stopped, &other}));

    stopped.process().Signal(SIGSTOP);
    Overwrite(client, rounds);
    EXPECT_TRUE(AwaitConvergence(primary_, {&other})) << "held up by the one that stands still";
    EXPECT_TRUE(Eventually(kPatience, [&] { return StreamingReplicas(client) == 1; }))
        << "the one that stands still is not cut";
    const int64_t resident_bytes = primary_.process().ResidentBytes();

    Overwrite(client, rounds);
    EXPECT_LT(primary_.process().ResidentBytes(), resident_bytes + (int64_t{64} << 20))
        << "what it does not take is kept";
    stopped.process().Signal(SIGCONT);
    EXPECT_TRUE(AwaitConvergence(primary_, {&stopped, &other}));
  }

  Node primary_ = Node::Primary({"--shards=2", "--subscriber_queue_bytes=4mb"});
};

TEST_F(SlowReplicaTest, AReplicaStoppedPastItsQueueIsCutAndConvergesWhenItGoesOn) {
  StopAndContinue(/*rounds=*/5);
}

}  // namespace
}  // namespace tidemark::integration
