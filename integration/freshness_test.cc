// What a client may demand of a replica's freshness, and that it gets it: real processes under
// load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "integration/harness/convergence.h"
#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"
#include "integration/harness/resp_connection.h"
#include "integration/harness/scratch.h"
#include "integration/harness/tide_reports.h"
#include "server/stream_token.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

constexpr char kLongMs[] = "60000";

std::string TokenOf(RedisClient& client, bool all = false) {
  const Reply reply = all ? client.Do({"TIDE", "TOKEN", "ALL"}) : client.Do({"TIDE", "TOKEN"});
  EXPECT_EQ(reply.type, Reply::Type::kString) << reply.text;
  return reply.text;
}

// `text`, further in each shard by `records`; the sequences of another history, if one is given.
std::string Moved(const std::string& text, uint64_t records, HistoryId history = HistoryId()) {
  absl::StatusOr<server::StreamToken> token = server::DecodeToken(text);
  EXPECT_TRUE(token.ok()) << token.status();
  for (Sequence& s : token->sequences) s = Sequence(s.value() + records);
  if (history != HistoryId()) token->history = history;
  return server::EncodeToken(*token);
}

// Replicas of other shard counts than their primary, which is under load all the time.
class FreshnessTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(primary_.AwaitReady());
    replicas_.push_back(Node::Replica(primary_, {"--shards=1"}));
    replicas_.push_back(Node::Replica(primary_, {"--shards=3"}));
    for (Node& replica : replicas_) ASSERT_TRUE(replica.AwaitReady());
  }
  Node primary_ = Node::Primary({"--shards=2"});
  std::vector<Node> replicas_;
};

TEST_F(FreshnessTest, EveryReadAfterTheWaitSeesTheWrite) {
  BackgroundLoad load(primary_.port(), {.seed = 1, .keys = 200});
  RedisClient writer = primary_.Connect();
  std::vector<RedisClient> readers;
  for (Node& replica : replicas_) readers.push_back(replica.Connect());
  for (int i = 0; i < 500; ++i) {
    const std::string value = std::to_string(i);
    ASSERT_EQ(writer.Do({"MSET", "mine:a", value, "mine:b", value, "mine:c", value}),
              Reply::Status("OK"));
    const std::string token = TokenOf(writer);
    for (RedisClient& reader : readers) {
      ASSERT_EQ(reader.Do({"TIDE", "WAIT", token, kLongMs}), Reply::Status("OK"));
      for (const char* key : {"mine:a", "mine:b", "mine:c"}) {
        ASSERT_EQ(reader.Do({"GET", key}), Reply::String(value)) << key;
      }
    }
  }
  EXPECT_EQ(load.Stop(), "");
}

TEST_F(FreshnessTest, ReadsOfATrackedConnectionSeeTheTokenWithoutBeingToldToWait) {
  BackgroundLoad load(primary_.port(), {.seed = 2, .keys = 200});
  RedisClient writer = primary_.Connect();
  std::vector<RedisClient> readers;
  for (Node& replica : replicas_) {
    readers.push_back(replica.Connect());
    ASSERT_EQ(RedisClient(replica.port()).Do({"CONFIG", "SET", "track_wait_ms", kLongMs}),
              Reply::Status("OK"));
  }
  for (int i = 0; i < 500; ++i) {
    const std::string value = std::to_string(i);
    const std::string key = "mine:" + std::to_string(i % 7);
    ASSERT_EQ(writer.Do({"SET", key, value}), Reply::Status("OK"));
    const std::string token = TokenOf(writer);
    for (RedisClient& reader : readers) {
      reader.Queue({"TIDE", "TRACK", "TOKEN", token});
      reader.Queue({"GET", key});
      reader.Queue({"MGET", key, "mine:0"});
      const std::vector<Reply> replies = reader.Flush();
      ASSERT_EQ(replies[0], Reply::Status("OK"));
      ASSERT_EQ(replies[1], Reply::String(value));
      ASSERT_EQ(replies[2].elements.at(0), Reply::String(value));
    }
  }
  EXPECT_EQ(load.Stop(), "");
}

