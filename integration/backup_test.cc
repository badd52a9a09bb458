// A backup of a primary that is being written to, and a return to an earlier moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"
#include "integration/harness/process.h"
#include "integration/harness/scratch.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

class BackupTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return (scratch_.path() / name).string(); }
  std::string DataDir(const std::string& name) const { return "--data_dir=" + Path(name); }

  // Returns what it printed.
  static std::string Tidectl(const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {Runfile("tools/tidectl/tidectl")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process tidectl(command);
    EXPECT_EQ(tidectl.WaitExit(kPatience), ExitedWith(0)) << tidectl.Output() << tidectl.Errors();
    return tidectl.Output();
  }
  static int64_t NowMs(const Node& node) {
    const Reply time = node.Connect().Do({"TIME"});  // Seconds, and microseconds of them.
    return std::stoll(time.elements[0].text) * 1000 + std::stoll(time.elements[1].text) / 1000;
  }
  static DigestReport DigestOf(const Node& node) {
    RedisClient client = node.Connect();
    absl::StatusOr<DigestReport> digest = Digest(client);
    EXPECT_TRUE(digest.ok()) << digest.status();
    return digest.ok() ? *digest : DigestReport();
  }
  // Keys that never expire: digests at different times are then comparable.
  static void Write(const Node& node, const std::string& prefix, int count) {
    RedisClient client = node.Connect();
    for (int i = 0; i < count; ++i) {
      client.Queue({"SET", prefix + std::to_string(i), std::string(100, 'v')});
      const std::string n = std::to_string(i);
      client.Queue({"MSET", prefix + "m" + n, n, prefix + "n" + n, n});
    }
    for (const Reply& reply : client.Flush()) ASSERT_EQ(reply, Reply::Status("OK"));
  }

  const Scratch scratch_;
};

TEST_F(BackupTest, ABackupUnderLoadStartsAsTheRestoreOfTheSameMoment) {
  Node primary = Node::Primary({DataDir("data"), "--shards=2", "--fsync=always"});
  ASSERT_TRUE(primary.AwaitReady());
  Write(primary, "before:", 500);
  {
    BackgroundLoad load(primary.port(), {.seed = 1, .keys = 200, .flush_all = false});
    ASSERT_TRUE(Eventually(kPatience, [&] { return load.commands() > 1000; }));
    Tidectl({"backup", "127.0.0.1:" + std::to_string(primary.port()), DataDir("data"),
             "--into=" + Path("copy")});
    EXPECT_EQ(load.Stop(), "");
  }
  primary.Stop();
  Tidectl({"log", "check", Path("data")});
  Tidectl({"log", "check", Path("copy")});

  Node copy = Node::Primary({DataDir("copy"), "--shards=2"});
  ASSERT_TRUE(copy.AwaitReady());
  RedisClient client = copy.Connect();
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(client.Do({"EXISTS", "before:" + std::to_string(i)}), Reply::Integer(1));
  }
  // It takes writes, as any other.
  EXPECT_EQ(client.Do({"SET", "after", "1"}), Reply::Status("OK"));
  copy.Stop();
}

TEST_F(BackupTest, ARestoreToAnEarlierVectorHasTheDigestOfThen) {
  Node primary = Node::Primary({DataDir("data"), "--shards=2", "--fsync=always"});
  ASSERT_TRUE(primary.AwaitReady());
  Write(primary, "first:", 300);
  const DigestReport then = DigestOf(primary);
  Write(primary, "second:", 300);
  primary.Kill();

  std::string until;
  for (const int64_t sequence : then.watermarks) {
    until += (until.empty() ? "" : ",") + std::to_string(sequence);
  }
  Tidectl({"restore", Path("data"), "--until=" + until, "--into=" + Path("then")});
  Node restored = Node::Primary({DataDir("then"), "--shards=2"});
  ASSERT_TRUE(restored.AwaitReady());
  const DigestReport now = DigestOf(restored);
  EXPECT_EQ(now.digest, then.digest);
  EXPECT_EQ(now.keys, then.keys);
  EXPECT_EQ(now.watermarks, then.watermarks);
  EXPECT_NE(now.history, then.history);
  restored.Stop();
}

