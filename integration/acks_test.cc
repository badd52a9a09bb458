// What the reply to a write promises under each --ack policy, and what is answered when the promise
// cannot be kept.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "integration/harness/info.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const Reply kOk = Reply::Status("OK");

Node ReadyReplica(const Node& primary, const Node::Flags& flags = {"--shards=2"}) {
  Node replica = Node::Replica(primary, flags);
  EXPECT_TRUE(replica.AwaitReady());
  return replica;
}

// Whether SET succeeds by and by: replicas need a moment to be there.
bool AwaitSet(RedisClient& client) {
  return Eventually(kPatience, [&] { return client.Do({"SET", "awaited", "1"}) == kOk; });
}

TEST(AcksTest, AWriteThatWasAnsweredIsOnItsReplica) {
  Node primary = Node::Primary({"--shards=2", "--ack=replicas:1"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = ReadyReplica(primary);
  RedisClient writer = primary.Connect();
  RedisClient reader = replica.Connect();
  ASSERT_TRUE(AwaitSet(writer));
  for (int i = 0; i < 300; ++i) {
    const std::string key = "k" + std::to_string(i % 10);
    ASSERT_EQ(writer.Do({"SET", key, std::to_string(i)}), kOk);
    ASSERT_EQ(reader.Do({"GET", key}), Reply::String(std::to_string(i)));
  }
  EXPECT_NE(InfoField(writer, "ack_held_total"), "0");
  EXPECT_EQ(InfoField(writer, "ack_held_clients"), "0");
}

TEST(AcksTest, AStoppedReplicaMeansErrorsInTheirPlaceAndThenRecovery) {
  Node primary = Node::Primary({"--shards=2", "--ack=replicas:1", "--ack_timeout_ms=200"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = ReadyReplica(primary);
  RedisClient client = primary.Connect();
  ASSERT_TRUE(AwaitSet(client));

  replica.process().Signal(SIGSTOP);
  EXPECT_EQ(client.Do({"GET", "awaited"}), Reply::String("1")) << "a read alone waits for nobody";
  client.Queue({"SET", "a", "1"});
  client.Queue({"GET", "a"});
  client.Queue({"PING"});
  client.Queue({"MSET", "a", "2", "b", "2"});
  client.Queue({"GET", "b"});
  client.Queue({"NOSUCH"});
  std::vector<Reply> replies = client.Flush();
  for (const int write : {0, 3}) {
    EXPECT_TRUE(replies[write].is_error());
    EXPECT_THAT(replies[write].text, StartsWith("TIMEOUT The write was made"));
    EXPECT_THAT(replies[write].text, HasSubstr("may still survive"));
  }
  EXPECT_EQ(replies[1], Reply::String("1"));
  EXPECT_EQ(replies[2], Reply::Status("PONG"));
  EXPECT_EQ(replies[4], Reply::String("2"));
  EXPECT_THAT(replies[5].text, StartsWith("ERR unknown command"));
  EXPECT_NE(InfoField(client, "ack_timeouts"), "0");

  replica.process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitSet(client));
  EXPECT_EQ(client.Do({"GET", "a"}), Reply::String("2")) << "what timed out was made all the same";

  replica.Kill();
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return client.Do({"SET", "a", "3"}).text.starts_with("NOREPLICAS The write was made");
  }));
}