// A reader takes the token of what it has seen along, and never sees less.
TEST_F(FreshnessTest, AReaderThatHopsBetweenReplicasNeverSeesTimeGoBack) {
  std::jthread writer([&](std::stop_token stop) {
    RedisClient client = primary_.Connect();
    while (!stop.stop_requested()) {
      for (int i = 0; i < 20; ++i) client.Queue({"INCR", "count:" + std::to_string(i % 4)});
      client.Flush();
    }
  });
  std::vector<RedisClient> readers;
  for (Node& replica : replicas_) readers.push_back(replica.Connect());
  std::string token = TokenOf(readers[0]);
  std::vector<int64_t> seen(4);
  // A busy machine may let the readers hop for long before the writer's first count.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (int hop = 0; hop < 1'000 || seen[0] == 0; ++hop) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "nothing was counted";
    RedisClient& reader = readers[static_cast<size_t>(hop % 2)];
    ASSERT_EQ(reader.Do({"TIDE", "WAIT", token, kLongMs}), Reply::Status("OK"));
    const Reply counts = reader.Do({"MGET", "count:0", "count:1", "count:2", "count:3"});
    for (size_t i = 0; i < seen.size(); ++i) {
      const std::string& text = counts.elements.at(i).text;
      const int64_t count = text.empty() ? 0 : std::stoll(text);
      ASSERT_GE(count, seen[i]) << "after " << hop << " hops";
      seen[i] = count;
    }
    token = TokenOf(reader);
  }
}

// The same, with a token of all that a reader of the primary can have seen of others' writes.
TEST_F(FreshnessTest, WhatWasReadOnThePrimaryIsSeenOnItsReplicas) {
  BackgroundLoad load(primary_.port(), {.seed = 3, .keys = 50});
  RedisClient at_primary = primary_.Connect();
  RedisClient at_replica = replicas_[1].Connect();
  std::jthread writer([&](std::stop_token stop) {
    RedisClient client = primary_.Connect();
    while (!stop.stop_requested()) client.Do({"INCR", "count"});
  });
  for (int i = 0; i < 500; ++i) {
    at_primary.Queue({"GET", "count"});
    at_primary.Queue({"TIDE", "TOKEN", "ALL"});
    const std::vector<Reply> replies = at_primary.Flush();
    const int64_t here = replies[0].text.empty() ? 0 : std::stoll(replies[0].text);
    ASSERT_EQ(at_replica.Do({"TIDE", "WAIT", replies[1].text, kLongMs}), Reply::Status("OK"));
    const Reply there = at_replica.Do({"GET", "count"});
    ASSERT_GE(there.text.empty() ? 0 : std::stoll(there.text), here);
  }
  EXPECT_EQ(load.Stop(), "");
}

TEST_F(FreshnessTest, AWriteThatIsTrackedCarriesItsToken) {
  RespConnection writer(primary_.port());
  EXPECT_THAT(writer.Do({"HELLO", "3"}), HasSubstr("proto"));
  EXPECT_EQ(writer.Do({"TIDE", "TRACK", "ON"}), "+OK");
  constexpr char kTracked[] = "\\|\\{\"token\": \"[A-Za-z0-9_-]+\"\\} ";
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(writer.Do({"SET", "key:" + std::to_string(i), "1"}),
                MatchesRegex(std::string(kTracked) + "\\+OK"));
  }
  EXPECT_EQ(writer.Do({"GET", "key:0"}), "\"1\"") << "a read has none";
  EXPECT_THAT(writer.Do({"INCR", "key:1"}), MatchesRegex(std::string(kTracked) + ":2"));
  EXPECT_THAT(writer.Do({"SET", "key:0"}), StartsWith("-ERR")) << "what did not run has none";

  // A pipeline over both shards keeps its order, and its last token covers all of it.
  std::string pipeline;
  for (int i = 0; i < 50; ++i) pipeline += "INCR n" + std::to_string(i % 5) + "\r\nGET key:1\r\n";
  writer.Send(pipeline);
  std::string last;
  for (int i = 0; i < 50; ++i) {
    last = writer.Read();
    EXPECT_THAT(last, MatchesRegex(std::string(kTracked) + ":" + std::to_string(i / 5 + 1)));
    EXPECT_EQ(writer.Read(), "\"2\"");
  }
  const std::string token =
      last.substr(last.find(": \"") + 3, last.find("\"}") - last.find(": \"") - 3);
  RedisClient reader = replicas_[0].Connect();
  EXPECT_EQ(reader.Do({"TIDE", "WAIT", token, kLongMs}), Reply::Status("OK"));
  EXPECT_EQ(reader.Do({"MGET", "n0", "n4"}),
            Reply::Array({Reply::String("10"), Reply::String("10")}));
  EXPECT_EQ(writer.Do({"TIDE", "TRACK", "OFF"}), "+OK");
  EXPECT_EQ(writer.Do({"SET", "key:0", "2"}), "+OK");
}