TEST_F(BackupTest, ARestoreToAnEarlierTimeHasTheDigestOfThen) {
  Node primary = Node::Primary({DataDir("data"), "--shards=2", "--fsync=always"});
  ASSERT_TRUE(primary.AwaitReady());
  Write(primary, "first:", 300);
  const DigestReport then = DigestOf(primary);
  // A frame is of the millisecond in which it was sealed: let that pass on both sides of the time.
  const int64_t written_ms = NowMs(primary);
  ASSERT_TRUE(Eventually(kPatience, [&] { return NowMs(primary) > written_ms; }));
  const int64_t until_ms = NowMs(primary);
  ASSERT_TRUE(Eventually(kPatience, [&] { return NowMs(primary) > until_ms; }));
  Write(primary, "second:", 300);
  primary.Kill();

  Tidectl(
      {"restore", Path("data"), "--until=t" + std::to_string(until_ms), "--into=" + Path("then")});
  Node restored = Node::Primary({DataDir("then"), "--shards=2"});
  ASSERT_TRUE(restored.AwaitReady());
  const DigestReport now = DigestOf(restored);
  EXPECT_EQ(now.digest, then.digest);
  EXPECT_EQ(now.watermarks, then.watermarks);
  restored.Stop();
}

TEST_F(BackupTest, WhatADirectoryHoldsIsPrinted) {
  Node primary = Node::Primary({DataDir("data"), "--shards=1"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  ASSERT_EQ(client.Do({"SET", "plain", "one"}), Reply::Status("OK"));
  ASSERT_EQ(client.Do({"SET", "ranged", "xxxxxx"}), Reply::Status("OK"));
  ASSERT_EQ(client.Do({"SETRANGE", "ranged", "3", "abc"}), Reply::Integer(6));
  ASSERT_EQ(client.Do({"DEL", "plain"}), Reply::Integer(1));
  ASSERT_EQ(client.Do({"SET", "binary", "\xff"}), Reply::Status("OK"));
  ASSERT_EQ(client.Do({"SAVE"}), Reply::Status("OK"));
  primary.Kill();

  const std::string log = Tidectl({"log", "dump", Path("data")});
  for (const char* part :
       {R"("sequence":1,)", R"("op":"set","key":"plain","value":"one")",
        R"("op":"set_range","key":"ranged","offset":3,"value":"abc")",
        R"("op":"delete","key":"plain")", R"("key":"binary","value_base64":"/w==")",
        R"("segment":1,"segment_offset":)"}) {
    EXPECT_THAT(log, testing::HasSubstr(part));
  }
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 5);
  const std::string later = Tidectl({"log", "dump", Path("data"), "--after=4", "--keys-only"});
  EXPECT_EQ(std::count(later.begin(), later.end(), '\n'), 1);
  EXPECT_THAT(later, testing::Not(testing::HasSubstr("value")));

  const std::string snapshot = Tidectl({"snapshot", "dump", Path("data")});
  EXPECT_EQ(std::count(snapshot.begin(), snapshot.end(), '\n'), 2);
  EXPECT_THAT(snapshot, testing::HasSubstr(R"("op":"entry","key":"binary","value_base64":"/w==")"));
  EXPECT_THAT(Tidectl({"snapshot", "check", Path("data")}), testing::HasSubstr("verdict: whole"));
}

TEST_F(BackupTest, AReplicasDirectoryIsBackedUpLikeAPrimarys) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {DataDir("data"), "--shards=2"});
  ASSERT_TRUE(replica.AwaitReady());
  Write(primary, "k", 200);
  const auto all_is_durable = [&] {
    const Reply report = replica.Connect().Do({"TIDE", "WATERMARKS"});
    const Reply* const durable = report.Find("durable");
    const Reply* const applied = report.Find("applied");
    return durable != nullptr && applied != nullptr && *durable == *applied;
  };
  // The last key that was written says nothing of the other shard.
  ASSERT_TRUE(
      Eventually(kPatience, [&] { return DigestOf(replica).digest == DigestOf(primary).digest; }));
  ASSERT_TRUE(Eventually(kPatience, all_is_durable));
  Tidectl({"backup", "127.0.0.1:" + std::to_string(replica.port()), DataDir("data"),
           "--into=" + Path("copy")});
  Tidectl({"log", "check", Path("copy")});

  Node copy = Node::Primary({DataDir("copy"), "--shards=2"});
  ASSERT_TRUE(copy.AwaitReady());
  EXPECT_EQ(DigestOf(copy).digest, DigestOf(primary).digest);
  // Another node's, although it was copied: it may follow where it came from.
  const auto id_of = [](const Node& node) { return node.Connect().Do({"TIDE", "PEER"}).text; };
  EXPECT_NE(id_of(copy), id_of(replica));
}

}  // namespace
}  // namespace tidemark::integration
