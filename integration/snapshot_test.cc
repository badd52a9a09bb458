// Snapshots of real processes: what the commands answer, and that a node comes back from one that
// was taken while clients wrote, flushed and let keys expire.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "integration/harness/info.h"
#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;

class SnapshotTest : public testing::Test {
 protected:
  std::string DataDir() const { return scratch_.data_dir(); }
  std::vector<std::string> Names(const std::string& beginning) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.data())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(beginning)) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  const Scratch scratch_;
};

TEST_F(SnapshotTest, CommandsAnswerAsRedisDoes) {
  Node node = Node::Primary({DataDir(), "--shards=2", "--snapshot_every_s=0"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  EXPECT_EQ(client.Do({"SET", "a", "1"}), Reply::Status("OK"));
  EXPECT_EQ(client.Do({"SAVE"}), Reply::Status("OK"));
  EXPECT_EQ(Names("snapshot-").size(), 1u);
  EXPECT_EQ(InfoField(client, "rdb_changes_since_last_save"), "0");
  EXPECT_EQ(InfoField(client, "rdb_last_bgsave_status"), "ok");
  EXPECT_EQ(client.Do({"BGSAVE", "SOON"}).text, "ERR syntax error");
  EXPECT_EQ(client.Do({"BGSAVE"}), Reply::Status("Background saving started"));
  ASSERT_TRUE(Eventually(kPatience, [&] { return Names("snapshot-").back().ends_with("2"); }));
  ASSERT_TRUE(
      Eventually(kPatience, [&] { return InfoField(client, "rdb_bgsave_in_progress") == "0"; }));
  EXPECT_EQ(client.Do({"BGREWRITEAOF"}),
            Reply::Status("Background append only file rewriting started"));
  EXPECT_GT(client.Do({"LASTSAVE"}).integer, 1'600'000'000);

  Node without = Node::Primary({"--shards=1"});
  ASSERT_TRUE(without.AwaitReady());
  RedisClient other = without.Connect();
  EXPECT_THAT(other.Do({"BGSAVE"}).text, HasSubstr("--data_dir"));
}

TEST_F(SnapshotTest, AKilledNodeComesBackFromSnapshotsTakenUnderLoad) {
  Node node = Node::Primary({DataDir(), "--shards=2", "--snapshot_every_s=0", "--fsync=always",
                             "--segment_bytes=64kb", "--snapshot_chunk_bytes=4096"});
  ASSERT_TRUE(node.AwaitReady());
  for (uint64_t round = 1; round <= 3; ++round) {
    SCOPED_TRACE(round);
    RedisClient client = node.Connect();
    for (int piece = 0; piece < 5; ++piece) {
      client.Do({"BGSAVE"});  // One may be under way.
      EXPECT_EQ(MixedLoad({.seed = 10 * round + static_cast<uint64_t>(piece), .keys = 300})
                    .Run(client, 2'000),
                "");
    }
    ASSERT_TRUE(
        Eventually(kPatience, [&] { return InfoField(client, "rdb_bgsave_in_progress") == "0"; }));
    EXPECT_EQ(InfoField(client, "rdb_last_bgsave_status"), "ok");
    // Keys that expire meanwhile would make two digests differ for no fault of the log.
    for (int i = 0; i < 300; ++i) {
      for (const char* kind : {"string:", "counter:"}) {
        client.Queue({"PERSIST", kind + std::to_string(i)});
      }
    }
    client.Flush();
    RedisClient asker = node.Connect();
    const absl::StatusOr<DigestReport> before = Digest(asker);
    ASSERT_TRUE(before.ok()) << before.status();

    node.Kill();
    node.Restart();
    ASSERT_TRUE(node.AwaitReady());
    RedisClient again = node.Connect();
    const absl::StatusOr<DigestReport> after = Digest(again);
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_EQ(after->keys, before->keys);
    EXPECT_EQ(after->digest, before->digest);
  }
  EXPECT_EQ(Names("snapshot-").size(), 2u);
  EXPECT_GT(Names("wal-").front(), "wal-00000000000000000001.seg");
}

}  // namespace
}  // namespace tidemark::integration