TEST_F(FreshnessTest, ATrackedWriteThatIsHeldKeepsItsTokenAndItsPlace) {
  RespConnection writer(primary_.port());
  EXPECT_THAT(writer.Do({"HELLO", "3"}), HasSubstr("proto"));
  EXPECT_EQ(writer.Do({"TIDE", "ACK", "replicas:2"}), "+OK");
  EXPECT_EQ(writer.Do({"TIDE", "TRACK", "ON"}), "+OK");
  constexpr char kTracked[] = "\\|\\{\"token\": \"[A-Za-z0-9_-]+\"\\} ";
  const std::string pipeline = "SET a 1\r\nGET a\r\nINCR n\r\nPING\r\nINCR n\r\n";
  writer.Send(pipeline);
  EXPECT_THAT(writer.Read(), MatchesRegex(std::string(kTracked) + "\\+OK"));
  EXPECT_EQ(writer.Read(), "\"1\"");
  EXPECT_THAT(writer.Read(), MatchesRegex(std::string(kTracked) + ":1"));
  EXPECT_EQ(writer.Read(), "+PONG");
  const std::string last = writer.Read();
  EXPECT_THAT(last, MatchesRegex(std::string(kTracked) + ":2"));
  // What was acknowledged needs no waiting for.
  const std::string token =
      last.substr(last.find(": \"") + 3, last.find("\"}") - last.find(": \"") - 3);
  for (const Node& replica : replicas_) {
    EXPECT_EQ(replica.Connect().Do({"TIDE", "WAIT", token, "0"}), Reply::Status("OK"));
  }
}

TEST_F(FreshnessTest, ATrackedWriteThatIsHeldForTooLongBecomesAnError) {
  RespConnection writer(primary_.port());
  EXPECT_THAT(writer.Do({"HELLO", "3"}), HasSubstr("proto"));
  EXPECT_EQ(writer.Do({"TIDE", "ACK", "replicas:2"}), "+OK");
  EXPECT_EQ(writer.Do({"TIDE", "TRACK", "ON"}), "+OK");
  const std::string pipeline = "SET a 1\r\nGET a\r\nINCR n\r\nPING\r\nINCR n\r\n";
  writer.Send(pipeline);
  for (int i = 0; i < 5; ++i) writer.Read();
  ASSERT_TRUE(!primary_.Connect().Do({"CONFIG", "SET", "ack_timeout_ms", "100"}).is_error());
  replicas_[0].process().Signal(SIGSTOP);
  writer.Send(pipeline);
  EXPECT_THAT(writer.Read(), StartsWith("-TIMEOUT The write was made"));
  EXPECT_EQ(writer.Read(), "\"1\"");
  EXPECT_THAT(writer.Read(), StartsWith("-TIMEOUT The write was made"));
  EXPECT_EQ(writer.Read(), "+PONG");
  EXPECT_THAT(writer.Read(), StartsWith("-TIMEOUT The write was made"));
  replicas_[0].process().Signal(SIGCONT);
}

