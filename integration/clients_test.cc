// Clients that others wrote, against a primary and, where they only read, its replica.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "integration/harness/node.h"
#include "integration/harness/process.h"

namespace tidemark::integration {
namespace {

using testing::HasSubstr;
using testing::Optional;

class ClientsTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { ASSERT_TRUE(primary_.AwaitReady()); }

  // Runs a program to its end and gives its output; any status but 0 fails the test.
  static std::string Run(const std::vector<std::string>& command) {
    Process process(command);
    EXPECT_THAT(process.WaitExit(kPatience), Optional(ExitedWith(0)))
        << process.Output() << process.Errors();
    return process.Output();
  }
  std::string Port() const { return std::to_string(primary_.port()); }
  std::string RedisCli(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"redis-cli", "-p", Port()});
    return Run(arguments);
  }

  Node primary_ = Node::Primary({"--shards=" + std::to_string(GetParam())});
};

TEST_P(ClientsTest, HiredisPipelinesAcrossShards) {
  RedisClient client = primary_.Connect();
  constexpr int kCommands = 20'000;
  for (int i = 0; i < kCommands; ++i) {
    client.Queue({"SET", "key:" + std::to_string(i), std::to_string(i)});
    client.Queue({"GET", "key:" + std::to_string(i)});
  }
  const std::vector<Reply> replies = client.Flush();
  for (int i = 0; i < kCommands; ++i) {
    ASSERT_EQ(replies[2 * i], Reply::Status("OK"));
    ASSERT_EQ(replies[2 * i + 1], Reply::String(std::to_string(i)));
  }
}

TEST_P(ClientsTest, HiredisMovesLargeValues) {
  RedisClient client = primary_.Connect();
  for (size_t size : {size_t{1}, size_t{16} << 10, (size_t{16} << 10) + 1, size_t{64} << 20}) {
    std::string value(size, 'v');
    value.back() = '\0';
    ASSERT_EQ(client.Do({"SET", "large", value}), Reply::Status("OK"));
    ASSERT_TRUE(client.Do({"GET", "large"}) == Reply::String(value)) << size;
  }
}

TEST_P(ClientsTest, RedisCliSpeaksBothProtocols) {
  EXPECT_EQ(RedisCli({"SET", "key", "a value"}), "OK\n");
  EXPECT_EQ(RedisCli({"GET", "key"}), "a value\n");
  EXPECT_EQ(RedisCli({"-3", "GET", "key"}), "a value\n");
  EXPECT_THAT(RedisCli({"-3", "HELLO", "3"}), HasSubstr("proto 3"));
  EXPECT_THAT(RedisCli({"INFO"}), HasSubstr("redis_version:"));
  EXPECT_THAT(RedisCli({"GET"}), HasSubstr("ERR wrong number of arguments"));
}

TEST_P(ClientsTest, RedisCliPipesAMillionBytesOfCommandsIn) {
  const std::string path = testing::TempDir() + "commands.txt";
  std::ofstream commands(path);
  for (int i = 0; i < 30'000; ++i) commands << "SET key:" << i << " value:" << i << "\r\n";
  commands.close();
  const std::string output = Run({"sh", "-c", "redis-cli -p " + Port() + " --pipe < " + path});
  EXPECT_THAT(output, HasSubstr("errors: 0, replies: 30000"));
  EXPECT_EQ(RedisCli({"DBSIZE"}), "30000\n");
}

TEST_P(ClientsTest, RedisCliWalksTheKeys) {
  RedisClient client = primary_.Connect();
  for (int i = 0; i < 1000; ++i) client.Queue({"SET", "key:" + std::to_string(i), "v"});
  client.Flush();
  const std::string keys = RedisCli({"--scan", "--pattern", "key:*"});
  EXPECT_EQ(std::count(keys.begin(), keys.end(), '\n'), 1000);
  EXPECT_THAT(RedisCli({"--bigkeys"}), HasSubstr("Sampled 1000 keys"));
}

TEST_P(ClientsTest, RedisBenchmarkRunsToItsEnd) {
  for (const char* pipeline : {"1", "16"}) {
    const std::string output =
        Run({"redis-benchmark", "-p", Port(), "-t", "ping,set,get,incr,mset", "-n", "20000", "-c",
             "50", "-P", pipeline, "-r", "10000", "-q"});
    for (const char* test : {"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"}) {
      EXPECT_THAT(output, HasSubstr(std::string(test) + ":"));
    }
  }
}

TEST_P(ClientsTest, RedisBenchmarkWithThreadsRunsToItsEnd) {
  EXPECT_THAT(Run({"redis-benchmark", "-p", Port(), "-t", "set,get", "-n", "20000", "--threads",
                   "2", "-q"}),
              HasSubstr("GET:"));
}

TEST_P(ClientsTest, RedisCliReadsFromAReplica) {
  EXPECT_EQ(RedisCli({"SET", "key", "value"}), "OK\n");
  Node replica = Node::Replica(primary_, {"--shards=1"});
  ASSERT_TRUE(replica.AwaitReady());
  const std::string port = std::to_string(replica.port());
  EXPECT_EQ(Run({"redis-cli", "-p", port, "GET", "key"}), "value\n");
  EXPECT_THAT(Run({"redis-cli", "-p", port, "SET", "key", "other"}), HasSubstr("READONLY"));
  EXPECT_THAT(Run({"redis-cli", "-p", port, "ROLE"}), HasSubstr("slave"));
}

// The scripts say what is wrong on stderr, which the harness shows on failure. Their packages are
// installed by `npm ci` in integration/node, which tools/test does.
TEST_P(ClientsTest, NodeRedisSpeaksBothProtocols) {
  Run({"node", Runfile("integration/node/redis_client.mjs"), Port()});
}

TEST_P(ClientsTest, IoredisPipelines) {
  Run({"node", Runfile("integration/node/ioredis_client.mjs"), Port()});
}

INSTANTIATE_TEST_SUITE_P(Shards, ClientsTest, testing::Values(1, 2),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace tidemark::integration
