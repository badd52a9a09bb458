// A replica that stands still costs its primary a bounded queue and nothing else, and catches up
// when it goes on.
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "base/key_hash.h"
#include "integration/harness/convergence.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"
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

// Whether the primary's log holds all that it has answered.
bool IsDurable(RedisClient& client) {
  const Reply marks = client.Do({"TIDE", "WATERMARKS"});
  const Reply* const durable = marks.Find("durable");
  const Reply* const assigned = marks.Find("assigned");
  return durable != nullptr && assigned != nullptr && *durable == *assigned;
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

// One of the primary's counters of replication, as TIDE METRICS says it; -1: it is not there.
int64_t Counter(RedisClient& client, const std::string& name) {
  const std::string text = client.Do({"TIDE", "METRICS"}).text;
  const std::string line = "\ntidemark_replication_" + name + " ";
  const size_t at = text.find(line);
  return at == std::string::npos ? -1 : std::stoll(text.substr(at + line.size()));
}

// A key of one of two shards.
std::string KeyOn(int shard, int which) {
  for (int i = 0;; ++i) {
    const std::string key = "on" + std::to_string(which) + ":" + std::to_string(i);
    if (ShardOf(key, KeyHash(key), 2).value() == shard) return key;
  }
}

struct Return {
  std::string name;
  std::string backlog_flag;
  bool on_disk;      // The primary has a data directory.
  size_t snapshots;  // That the replica needs to come back.
};

class SlowReplicaTest : public testing::TestWithParam<Return> {};

TEST_P(SlowReplicaTest, AReplicaStoppedPastItsQueueCostsNobodyAndConvergesWhenItGoesOn) {
  const Scratch scratch;
  Node::Flags flags = {"--shards=2", "--subscriber_queue_bytes=40mb", GetParam().backlog_flag};
  if (GetParam().on_disk) {
    flags.insert(flags.end(), {scratch.data_dir(), "--segment_bytes=8mb"});
  }
  Node primary = Node::Primary(flags);
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
      << "the one that stands still is still fed live";

  stopped.process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitConvergence(primary, {&stopped, &other}));
  EXPECT_EQ(SnapshotsReceived(stopped) - snapshots_before, GetParam().snapshots);
  EXPECT_EQ(Counter(client, "log_bytes_total") > 0, GetParam().on_disk);
}

INSTANTIATE_TEST_SUITE_P(
    Return, SlowReplicaTest,
    testing::Values(Return{"FromTheBacklog", "--backlog_bytes=256mb", false, 0},
                    Return{"FromTheLog", "--backlog_bytes=1mb", true, 0},
                    Return{"BySnapshot", "--backlog_bytes=1mb", false, 1}),
    [](const testing::TestParamInfo<Return>& info) { return info.param.name; });

// A kill begins a child history, and empties the backlog: what a replica lacks is in the segments
// of the parent.
TEST(KilledPrimaryTest, FeedsAReplicaThatFellBehindFromItsLog) {
  const Scratch scratch;
  Node primary = Node::Primary(
      {"--shards=2", "--backlog_bytes=1mb", "--segment_bytes=8mb", scratch.data_dir()});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=1", "--reconnect_backoff_max_ms=500"});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient before = primary.Connect();
  Overwrite(before, 1);
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  const size_t snapshots_before = SnapshotsReceived(replica);
  const absl::StatusOr<WatermarksReport> old = Watermarks(before);

  replica.process().Signal(SIGSTOP);
  Overwrite(before, 1);
  // What the log lacks at the kill is gone, and a replica whose socket holds some of that has
  // diverged. That is another test's: here the replica is behind, and no more.
  ASSERT_TRUE(Eventually(kPatience, [&] { return IsDurable(before); }));
  primary.Kill();
  primary.Restart();
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient after = primary.Connect();
  Overwrite(after, 1);
  replica.process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  EXPECT_EQ(SnapshotsReceived(replica) - snapshots_before, 0u);
  const absl::StatusOr<WatermarksReport> now = Watermarks(after);
  ASSERT_TRUE(old.ok() && now.ok());
  EXPECT_NE(now->history, old->history);
}

// The backlog has lost the frames of one shard only.
TEST(HotShardTest, AReplicaThatMissedMuchOfOneShardGetsASnapshotOfThatShardAlone) {
  for (const std::string own_shards : {"--shards=2", "--shards=3"}) {
    const Scratch scratch;
    Node primary = Node::Primary({"--shards=2", "--backlog_bytes=2mb"});
    ASSERT_TRUE(primary.AwaitReady());
    Node replica = Node::Replica(primary, {own_shards, scratch.data_dir()});
    ASSERT_TRUE(replica.AwaitReady());
    RedisClient client = primary.Connect();
    const auto write = [&](int shard, int keys, size_t bytes) {
      for (int i = 0; i < keys; ++i) {
        client.Queue({"SET", KeyOn(shard, i % 500), std::string(bytes, 'v')});
        if (i % 100 == 99) {
          for (const Reply& reply : client.Flush()) ASSERT_EQ(reply, Reply::Status("OK"));
        }
      }
    };
    write(0, 500, 100);
    write(1, 500, 100);
    ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
    const int64_t full = Counter(client, "full_syncs_total");
    ASSERT_EQ(Counter(client, "mixed_syncs_total"), 0);

    replica.Stop();
    write(0, 100, 120);
    write(1, 3'000, 4'000);
    client.Do({"MSET", KeyOn(0, 1), "both", KeyOn(1, 1), "both"});
    replica.Restart();
    ASSERT_TRUE(replica.AwaitReady());
    EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
    EXPECT_EQ(Counter(client, "full_syncs_total"), full);
    EXPECT_EQ(Counter(client, "mixed_syncs_total"), 1);

    // What it wrote to its own disk meanwhile is whole: it goes on from there.
    RedisClient at_replica = replica.Connect();
    ASSERT_TRUE(Eventually(kPatience, [&] {
      return at_replica.Do({"TIDE", "METRICS"}).text.find("stream_restarting 0") !=
             std::string::npos;
    }));
    replica.Stop();
    write(0, 100, 130);
    replica.Restart();
    ASSERT_TRUE(replica.AwaitReady());
    EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
    EXPECT_EQ(Counter(client, "full_syncs_total"), full);
    EXPECT_EQ(Counter(client, "mixed_syncs_total"), 1);
  }
}

// Values that neither the backlog nor a batch can hold.
TEST(LargeValuesTest, AReplicaThatJoinsAndOneThatStopsNeedNoSnapshotAfterSnapshot) {
  Node primary =
      Node::Primary({"--shards=2", "--backlog_bytes=1mb", "--subscriber_queue_bytes=8mb"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  const auto write = [&](int values) {
    for (int i = 0; i < values; ++i) {
      const std::string value(3 << 20, static_cast<char>('a' + i % 26));
      ASSERT_EQ(client.Do({"SET", "large:" + std::to_string(i % 8), value}), Reply::Status("OK"));
    }
  };
  write(8);
  Node replica = Node::Replica(primary, {"--shards=2"});
  write(30);
  ASSERT_TRUE(replica.AwaitReady());
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  replica.process().Signal(SIGSTOP);
  write(30);
  replica.process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  EXPECT_LE(SnapshotsReceived(replica), 5u);
}

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