TEST_F(FreshnessTest, AWaitInVainNamesWhatIsMissingAndHoldsUpNobody) {
  RedisClient writer = primary_.Connect();
  ASSERT_EQ(writer.Do({"SET", "a", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(AwaitConvergence(primary_, {&replicas_[0]}));
  const std::string ahead = Moved(TokenOf(writer, true), 50);
  RedisClient waiter = replicas_[0].Connect();
  EXPECT_THAT(waiter.Do({"TIDE", "WAIT", ahead, "50"}).text,
              MatchesRegex("STALE 100 records are missing here, 50 of them of shard [01].*"));
  EXPECT_THAT(waiter.Do({"TIDE", "WAIT", ahead, "0"}).text, StartsWith("STALE "));

  std::thread patient([&] {
    EXPECT_EQ(RedisClient(replicas_[0].port()).Do({"TIDE", "WAIT", ahead, kLongMs}),
              Reply::Status("OK"));
  });
  RedisClient other = replicas_[0].Connect();
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return other.Do({"INFO", "stats"}).text.find("token_waiters:1\r") != std::string::npos;
  }));
  EXPECT_EQ(other.Do({"GET", "a"}), Reply::String("1"));
  // Whoever has gone waits no more.
  RespConnection leaver(replicas_[0].port());
  const std::string id = leaver.Do({"CLIENT", "ID"}).substr(1);
  leaver.Send("TIDE WAIT " + ahead + " 60000\r\n");
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return other.Do({"INFO", "stats"}).text.find("token_waiters:2\r") != std::string::npos;
  }));
  EXPECT_EQ(other.Do({"CLIENT", "KILL", "ID", id}), Reply::Integer(1));
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return other.Do({"INFO", "stats"}).text.find("token_waiters:1\r") != std::string::npos;
  }));
  for (int i = 0; i < 500; ++i) writer.Do({"SET", "key:" + std::to_string(i), "1"});
  patient.join();
}

TEST_F(FreshnessTest, WhatIsNoTokenOrOfAnotherHistoryNeverPasses) {
  RedisClient writer = primary_.Connect();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(writer.Do({"SET", "key:" + std::to_string(i), "1"}), Reply::Status("OK"));
  }
  ASSERT_TRUE(AwaitConvergence(primary_, {&replicas_[0], &replicas_[1]}));
  const std::string token = TokenOf(writer);
  for (const int port : {primary_.port(), replicas_[0].port(), replicas_[1].port()}) {
    RedisClient client(port);
    EXPECT_EQ(client.Do({"TIDE", "WAIT", token, kLongMs}), Reply::Status("OK"));
    EXPECT_THAT(client.Do({"TIDE", "WAIT", "x" + token, "10"}).text, StartsWith("BADTOKEN "));
    EXPECT_THAT(client.Do({"TIDE", "WAIT", Moved(token, 0, HistoryId(77)), "10"}).text,
                StartsWith("HISTORY "));
    EXPECT_EQ(client.Do({"TIDE", "TRACK", "TOKEN", Moved(token, 0, HistoryId(77))}),
              Reply::Status("OK"));
    ASSERT_TRUE(!client.Do({"CONFIG", "SET", "track_wait_ms", "20"}).is_error());
    // A pipeline waits once, not for each of its reads.
    for (int i = 0; i < 20; ++i) client.Queue({"GET", "key:1"});
    for (const Reply& reply : client.Flush()) EXPECT_THAT(reply.text, StartsWith("HISTORY "));
    EXPECT_EQ(client.Do({"PING"}), Reply::Status("PONG"));
    EXPECT_EQ(client.Do({"TIDE", "TRACK", "OFF"}), Reply::Status("OK"));
    EXPECT_EQ(client.Do({"GET", "key:1"}), Reply::String("1"));
  }
}

// A primary that is killed begins a child of its history: tokens from before the kill go on to hold
// at or below the fork, and never beyond it.
TEST(FreshnessAcrossHistoriesTest, ATokenOfTheParentPassesUpToTheForkOnly) {
  const Scratch scratch;
  Node primary = Node::Primary({"--shards=2", "--fsync=always", scratch.data_dir()});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=1", "--reconnect_backoff_max_ms=200"});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient before = primary.Connect();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(before.Do({"SET", "key:" + std::to_string(i), "1"}), Reply::Status("OK"));
  }
  const std::string token = TokenOf(before);
  const std::string beyond = Moved(token, 1);
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  primary.Kill();
  primary.Restart();
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient after = primary.Connect();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(after.Do({"SET", "key:" + std::to_string(i), "2"}), Reply::Status("OK"));
  }
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  // A replica that joins now has never been of the parent, and knows of it from its primary.
  Node late = Node::Replica(primary, {"--shards=2"});
  ASSERT_TRUE(late.AwaitReady());
  for (Node* node : {&primary, &replica, &late}) {
    RedisClient client = node->Connect();
    EXPECT_EQ(client.Do({"TIDE", "WAIT", token, "10"}), Reply::Status("OK"));
    EXPECT_THAT(client.Do({"TIDE", "WAIT", beyond, kLongMs}).text,
                MatchesRegex("HISTORY .*what it names was lost"))
        << "at once, although the numbers have long been reached";
  }
}

