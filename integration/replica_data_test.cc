// A replica with a data directory: what it keeps of its primary's stream, however it ended, and
// what becomes of a directory that changes its role.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/sanitizers.h"
#include "integration/harness/convergence.h"
#include "integration/harness/info.h"
#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;
using testing::Optional;

// Memory enough for what a test writes: whether a replica goes on is then its own doing.
constexpr char kBacklog[] = "--backlog_bytes=256mb";
constexpr char kQuickRetry[] = "--reconnect_backoff_max_ms=200";

int64_t FullSyncs(const Node& primary) { return InfoNumber(primary, "sync_full"); }

std::string DurableAndApplied(const Node& replica) {
  RedisClient client = replica.Connect();
  const Reply report = client.Do({"TIDE", "WATERMARKS"});
  const Reply* const durable = report.Find("durable");
  const Reply* const applied = report.Find("applied");
  if (durable == nullptr || applied == nullptr) return "not there";
  return *durable == *applied ? "equal" : "behind";
}

bool AwaitDurable(const Node& replica) {
  return Eventually(kPatience, [&] { return DurableAndApplied(replica) == "equal"; });
}

// Until the full sync that it begins with is whole on its disk.
bool AwaitWhole(Node& replica) {
  return replica.AwaitReady() && Eventually(kPatience, [&] {
           return InfoNumber(replica, "wal_stream_restarts_total") == 1 &&
                  InfoNumber(replica, "wal_stream_restarting") == 0;
         });
}

TEST(ReplicaDataTest, ReplicasKilledUnderLoadComeBackWithoutAFullSync) {
  const Scratch primary_data;
  Node primary = Node::Primary({"--shards=2", primary_data.data_dir(), kBacklog});
  ASSERT_TRUE(primary.AwaitReady());
  const Scratch data[3];
  std::vector<Node> replicas;
  for (int i = 0; i < 3; ++i) {
    replicas.push_back(Node::Replica(
        primary, {fmt::format("--shards={}", 1 << i), data[i].data_dir(), "--segment_bytes=1mb",
                  "--snapshot_every_s=1", "--snapshot_min_writes=1", kQuickRetry}));
  }
  for (Node& replica : replicas) ASSERT_TRUE(AwaitWhole(replica));
  ASSERT_EQ(FullSyncs(primary), 3);

  BackgroundLoad load(primary.port(), {.keys = 2000, .flush_all = true});
  for (int kill = 0; kill < Scaled(20, 7); ++kill) {
    SCOPED_TRACE(kill);
    Node& replica = replicas[static_cast<size_t>(kill % 3)];
    const int64_t before = load.commands();
    ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > before + 2'000; }));
    replica.Kill();
    ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > before + 3'000; }));
    replica.Restart();
    ASSERT_TRUE(replica.AwaitReady());
  }
  EXPECT_EQ(load.Stop(), "");
  EXPECT_TRUE(AwaitConvergence(primary, {&replicas[0], &replicas[1], &replicas[2]}));
  EXPECT_EQ(FullSyncs(primary), 3) << "none after the first";
  for (const Node& replica : replicas) EXPECT_TRUE(AwaitDurable(replica));
}

