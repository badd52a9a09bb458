// What a primary with a data directory keeps over a restart, however it ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "integration/harness/convergence.h"
#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;

// The contents, whatever their history and number of shards.
std::string Contents(const Node& node) {
  RedisClient client = node.Connect();
  const absl::StatusOr<DigestReport> digest = Digest(client);
  if (!digest.ok()) return "no digest: " + std::string(digest.status().message());
  return std::to_string(digest->keys) + " keys, " + digest->digest;
}

// Whether the keys of a MixedLoad that live for less than a second are gone: those that are not
// would make two digests differ for no fault of the log. Asking also deletes those whose time is
// up.
bool NoKeyExpiresSoon(RedisClient& client, int keys) {
  for (int i = 0; i < keys; ++i) {
    client.Queue({"PTTL", "string:" + std::to_string(i)});
    client.Queue({"PTTL", "counter:" + std::to_string(i)});
  }
  const std::vector<Reply> replies = client.Flush();
  return std::none_of(replies.begin(), replies.end(), [](const Reply& reply) {
    return reply.integer >= 0 && reply.integer <= 1000;
  });
}

// Every kind of record that a log must carry, each left visible at the end.
void WriteOneOfEach(RedisClient& client) {
  const std::string big(200'000, 'b');
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"SET", "plain", "1"},
           {"SET", "empty", ""},
           {"SET", "big", big},
           {"SET", "binary", std::string("\0\r\n\xff", 4)},
           {"SET", "expiring", "1", "PX", "10000000"},
           {"SET", "persisted", "1", "EX", "1000"},
           {"PERSIST", "persisted"},
           {"INCRBY", "number", "41"},
           {"INCR", "number"},
           {"INCRBYFLOAT", "float", "0.5"},
           {"APPEND", "appended", "one"},
           {"APPEND", "appended", "two"},
           {"SETRANGE", "ranged", "5", "xyz"},
           {"MSET", "multi:a", "1", "multi:b", "2", "multi:c", "3"},
           {"SET", "deleted", "1"},
           {"DEL", "deleted"},
           {"SET", "from", "moved"},
           {"RENAME", "from", "to"},
           {"SET", "until", "1"},
           {"EXPIRE", "until", "5000"},
           {"GETDEL", "to-be-gone"},
       }) {
    const Reply reply = client.Do(command);
    EXPECT_FALSE(reply.is_error()) << command[0] << " " << testing::PrintToString(reply);
  }
}

struct RestartCase {
  std::string name;
  std::string fsync;
  int shards;
  int shards_after;
  bool clean;
};
void PrintTo(const RestartCase& c, std::ostream* out) { *out << c.name; }

class RestartTest : public testing::TestWithParam<RestartCase> {};

