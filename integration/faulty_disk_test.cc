// The primary as it is shipped, on a disk that fills up or fails under it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "integration/harness/node.h"
#include "integration/harness/owned_load.h"
#include "integration/harness/scratch.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class FaultyDiskTest : public testing::TestWithParam<std::string> {
 protected:
  FaultyDiskTest() { std::filesystem::create_directory(Faults()); }

  std::filesystem::path Faults() const { return scratch_.path() / "faults"; }
  void Break(const char* fault) { std::ofstream(Faults() / fault).flush(); }
  void Mend(const char* fault) { std::filesystem::remove(Faults() / fault); }

  Node Start() const {
    return Node::CrashingPrimary({scratch_.data_dir(), "--fsync=" + GetParam(), "--shards=2",
                                  "--segment_bytes=64kb", "--snapshot_every_s=0"},
                                 {"DISK_FAULTS=" + Faults().string()});
  }
  // Writes until one is refused, and returns what it was told.
  static std::string WriteUntilRefused(const Node& node) {
    std::string text;
    const bool refused = Eventually(kPatience, [&] {
      // With fsync=always a write that waits for space has no reply before it returns.
      RedisClient client(node.port(), Duration(200));
      const Reply reply = client.Do({"SET", "filler", std::string(5'000, 'v')});
      text = reply.text;
      return reply.type == Reply::Type::kError;
    });
    EXPECT_TRUE(refused) << text;
    return text;
  }
  static std::string Persistence(const Node& node) {
    return node.Connect().Do({"INFO", "persistence"}).text;
  }
  static std::string Contents(const Node& node) {
    RedisClient client = node.Connect();
    const absl::StatusOr<DigestReport> digest = Digest(client);
    if (!digest.ok()) return "no digest: " + std::string(digest.status().message());
    return fmt::format("{} keys, {}", digest->keys, digest->digest);
  }

  const Scratch scratch_;
};

TEST_P(FaultyDiskTest, AFullDiskRefusesWritesAndMendsItselfWithoutAHole) {
  OwnedLoad load({.shards = 2, .keeps_replied = GetParam() == "always", .seed = 5});
  Node node = Start();
  ASSERT_TRUE(node.AwaitReady());
  ASSERT_EQ(load.Run(node.port(), 500), "");
  RedisClient client = node.Connect();
  ASSERT_EQ(client.Do({"SET", "kept", "1"}), Reply::Status("OK"));

  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    Break("full");
    EXPECT_THAT(WriteUntilRefused(node), AllOf(StartsWith("MISCONF"), HasSubstr("no space")));
    EXPECT_EQ(client.Do({"GET", "kept"}), Reply::String("1"));
    EXPECT_THAT(Persistence(node), AllOf(HasSubstr("wal_state:disk-full\r"), HasSubstr("no space"),
                                         HasSubstr("aof_last_write_status:err\r")));
    EXPECT_THAT(client.Do({"TIDE", "METRICS"}).text, HasSubstr("\ntidemark_wal_writing 0\n"));
    Mend("full");
    EXPECT_TRUE(Eventually(kPatience, [&] {
      return client.Do({"SET", "after", std::to_string(round)}) == Reply::Status("OK");
    }));
    EXPECT_THAT(Persistence(node), HasSubstr("wal_state:writing\r"));
    EXPECT_THAT(client.Do({"TIDE", "METRICS"}).text, HasSubstr("\ntidemark_wal_writing 1\n"));
    ASSERT_EQ(load.Run(node.port(), 200), "");
  }

  // A hole would refuse the start, and a lost write would change the digest. Keys that live for
  // milliseconds are deleted by being looked for.
  ASSERT_TRUE(Eventually(kPatience, [&] {
    for (int owner = 0; owner < 4; ++owner) {
      client.Queue({"GET", fmt::format("owner{}:brief", owner)});
    }
    return client.Flush() == std::vector<Reply>(4, Reply::Nil());
  }));
  ASSERT_TRUE(Eventually(kPatience, [&] {
    const Reply marks = client.Do({"TIDE", "WATERMARKS"});
    return *marks.Find("durable") == *marks.Find("assigned");
  }));
  const std::string before = Contents(node);
  node.Kill();
  node.Restart();
  ASSERT_TRUE(node.AwaitReady());
  EXPECT_EQ(Contents(node), before);
  EXPECT_EQ(load.Check(node.port()), "");
  EXPECT_EQ(node.Connect().Do({"GET", "after"}), Reply::String("2"));
}

TEST_P(FaultyDiskTest, AFailedFlushIsFinalAndSaysSo) {
  Node node = Start();
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  ASSERT_EQ(client.Do({"SET", "kept", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(Eventually(kPatience, [&] {
    const Reply marks = client.Do({"TIDE", "WATERMARKS"});
    return *marks.Find("durable") == *marks.Find("assigned");
  }));
  Break("eio");
  EXPECT_THAT(WriteUntilRefused(node), AllOf(StartsWith("MISCONF"), HasSubstr("injected error")));
  RedisClient reader = node.Connect();  // Who waited for the flush was cut.
  EXPECT_EQ(reader.Do({"GET", "kept"}), Reply::String("1"));
  EXPECT_THAT(Persistence(node),
              AllOf(HasSubstr("wal_state:failed\r"), HasSubstr("aof_last_write_status:err\r")));
  EXPECT_THAT(reader.Do({"TIDE", "METRICS"}).text, HasSubstr("\ntidemark_wal_failed 1\n"));
  // The disk may be well again: what is on it since is not known.
  Mend("eio");
  EXPECT_THAT(reader.Do({"SET", "more", "1"}).text, StartsWith("MISCONF"));
  EXPECT_THAT(reader.Do({"SHUTDOWN"}).text, HasSubstr("Errors trying to SHUTDOWN"));
  node.Kill();
  node.Restart();
  ASSERT_TRUE(node.AwaitReady());
  RedisClient again = node.Connect();
  EXPECT_EQ(again.Do({"GET", "kept"}), Reply::String("1"));
  EXPECT_EQ(again.Do({"SET", "more", "1"}), Reply::Status("OK"));
}

TEST_P(FaultyDiskTest, ASnapshotThatFindsNoRoomFailsAlone) {
  Node node = Start();
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  ASSERT_EQ(client.Do({"SET", "k", "v"}), Reply::Status("OK"));
  Break("full");
  EXPECT_EQ(client.Do({"SAVE"}).type, Reply::Type::kError);
  EXPECT_THAT(Persistence(node), HasSubstr("rdb_last_bgsave_status:err\r"));
  // The segment that is there has room.
  EXPECT_EQ(client.Do({"SET", "k", "w"}), Reply::Status("OK"));
  Mend("full");
  EXPECT_EQ(client.Do({"SAVE"}), Reply::Status("OK"));
  EXPECT_THAT(Persistence(node), HasSubstr("rdb_last_bgsave_status:ok\r"));
}

TEST_P(FaultyDiskTest, ANodeDoesNotBeginOnAFullDisk) {
  Break("full");
  Node node = Start();
  EXPECT_EQ(node.process().WaitExit(kPatience), ExitedWith(1));
  EXPECT_THAT(node.process().Errors(),
              AllOf(HasSubstr(scratch_.data().string()), HasSubstr("no space")));
}

INSTANTIATE_TEST_SUITE_P(All, FaultyDiskTest, testing::Values("always", "interval"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tidemark::integration
