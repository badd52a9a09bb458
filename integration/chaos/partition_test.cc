// A primary and its replica on two networks, and the cable between them: pulled, neither hears that
// the other is gone, and packets are lost instead of refused.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "integration/chaos/network_namespace.h"
#include "integration/harness/node.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

class PartitionTest : public testing::Test {
 protected:
  // A connection to the replica, from within its network.
  RedisClient ConnectThere() const {
    const auto inside = there_.Enter();
    return replica_->Connect();
  }
  static std::string DigestOf(RedisClient& client) {
    const absl::StatusOr<DigestReport> digest = Digest(client);
    return digest.ok() ? digest->digest : "none: " + std::string(digest.status().message());
  }
  static size_t Replicas(RedisClient& primary) {
    const absl::StatusOr<WatermarksReport> report = Watermarks(primary);
    return report.ok() ? report->replicas.size() : 0;
  }
  static void Write(RedisClient& client, int from, int count) {
    for (int i = from; i < from + count; ++i) {
      client.Queue({"SET", fmt::format("k{}", i), std::string(200, 'v')});
    }
    for (const Reply& reply : client.Flush()) ASSERT_EQ(reply, Reply::Status("OK"));
  }

  NetworkNamespace there_;
  std::optional<Node> replica_;
};

TEST_F(PartitionTest, AReplicaThatWasCutOffCatchesUpWhenTheCableIsBack) {
  if (!there_.made()) GTEST_SKIP() << there_.cause();
  Node primary = Node::Primary({"--bind=0.0.0.0", "--shards=2", "--heartbeat_interval_ms=50"});
  ASSERT_TRUE(primary.AwaitReady());
  {
    const auto inside = there_.Enter();
    replica_.emplace(Node::ReplicaOf(
        there_.near_address(), primary.replication_port(),
        {"--shards=1", "--heartbeat_interval_ms=50", "--reconnect_backoff_max_ms=200"}));
  }
  ASSERT_TRUE(replica_->AwaitReady());
  RedisClient writer = primary.Connect();
  RedisClient reader = ConnectThere();
  const auto equal = [&] { return DigestOf(writer) == DigestOf(reader); };
  Write(writer, 0, 1'000);
  ASSERT_TRUE(Eventually(kPatience, equal));

  for (int round = 1; round <= 3; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    there_.Unplug();
    // The odd times are short: both ends sleep through them. The others last until it is noticed.
    Write(writer, round * 10'000, 1'000);
    if (round % 2 == 0) {
      EXPECT_TRUE(Eventually(kPatience, [&] { return Replicas(writer) == 0; }))
          << "the primary waits for ever";
    }
    EXPECT_EQ(reader.Do({"GET", fmt::format("k{}", round * 10'000)}), Reply::Nil());
    there_.Plug();
    EXPECT_TRUE(Eventually(kPatience, equal));
  }
}

}  // namespace
}  // namespace tidemark::integration