TEST_P(RestartTest, KeepsEverythingThatWasWritten) {
  const RestartCase& c = GetParam();
  const Scratch scratch;
  const Node::Flags flags = {scratch.data_dir(), "--fsync=" + c.fsync, "--segment_bytes=1mb",
                             "--shards=" + std::to_string(c.shards)};
  Node node = Node::Primary(flags);
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  WriteOneOfEach(client);
  EXPECT_EQ(MixedLoad({.seed = 7, .keys = 300, .flush_all = false}).Run(client, 20'000), "");
  ASSERT_TRUE(Eventually(kPatience, [&] { return NoKeyExpiresSoon(client, 300); }));
  const std::string before = Contents(node);
  // With another policy than `always` a crash may take what was not written yet; kill -9 leaves
  // what the system was given, so wait until it has been.
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return client.Do({"INFO", "persistence"}).text.find("wal_queued_bytes:0\r") !=
           std::string::npos;
  }));
  if (c.clean) {
    node.Stop();
  } else {
    node.Kill();
  }
  Node::Flags after = flags;
  after.back() = "--shards=" + std::to_string(c.shards_after);
  node.Restart(after);
  ASSERT_TRUE(node.AwaitReady());
  EXPECT_EQ(Contents(node), before);
  RedisClient again = node.Connect();
  EXPECT_EQ(again.Do({"GET", "number"}), Reply::String("42"));
  EXPECT_EQ(again.Do({"GET", "appended"}), Reply::String("onetwo"));
  EXPECT_EQ(again.Do({"GET", "to"}), Reply::String("moved"));
  EXPECT_EQ(again.Do({"TTL", "persisted"}), Reply::Integer(-1));
  EXPECT_EQ(again.Do({"STRLEN", "big"}), Reply::Integer(200'000));
  // And once more, with what came on top.
  EXPECT_EQ(again.Do({"SET", "second", "life"}), Reply::Status("OK"));
  node.Stop();
  node.Restart();
  ASSERT_TRUE(node.AwaitReady());
  EXPECT_EQ(node.Connect().Do({"GET", "second"}), Reply::String("life"));
}

std::vector<RestartCase> RestartCases() {
  std::vector<RestartCase> cases;
  for (const std::string fsync : {"always", "interval", "never"}) {
    for (const int shards : {1, 2}) {
      for (const bool clean : {true, false}) {
        cases.push_back({.name = fsync + std::to_string(shards) + (clean ? "Clean" : "Killed"),
                         .fsync = fsync,
                         .shards = shards,
                         .shards_after = shards,
                         .clean = clean});
      }
    }
  }
  cases.push_back({"OneToTwoClean", "interval", 1, 2, true});
  cases.push_back({"TwoToOneKilled", "interval", 2, 1, false});
  cases.push_back({"TwoToThreeKilled", "always", 2, 3, false});
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, RestartTest, testing::ValuesIn(RestartCases()),
                         [](const auto& info) { return info.param.name; });

TEST(DurabilityTest, EveryWriteThatWasAnsweredUnderAlwaysIsThereAfterKill) {
  const Scratch scratch;
  Node node = Node::Primary({scratch.data_dir(), "--fsync=always", "--shards=2"});
  ASSERT_TRUE(node.AwaitReady());
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    RedisClient client = node.Connect();
    int64_t answered = 0;
    for (int i = 1; i <= 200; ++i) {
      const Reply reply = client.Do({"SET", "n:" + std::to_string(i), std::to_string(round)});
      ASSERT_EQ(reply, Reply::Status("OK"));
      answered = i;
    }
    node.Kill();
    node.Restart();
    ASSERT_TRUE(node.AwaitReady());
    RedisClient reader = node.Connect();
    for (int64_t i = 1; i <= answered; ++i) {
      ASSERT_EQ(reader.Do({"GET", "n:" + std::to_string(i)}), Reply::String(std::to_string(round)));
    }
  }
}