TEST(AcksTest, RepliesKeepTheirOrderUnderPipelining) {
  Node primary = Node::Primary({"--shards=2", "--ack=replicas:1"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = ReadyReplica(primary);
  RedisClient client = primary.Connect();
  ASSERT_TRUE(AwaitSet(client));
  std::mt19937 random(7);
  std::map<std::string, int64_t> counters;
  for (int round = 0; round < 50; ++round) {
    std::vector<Reply> expected;
    for (int i = 0; i < 100; ++i) {
      const std::string key = "n" + std::to_string(random() % 20);
      if (random() % 2 == 0) {
        client.Queue({"INCR", key});
        expected.push_back(Reply::Integer(++counters[key]));
      } else {
        client.Queue({"GET", key});
        const auto found = counters.find(key);
        expected.push_back(found == counters.end() ? Reply::Nil()
                                                   : Reply::String(std::to_string(found->second)));
      }
    }
    ASSERT_EQ(client.Flush(), expected);
  }
}

TEST(AcksTest, AConnectionChoosesForItself) {
  Node primary = Node::Primary({"--shards=2", "--ack_timeout_ms=100"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient one = primary.Connect();
  RedisClient other = primary.Connect();
  EXPECT_EQ(*one.Do({"TIDE", "ACK"}).Find("policy"), Reply::String("memory"));
  EXPECT_EQ(one.Do({"TIDE", "ACK", "replicas:1"}), kOk);
  EXPECT_EQ(*one.Do({"TIDE", "ACK"}).Find("policy"), Reply::String("replicas:1"));
  EXPECT_EQ(*one.Do({"TIDE", "ACK"}).Find("set_by"), Reply::String("connection"));
  EXPECT_THAT(one.Do({"SET", "k", "1"}).text, StartsWith("NOREPLICAS The write was made"));
  EXPECT_EQ(other.Do({"SET", "k", "2"}), kOk);
  EXPECT_EQ(one.Do({"TIDE", "ACK", "default"}), kOk);
  EXPECT_EQ(one.Do({"SET", "k", "3"}), kOk);

  // What was written before the change goes by what held then, also in one pipeline.
  one.Queue({"SET", "k", "4"});
  one.Queue({"TIDE", "ACK", "durable_replicas:2"});
  one.Queue({"SET", "k", "5"});
  one.Queue({"TIDE", "ACK", "memory"});
  one.Queue({"SET", "k", "6"});
  const std::vector<Reply> replies = one.Flush();
  EXPECT_EQ(replies[0], kOk);
  EXPECT_THAT(replies[2].text, StartsWith("NOREPLICAS"));
  EXPECT_EQ(replies[3], kOk);
  EXPECT_EQ(replies[4], kOk);

  EXPECT_EQ(other.Do({"TIDE", "ACK", "replicas:1"}), kOk);
  EXPECT_EQ(other.Do({"RESET"}), Reply::Status("RESET"));
  EXPECT_EQ(other.Do({"SET", "k", "7"}), kOk);
  EXPECT_THAT(other.Do({"TIDE", "ACK", "durable"}).text, HasSubstr("needs a data_dir"));
  EXPECT_THAT(other.Do({"TIDE", "ACK", "replicas:17"}).text, HasSubstr("N from 1 to 16"));
  EXPECT_THAT(other.Do({"CONFIG", "SET", "ack", "durable"}).text, HasSubstr("needs a data_dir"));

  EXPECT_EQ(one.Do({"TIDE", "ACK", "default"}), kOk);
  EXPECT_EQ(other.Do({"CONFIG", "SET", "ack", "replicas:1"}), kOk);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return one.Do({"SET", "k", "8"}).text.starts_with("NOREPLICAS");
  }));
  EXPECT_EQ(one.Do({"TIDE", "ACK", "memory"}), kOk);
  EXPECT_EQ(one.Do({"SET", "k", "9"}), kOk);
}

TEST(AcksTest, DurableMeansThisDiskWhateverThePolicyOfFsync) {
  const Scratch scratch;
  Node node = Node::Primary({scratch.data_dir(), "--shards=2", "--fsync=interval",
                             "--fsync_interval_ms=60000", "--ack=durable"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(client.Do({"SET", "k" + std::to_string(i), "v"}), kOk);
    const Reply watermarks = client.Do({"TIDE", "WATERMARKS"});
    ASSERT_EQ(*watermarks.Find("durable"), *watermarks.Find("assigned"));
  }
  EXPECT_THAT(client.Do({"CONFIG", "SET", "fsync", "never"}).text, HasSubstr("durable needs"));
  EXPECT_EQ(client.Do({"CONFIG", "SET", "fsync", "never", "ack", "memory"}), kOk);
  EXPECT_THAT(client.Do({"TIDE", "ACK", "durable"}).text, HasSubstr("durable needs"));
}

TEST(AcksTest, RepliesHeldByAlwaysAreNotForgottenWhenItEnds) {
  const Scratch scratch;
  Node node = Node::Primary({scratch.data_dir(), "--shards=2", "--fsync=always"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  RedisClient admin = node.Connect();
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 50; ++i) client.Queue({"SET", "k" + std::to_string(i), "v"});
    std::thread changes([&] {
      for (const char* fsync : {"never", "always"}) {
        EXPECT_EQ(admin.Do({"CONFIG", "SET", "fsync", fsync}), kOk);
      }
    });
    for (const Reply& reply : client.Flush()) EXPECT_EQ(reply, kOk);
    changes.join();
  }
}

TEST(MinReplicasTest, WritesAreRefusedWithoutAndReadsGoOn) {
  Node primary = Node::Primary({"--shards=2", "--min_replicas_to_write=1",
                                "--min_replicas_max_lag_ms=1000", "--heartbeat_interval_ms=50"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  const Reply refused = Reply::Error("NOREPLICAS Not enough good replicas to write.");
  EXPECT_EQ(client.Do({"SET", "k", "1"}), refused);
  EXPECT_EQ(client.Do({"GET", "k"}), Reply::Nil());
  EXPECT_EQ(InfoField(client, "min_slaves_good_slaves"), "0");
  EXPECT_EQ(client.Do({"CONFIG", "SET", "min-replicas-to-write", "0"}), kOk);
  EXPECT_EQ(client.Do({"SET", "k", "2"}), kOk);
  EXPECT_EQ(client.Do({"CONFIG", "SET", "min-replicas-to-write", "1"}), kOk);
  EXPECT_EQ(client.Do({"SET", "k", "3"}), refused);

  Node replica = ReadyReplica(primary);
  EXPECT_TRUE(AwaitSet(client));
  EXPECT_EQ(InfoField(client, "min_slaves_good_slaves"), "1");
  replica.process().Signal(SIGSTOP);
  EXPECT_TRUE(Eventually(kPatience, [&] { return client.Do({"SET", "k", "4"}) == refused; }));
  EXPECT_FALSE(client.Do({"GET", "k"}).is_error());
  replica.process().Signal(SIGCONT);
  EXPECT_TRUE(AwaitSet(client));
  EXPECT_NE(InfoField(client, "writes_refused_for_replicas"), "0");
}

TEST(WaitTest, AnIdleShardAndNothingWrittenAreNoObstacle) {
  Node primary = Node::Primary({"--shards=3"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = ReadyReplica(primary);
  RedisClient client = primary.Connect();
  EXPECT_EQ(client.Do({"WAIT", "1", "0"}), Reply::Integer(1));
  EXPECT_EQ(client.Do({"SET", "one", "1"}), kOk);
  EXPECT_EQ(client.Do({"WAIT", "1", "0"}), Reply::Integer(1));
  replica.process().Signal(SIGSTOP);
  EXPECT_EQ(client.Do({"SET", "one", "2"}), kOk);
  EXPECT_EQ(client.Do({"WAIT", "1", "50"}), Reply::Integer(0));
  replica.process().Signal(SIGCONT);
  EXPECT_EQ(client.Do({"WAIT", "1", "0"}), Reply::Integer(1));
}

TEST(WaitTest, AStopUnblocksThoseThatWait) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient waits = primary.Connect();
  RedisClient looks = primary.Connect();
  EXPECT_EQ(waits.Do({"SET", "k", "1"}), kOk);
  Reply reply;
  std::thread waiter([&] { reply = waits.Do({"WAIT", "1", "0"}); });
  EXPECT_TRUE(Eventually(kPatience, [&] { return InfoField(looks, "blocked_clients") == "1"; }));
  primary.Stop();
  waiter.join();
  EXPECT_TRUE(reply.is_error());
  EXPECT_THAT(reply.text, StartsWith("UNBLOCKED "));
}

TEST(WaitAofTest, ArgumentsAreJudgedAsInRedis) {
  Node node = Node::Primary({});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  const auto wait = [&](const char* local, const char* replicas, const char* timeout) {
    return client.Do({"WAITAOF", local, replicas, timeout}).text;
  };
  EXPECT_EQ(wait("x", "0", "0"), "ERR value is not an integer or out of range");
  EXPECT_EQ(wait("2", "x", "x"), "ERR value is out of range, value must between 0 and 1");
  EXPECT_EQ(wait("1", "-1", "x"), "ERR value is out of range, must be positive");
  EXPECT_EQ(wait("1", "0", "x"), "ERR timeout is not an integer or out of range");
  EXPECT_EQ(wait("1", "0", "-1"), "ERR timeout is negative");
  EXPECT_EQ(wait("1", "0", "0"),
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
  EXPECT_EQ(client.Do({"WAITAOF", "0", "0", "0"}),
            Reply::Array({Reply::Integer(0), Reply::Integer(0)}));
}

TEST(WaitAofTest, CountsThisDisk) {
  for (const char* fsync : {"always", "interval", "never"}) {
    SCOPED_TRACE(fsync);
    const Scratch scratch;
    Node node = Node::Primary({scratch.data_dir(), "--shards=2", fmt::format("--fsync={}", fsync),
                               "--fsync_interval_ms=60000"});
    ASSERT_TRUE(node.AwaitReady());
    RedisClient client = node.Connect();
    const Reply local = Reply::Array({Reply::Integer(1), Reply::Integer(0)});
    EXPECT_EQ(client.Do({"WAITAOF", "1", "0", "0"}), local) << "nothing was written";
    EXPECT_EQ(client.Do({"SET", "k", "1"}), kOk);
    EXPECT_EQ(client.Do({"WAITAOF", "1", "0", "0"}), local);
    EXPECT_EQ(client.Do({"SET", "k", "2"}), kOk);
    EXPECT_EQ(client.Do({"WAITAOF", "1", "1", "50"}), local) << "there is no such replica";
  }
}

TEST(WaitAofTest, AReplicaWithoutALogDoesNotCount) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = ReadyReplica(primary);
  RedisClient client = primary.Connect();
  EXPECT_EQ(client.Do({"SET", "k", "1"}), kOk);
  EXPECT_EQ(client.Do({"WAIT", "1", "0"}), Reply::Integer(1));
  EXPECT_EQ(client.Do({"WAITAOF", "0", "1", "50"}),
            Reply::Array({Reply::Integer(0), Reply::Integer(0)}));
  EXPECT_THAT(replica.Connect().Do({"WAITAOF", "0", "1", "50"}).text,
              StartsWith("ERR WAITAOF cannot be used with replica instances."));
}

TEST(DurableReplicasTest, AReplyWaitsForTheReplicasOwnDisk) {
  const Scratch scratch;
  Node primary = Node::Primary({"--shards=2", "--ack=durable_replicas:1", "--ack_timeout_ms=300"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  {
    Node forgetful = ReadyReplica(primary);
    EXPECT_TRUE(client.Do({"SET", "k", "0"}).is_error()) << "it keeps nothing";
  }
  Node replica = ReadyReplica(
      primary, {"--shards=2", scratch.data_dir(), "--fsync=interval", "--fsync_interval_ms=60000"});
  RedisClient at_replica = replica.Connect();
  ASSERT_TRUE(
      Eventually(kPatience, [&] { return InfoField(at_replica, "wal_stream_restarting") == "0"; }));
  EXPECT_THAT(client.Do({"SET", "k", "1"}).text, StartsWith("TIMEOUT The write was made"))
      << "it is received and applied there, and not on its disk";
  EXPECT_EQ(at_replica.Do({"GET", "k"}), Reply::String("1"));

  ASSERT_EQ(at_replica.Do({"CONFIG", "SET", "fsync", "always"}), kOk);
  ASSERT_TRUE(AwaitSet(client));
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(client.Do({"SET", "n" + std::to_string(i), "1"}), kOk);
  }
  // Nobody but the replica's disk remembers.
  primary.Kill();
  replica.Kill();
  replica.Restart();
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient after = replica.Connect();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(after.Do({"GET", "n" + std::to_string(i)}), Reply::String("1")) << i;
  }
}

// --- The primary dies ---

// Connections that each write keys of their own, pipelined, until their node is gone, and remember
// what was answered.
class AckedWrites {
 public:
  explicit AckedWrites(int port) {
    for (int i = 0; i < kConnections; ++i) {
      writers_.emplace_back([this, i, port] { Write(i, port); });
    }
  }
  // Requires: the node is gone.
  void Join() {
    for (std::thread& writer : writers_) writer.join();
  }
  int64_t acked() const { return acked_.load(); }
  // How many of the writes that were answered `node` does not have.
  int64_t MissingOn(const Node& node) const {
    RedisClient client = node.Connect();
    int64_t missing = 0;
    for (int i = 0; i < kConnections; ++i) {
      for (int64_t n = 0; n < answered_[i]; ++n) client.Queue({"EXISTS", Key(i, n)});
      for (const Reply& reply : client.Flush()) missing += reply == Reply::Integer(1) ? 0 : 1;
    }
    return missing;
  }

 private:
  static constexpr int kConnections = 4;
  static constexpr int kDepth = 8;
  static std::string Key(int connection, int64_t n) { return fmt::format("{}:{}", connection, n); }

  void Write(int connection, int port) {
    RedisClient client(port);
    for (int64_t sent = 0;; sent += kDepth) {
      for (int i = 0; i < kDepth; ++i) client.Queue({"SET", Key(connection, sent + i), "v"});
      for (const Reply& reply : client.Flush()) {
        if (reply != kOk) return;
        ++answered_[connection];
        acked_.fetch_add(1);
      }
    }
  }

  int64_t answered_[kConnections] = {};  // Each its connection's thread's, until joined.
  std::atomic<int64_t> acked_{0};
  std::vector<std::thread> writers_;
};

// RUNS=200 in the environment makes it longer.
TEST(AckedWritesTest, TheBestReplicaHasEveryWriteThatWasAnswered) {
  const char* const asked = std::getenv("RUNS");
  const int runs = asked != nullptr ? std::atoi(asked) : 20;
  std::mt19937 random(11);
  for (int run = 0; run < runs; ++run) {
    const int replica_count = 1 + run % 2;
    SCOPED_TRACE(fmt::format("run {} with {} replicas", run, replica_count));
    Node primary =
        Node::Primary({"--shards=2", "--ack=replicas:1", "--ack_timeout_ms=0", "--max_replicas=2"});
    ASSERT_TRUE(primary.AwaitReady());
    std::vector<Node> replicas;
    for (int i = 0; i < replica_count; ++i) replicas.push_back(ReadyReplica(primary));
    AckedWrites writes(primary.port());
    const int64_t enough = 200 + static_cast<int64_t>(random() % 3000);
    EXPECT_TRUE(Eventually(kPatience, [&] { return writes.acked() >= enough; }));
    primary.Kill();
    writes.Join();
    // What was received is applied; then nothing comes any more.
    int64_t fewest = writes.acked();
    EXPECT_TRUE(Eventually(std::chrono::seconds(10),
                           [&] {
                             for (const Node& replica : replicas)
                               fewest = std::min(fewest, writes.MissingOn(replica));
                             return fewest == 0;
                           }))
        << fewest << " of " << writes.acked() << " are lost, whichever replica is promoted";
  }
}

}  // namespace
}  // namespace tidemark::integration