std::string ReadOf(RedisClient& client) { return client.Do({"GET", "a"}).text; }

TEST(StalenessTest, AReplicaWhosePrimaryStandsStillRefusesReadsUntilItIsCurrentAgain) {
  Node primary = Node::Primary({"--shards=2", "--heartbeat_interval_ms=50"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=1", "--max_staleness_ms=1500"});
  ASSERT_TRUE(replica.AwaitReady());
  ASSERT_EQ(primary.Connect().Do({"SET", "a", "1"}), Reply::Status("OK"));
  RedisClient reader = replica.Connect();
  ASSERT_TRUE(Eventually(kPatience, [&] { return ReadOf(reader) == "1"; }));

  primary.process().Signal(SIGSTOP);
  ASSERT_TRUE(Eventually(kPatience, [&] { return ReadOf(reader).starts_with("STALE "); }));
  EXPECT_THAT(ReadOf(reader), MatchesRegex("STALE this replica is [0-9]+ ms and 0 records behind "
                                           "its primary, more than 1500 ms"));
  EXPECT_EQ(reader.Do({"PING"}), Reply::Status("PONG"));
  EXPECT_THAT(reader.Do({"SET", "a", "2"}).text, StartsWith("READONLY"));
  EXPECT_THAT(reader.Do({"INFO", "stats"}).text, Not(HasSubstr("stale_reads_refused:0\r")));
  EXPECT_THAT(reader.Do({"TIDE", "METRICS"}).text, HasSubstr("tidemark_stale_reads_refused_total"));
  // The bound is live, and another connection's own is not weaker than the node's.
  ASSERT_EQ(reader.Do({"TIDE", "STALENESS", "3600000"}), Reply::Status("OK"));
  EXPECT_THAT(ReadOf(reader), StartsWith("STALE "));
  ASSERT_EQ(reader.Do({"CONFIG", "SET", "max_staleness_ms", "0"}), Reply::Status("OK"));
  EXPECT_EQ(ReadOf(reader), "1");
  ASSERT_EQ(reader.Do({"TIDE", "STALENESS", "1"}), Reply::Status("OK"));
  EXPECT_THAT(ReadOf(reader), StartsWith("STALE "));
  ASSERT_EQ(reader.Do({"RESET"}), Reply::Status("RESET"));
  EXPECT_EQ(ReadOf(reader), "1");
  ASSERT_EQ(reader.Do({"CONFIG", "SET", "max_staleness_ms", "1500"}), Reply::Status("OK"));

  primary.process().Signal(SIGCONT);
  EXPECT_TRUE(Eventually(kPatience, [&] { return ReadOf(reader) == "1"; }));
}

// Heartbeats prove that what nothing happens to is current.
TEST(StalenessTest, AReplicaOfAnIdlePrimaryStaysFresh) {
  Node primary = Node::Primary({"--shards=2", "--heartbeat_interval_ms=20"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=2"});
  ASSERT_TRUE(replica.AwaitReady());
  ASSERT_EQ(primary.Connect().Do({"SET", "a", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  RedisClient reader = replica.Connect();
  // Far more heartbeats than the bound spans, without a write.
  constexpr int64_t kBoundMs = 2'000;
  ASSERT_EQ(reader.Do({"TIDE", "STALENESS", std::to_string(kBoundMs), "1"}), Reply::Status("OK"));
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2 * kBoundMs);
  while (std::chrono::steady_clock::now() < end) ASSERT_EQ(ReadOf(reader), "1");
}

}  // namespace
}  // namespace tidemark::integration