TEST(DurabilityTest, AReplicaOfAPrimaryThatStoppedCleanlyGoesOnWithoutASnapshot) {
  const Scratch scratch;
  Node primary = Node::Primary({scratch.data_dir(), "--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=2", "--reconnect_backoff_max_ms=500"});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient client = primary.Connect();
  EXPECT_EQ(MixedLoad({.seed = 1}).Run(client, 5'000), "");
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  const absl::StatusOr<WatermarksReport> before = Watermarks(client);

  primary.Stop();
  primary.Restart();
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient again = primary.Connect();
  EXPECT_EQ(again.Do({"SET", "after", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  const absl::StatusOr<WatermarksReport> now = Watermarks(again);
  ASSERT_TRUE(before.ok() && now.ok());
  EXPECT_EQ(before->history, now->history);
  const std::string info = again.Do({"INFO", "tidemark"}).text;
  EXPECT_THAT(info, HasSubstr("replication_catch_up_snapshot_total:0\r"));
}

TEST(DurabilityTest, AReplicaOfAPrimaryThatWasKilledGoesOnInTheChildHistory) {
  const Scratch scratch;
  Node primary = Node::Primary({scratch.data_dir(), "--shards=2", "--fsync=always"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=1", "--reconnect_backoff_max_ms=500"});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient client = primary.Connect();
  for (int i = 0; i < 100; ++i) client.Do({"SET", "k" + std::to_string(i), "v"});
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  const absl::StatusOr<WatermarksReport> before = Watermarks(client);

  primary.Kill();
  primary.Restart();
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient again = primary.Connect();
  EXPECT_EQ(again.Do({"SET", "after", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  const absl::StatusOr<WatermarksReport> now = Watermarks(again);
  ASSERT_TRUE(before.ok() && now.ok());
  EXPECT_NE(before->history, now->history);
  EXPECT_THAT(again.Do({"INFO", "tidemark"}).text,
              HasSubstr("replication_catch_up_snapshot_total:0\r"));
}

TEST(DurabilityTest, ASecondProcessOnTheDirectoryIsRefused) {
  const Scratch scratch;
  Node node = Node::Primary({scratch.data_dir()});
  ASSERT_TRUE(node.AwaitReady());
  Process second(
      {Runfile("server/primary"), "--port=0", "--replication_port=0", scratch.data_dir()});
  EXPECT_EQ(second.WaitExit(kPatience), ExitedWith(1));
  EXPECT_THAT(second.Errors(), HasSubstr(std::to_string(node.process().pid())));
  EXPECT_EQ(node.Connect().Do({"PING"}), Reply::Status("PONG"));
}

TEST(DurabilityTest, SettingsThatContradictEachOtherAreRefused) {
  Process exporter({Runfile("server/primary"), "--port=0", "--export_mode=listen"});
  EXPECT_EQ(exporter.WaitExit(kPatience), ExitedWith(64));
  EXPECT_THAT(exporter.Errors(), HasSubstr("data_dir"));
}

TEST(DurabilityTest, ADirectoryThatCannotBeWrittenIsRefused) {
  Process node({Runfile("server/primary"), "--port=0", "--replication_port=0",
                "--data_dir=/proc/nothing/here"});
  EXPECT_EQ(node.WaitExit(kPatience), ExitedWith(1));
  EXPECT_THAT(node.Errors(), HasSubstr("/proc/nothing/here"));
}

TEST(DurabilityTest, PersistenceIsSeen) {
  const Scratch scratch;
  Node node = Node::Primary({scratch.data_dir(), "--fsync=always"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  EXPECT_EQ(client.Do({"SET", "k", "v"}), Reply::Status("OK"));
  const std::string info = client.Do({"INFO", "persistence"}).text;
  for (const char* field : {"loading:0\r", "aof_enabled:1\r", "aof_last_write_status:ok\r",
                            "wal_fsync:always\r", "wal_state:writing\r", "wal_held_clients:0\r"}) {
    EXPECT_THAT(info, HasSubstr(field));
  }
  const Reply watermarks = client.Do({"TIDE", "WATERMARKS"});
  ASSERT_NE(watermarks.Find("durable"), nullptr);
  ASSERT_NE(watermarks.Find("assigned"), nullptr);
  EXPECT_EQ(*watermarks.Find("durable"), *watermarks.Find("assigned"));
  EXPECT_EQ(client.Do({"CONFIG", "SET", "fsync", "never"}), Reply::Status("OK"));
  EXPECT_EQ(client.Do({"SET", "k", "w"}), Reply::Status("OK"));
}

TEST(DurabilityTest, TheScheduleOfSnapshotsIsChangedLive) {
  const Scratch scratch;
  Node node = Node::Primary({scratch.data_dir(), "--snapshot_every_s=0"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  EXPECT_EQ(client.Do({"SET", "k", "v"}), Reply::Status("OK"));
  EXPECT_THAT(client.Do({"INFO", "persistence"}).text, HasSubstr("rdb_changes_since_last_save:1"));
  EXPECT_EQ(client.Do({"CONFIG", "SET", "snapshot_every_s", "1", "snapshot_min_writes", "1"}),
            Reply::Status("OK"));
  EXPECT_TRUE(Eventually(kPatience, [&] {
    const std::string info = client.Do({"INFO", "persistence"}).text;
    return info.find("rdb_changes_since_last_save:0\r") != std::string::npos;
  }));
}

TEST(DurabilityTest, SettingsThatCannotChangeSaySo) {
  const Scratch scratch;
  Node node = Node::Primary({scratch.data_dir()});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  for (const char* name : {"data_dir", "export_mode", "export_addr", "export_retain_bytes"}) {
    EXPECT_THAT(client.Do({"CONFIG", "SET", name, "1"}).text,
                HasSubstr("can't set immutable config"))
        << name;
  }
}

}  // namespace
}  // namespace tidemark::integration