TEST(ReplicaDataTest, AfterACleanStopOnlyWhatCameMeanwhileIsSent) {
  Node primary = Node::Primary({"--shards=2", kBacklog});
  ASSERT_TRUE(primary.AwaitReady());
  const Scratch data;
  Node replica = Node::Replica(primary, {"--shards=1", data.data_dir()});
  ASSERT_TRUE(AwaitWhole(replica));
  RedisClient client = primary.Connect();
  EXPECT_EQ(MixedLoad({.seed = 1}).Run(client, 5'000), "");
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  replica.Stop();
  EXPECT_EQ(MixedLoad({.seed = 2}).Run(client, 1'000), "");
  replica.Restart({data.data_dir(), "--shards=4",
                   fmt::format("--primary=127.0.0.1:{}", primary.replication_port())});
  ASSERT_TRUE(replica.AwaitReady());
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  EXPECT_EQ(FullSyncs(primary), 1);
}

TEST(ReplicaDataTest, APrimaryThatRestartsCostsNoFullSync) {
  const Scratch primary_data, data;
  Node primary = Node::Primary({"--shards=2", primary_data.data_dir(), kBacklog});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=2", data.data_dir(), kQuickRetry});
  ASSERT_TRUE(AwaitWhole(replica));
  RedisClient client = primary.Connect();
  EXPECT_EQ(MixedLoad({.seed = 1}).Run(client, 5'000), "");
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  primary.Stop();
  primary.Restart();
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient again = primary.Connect();
  EXPECT_EQ(MixedLoad({.seed = 2}).Run(again, 1'000), "");
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  replica.Kill();
  replica.Restart();
  ASSERT_TRUE(replica.AwaitReady());
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  EXPECT_EQ(FullSyncs(primary), 0);
}

TEST(ReplicaDataTest, ItIsTheSameNodeAfterItsRestart) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  const Scratch data;
  Node replica = Node::Replica(primary, {"--shards=2", data.data_dir(), kQuickRetry});
  ASSERT_TRUE(AwaitWhole(replica));
  const std::string before = replica.Connect().Do({"TIDE", "PEER"}).text;
  for (const bool killed : {true, false}) {
    killed ? replica.Kill() : replica.Stop();
    replica.Restart();
    ASSERT_TRUE(replica.AwaitReady());
    // Whom it follows is part of it once the link is up.
    EXPECT_TRUE(Eventually(kPatience, [&] {
      return replica.Connect().Do({"TIDE", "PEER"}).text == before;
    }));
  }
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  RedisClient client = primary.Connect();
  const auto report = Watermarks(client);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->replicas.size(), 1u) << "a row stays behind of the one before";
  EXPECT_EQ(report->replicas[0].state, "online");
}

TEST(ReplicaDataTest, ItServesWhatItHasWhileItsPrimaryCannotBeReached) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  const Scratch data;
  Node replica = Node::Replica(primary, {"--shards=2", data.data_dir(), kQuickRetry});
  ASSERT_TRUE(AwaitWhole(replica));
  ASSERT_EQ(primary.Connect().Do({"SET", "kept", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  ASSERT_TRUE(AwaitDurable(replica));
  primary.Kill();
  replica.Kill();
  replica.Restart();
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient reader = replica.Connect();
  EXPECT_EQ(reader.Do({"GET", "kept"}), Reply::String("1"));
  EXPECT_THAT(reader.Do({"INFO", "replication"}).text, HasSubstr("master_link_status:down"));
  // And it gives that up for no primary that has come back empty.
  primary.Restart();
  ASSERT_TRUE(primary.AwaitReady());
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return replica.process().Errors().find("accept_foreign_history") != std::string::npos;
  }));
  EXPECT_EQ(reader.Do({"GET", "kept"}), Reply::String("1"));
}

TEST(ReplicaDataTest, SnapshotsShortenItsLogByScheduleAndOnDemand) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  const Scratch data;
  Node replica = Node::Replica(
      primary, {"--shards=4", data.data_dir(), "--segment_bytes=64kb", "--snapshot_every_s=0"});
  ASSERT_TRUE(AwaitWhole(replica));
  RedisClient client = primary.Connect();
  RedisClient reader = replica.Connect();
  const auto segments = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(data.data())) {
      if (entry.path().extension() == ".seg") ++count;
    }
    return count;
  };
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(MixedLoad({.seed = static_cast<uint64_t>(i) + 1}).Run(client, 5'000), "");
    ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
    EXPECT_EQ(reader.Do({"SAVE"}), Reply::Status("OK"));
  }
  EXPECT_GT(InfoNumber(replica, "wal_segments_pruned_total"), 0);
  EXPECT_TRUE(Eventually(kPatience, [&] { return segments() < 20; })) << segments();
  replica.Kill();
  replica.Restart();
  ASSERT_TRUE(replica.AwaitReady());
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  EXPECT_EQ(FullSyncs(primary), 1);
}

TEST(ReplicaDataTest, DamageInTheMiddleOfItsLogStopsTheStart) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  const Scratch data;
  Node replica = Node::Replica(
      primary, {"--shards=2", data.data_dir(), "--segment_bytes=64kb", "--snapshot_every_s=0"});
  ASSERT_TRUE(AwaitWhole(replica));
  RedisClient client = primary.Connect();
  EXPECT_EQ(MixedLoad({}).Run(client, 10'000), "");
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  ASSERT_TRUE(AwaitDurable(replica));
  replica.Kill();
  const std::filesystem::path second = data.data() / "wal-00000000000000000002.seg";
  ASSERT_TRUE(std::filesystem::exists(second));
  std::fstream file(second, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(10'000);
  file.write("damage", 6);
  file.close();
  replica.Restart();
  ASSERT_THAT(replica.process().WaitExit(kPatience), Optional(ExitedWith(1)));
  EXPECT_THAT(replica.process().Errors(), HasSubstr("wal-00000000000000000002.seg"));
  EXPECT_THAT(replica.process().Errors(), HasSubstr("tidectl log repair"));
}

// --- Directories that change their role ---

TEST(ReplicaDataTest, APrimaryOnAReplicasDirectoryGoesOnFromItAndTheOldPrimaryMayFollow) {
  const Scratch old_data, new_data;
  Node old_primary = Node::Primary({"--shards=2", old_data.data_dir()});
  ASSERT_TRUE(old_primary.AwaitReady());
  Node replica = Node::Replica(old_primary, {"--shards=2", new_data.data_dir()});
  ASSERT_TRUE(AwaitWhole(replica));
  RedisClient client = old_primary.Connect();
  EXPECT_EQ(MixedLoad({.seed = 1}).Run(client, 5'000), "");
  ASSERT_EQ(client.Do({"SET", "before", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(AwaitConvergence(old_primary, {&replica}));
  const absl::StatusOr<WatermarksReport> before = Watermarks(client);
  old_primary.Stop();
  replica.Stop();

  Node new_primary = Node::Primary({"--shards=2", new_data.data_dir()});
  ASSERT_TRUE(new_primary.AwaitReady());
  EXPECT_THAT(new_primary.process().Errors(), HasSubstr("it was a replica's"));
  RedisClient promoted = new_primary.Connect();
  EXPECT_EQ(promoted.Do({"GET", "before"}), Reply::String("1"));
  const absl::StatusOr<WatermarksReport> after = Watermarks(promoted);
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_NE(before->history, after->history);

  Node follower = Node::Replica(new_primary, {"--shards=2", old_data.data_dir()});
  ASSERT_TRUE(follower.AwaitReady());
  EXPECT_EQ(MixedLoad({.seed = 2}).Run(promoted, 5'000), "");
  EXPECT_TRUE(AwaitConvergence(new_primary, {&follower}));
  EXPECT_EQ(FullSyncs(new_primary), 0) << "it stood at the fork";
}

TEST(ReplicaDataTest, AReplicaOnAForeignDirectoryFollowsTheRuleForForeignHistories) {
  const Scratch data;
  {
    Node primary = Node::Primary({"--shards=2", data.data_dir()});
    ASSERT_TRUE(primary.AwaitReady());
    ASSERT_EQ(primary.Connect().Do({"SET", "own", "1"}), Reply::Status("OK"));
    primary.Stop();
  }
  Node other = Node::Primary({"--shards=1"});
  ASSERT_TRUE(other.AwaitReady());
  ASSERT_EQ(other.Connect().Do({"SET", "theirs", "1"}), Reply::Status("OK"));
  Node refuses = Node::Replica(
      other, {"--shards=1", data.data_dir(), "--accept_foreign_history=never", kQuickRetry});
  ASSERT_TRUE(refuses.AwaitReady());
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return refuses.process().Errors().find("accept_foreign_history=always") != std::string::npos;
  }));
  EXPECT_EQ(refuses.Connect().Do({"GET", "own"}), Reply::String("1"));
  refuses.Stop();

  Node accepts = Node::Replica(other, {"--shards=1", data.data_dir()});
  ASSERT_TRUE(AwaitWhole(accepts));
  EXPECT_TRUE(AwaitConvergence(other, {&accepts}));
  EXPECT_THAT(accepts.process().Errors(), HasSubstr("lost/discarded-"));
  const int64_t full_syncs = FullSyncs(other);
  accepts.Kill();
  accepts.Restart();
  ASSERT_TRUE(accepts.AwaitReady());
  EXPECT_EQ(accepts.Connect().Do({"GET", "own"}), Reply::Nil());
  EXPECT_EQ(accepts.Connect().Do({"GET", "theirs"}), Reply::String("1"));
  EXPECT_EQ(FullSyncs(other), full_syncs);
}

}  // namespace
}  // namespace tidemark::integration
