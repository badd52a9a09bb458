// A node at its memory limit: what it holds, what it answers, what its replicas hold, and what the
// kernel says it takes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/sanitizers.h"
#include "integration/harness/convergence.h"
#include "integration/harness/eventually.h"
#include "integration/harness/info.h"
#include "integration/harness/node.h"

namespace tidemark::integration {
namespace {

constexpr int64_t kMb = 1 << 20;
const std::string kOom = "OOM command not allowed when used memory > 'maxmemory'.";

// Writes new keys in pipelines; counts the answers that are OK and those that are not.
class Filler {
 public:
  explicit Filler(RedisClient& client) : client_(client) {}

  void Fill(int64_t bytes, size_t value_bytes) {
    constexpr int kPipeline = 100;
    const std::string value(value_bytes, 'v');
    for (int64_t done = 0; done < bytes; done += static_cast<int64_t>(value_bytes) * kPipeline) {
      for (int i = 0; i < kPipeline; ++i) {
        client_.Queue({"SET", fmt::format("fill:{}", next_++), value});
      }
      for (const Reply& reply : client_.Flush()) {
        if (reply == Reply::Status("OK")) {
          ++taken;
        } else if (reply == Reply::Error(kOom)) {
          ++refused;
        } else {
          FAIL() << testing::PrintToString(reply);
        }
      }
      if (++pipelines_ % 8 == 0) {
        most_rss = std::max(most_rss, InfoNumber(client_, "used_memory_rss"));
      }
    }
  }

  int64_t taken = 0;
  int64_t refused = 0;
  int64_t most_rss = 0;

 private:
  RedisClient& client_;
  int next_ = 0;
  int pipelines_ = 0;
};

// docs/memory.md, "The limit".
int64_t BoundOf(int64_t maxmemory) { return maxmemory * 11 / 10 + 32 * kMb; }
// Sanitizers keep memory for themselves.
void ExpectWithinLimit(int64_t maxmemory, int64_t most_rss) {
  if (kSanitized) return;
  EXPECT_LE(most_rss, BoundOf(maxmemory));
}

TEST(EvictionTest, ResidentMemoryStaysWithinItsBoundHoweverMuchIsWritten) {
  Node node = Node::Primary({"--shards=2", "--maxmemory=64mb", "--backlog_bytes=4mb"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  Filler filler(client);
  filler.Fill(130 * kMb, 1024);
  filler.Fill(20 * kMb, 200);
  EXPECT_EQ(filler.refused, 0);
  EXPECT_GT(InfoNumber(client, "evicted_keys"), 60'000);
  EXPECT_GT(InfoNumber(client, "used_memory_dataset"), 30 * kMb);
  ExpectWithinLimit(64 * kMb, filler.most_rss);
  // Pages that a few small values hold are of no use for large ones: it may take a moment.
  filler.Fill(80 * kMb, 20'000);
  EXPECT_EQ(filler.refused, 0);
  EXPECT_TRUE(kSanitized || Eventually(kPatience, [&] {
                return InfoNumber(client, "used_memory_rss") <= BoundOf(64 * kMb);
              }));
  EXPECT_EQ(InfoField(client, "maxmemory"), std::to_string(64 * kMb));
  EXPECT_EQ(InfoField(client, "maxmemory_policy"), "allkeys-tinylfu");
  EXPECT_EQ(InfoField(client, "maxmemory_human"), "64.00M");
}

TEST(EvictionTest, NoEvictionRefusesWritesThatNeedMemoryAndNothingElse) {
  Node node = Node::Primary(
      {"--shards=2", "--maxmemory=40mb", "--backlog_bytes=4mb", "--maxmemory_policy=noeviction"});
  ASSERT_TRUE(node.AwaitReady());
  Node replica = Node::Replica(node, {"--shards=2"});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient client = node.Connect();
  Filler filler(client);
  filler.Fill(80 * kMb, 1024);
  EXPECT_GT(filler.refused, 10'000);
  EXPECT_EQ(InfoNumber(client, "evicted_keys"), 0);
  EXPECT_EQ(InfoNumber(client, "writes_refused_oom"), filler.refused);
  ExpectWithinLimit(40 * kMb, filler.most_rss);

  EXPECT_EQ(client.Do({"APPEND", "fill:1", "x"}), Reply::Error(kOom));
  EXPECT_EQ(client.Do({"MSET", "a", "1", "b", "2", "c", "3"}), Reply::Error(kOom));
  EXPECT_EQ(client.Do({"STRLEN", "fill:1"}), Reply::Integer(1024));
  EXPECT_EQ(client.Do({"CONFIG", "SET", "timeout", "0"}), Reply::Status("OK"));
  EXPECT_EQ(client.Do({"DEL", "fill:0"}), Reply::Integer(1));
  EXPECT_TRUE(AwaitConvergence(node, {&replica}));

  ASSERT_EQ(client.Do({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"}), Reply::Status("OK"));
  const int64_t refused = filler.refused;
  filler.Fill(10 * kMb, 1024);
  EXPECT_EQ(filler.refused, refused);
  EXPECT_GT(InfoNumber(client, "evicted_keys"), 1'000);
}

TEST(EvictionTest, AReplicaHoldsWhatItsPrimaryDoesWhateverItsOwnLimit) {
  Node primary = Node::Primary(
      {"--shards=2", "--maxmemory=40mb", "--backlog_bytes=4mb", "--maxmemory_policy=allkeys-lru"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica =
      Node::Replica(primary, {"--shards=3", "--maxmemory=5mb", "--maxmemory_policy=allkeys-lru"});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient client = primary.Connect();
  Filler filler(client);
  filler.Fill(80 * kMb, 1024);
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  RedisClient reader = replica.Connect();
  EXPECT_GT(InfoNumber(client, "evicted_keys"), 30'000);
  EXPECT_EQ(InfoNumber(reader, "evicted_keys"), 0);
  // Between its turns the primary may still make room as buffers come and go.
  EXPECT_TRUE(
      Eventually(kPatience, [&] { return client.Do({"DBSIZE"}) == reader.Do({"DBSIZE"}); }));
}

TEST(EvictionTest, ALimitSetWhileRunningIsReached) {
  Node node = Node::Primary({"--shards=2", "--backlog_bytes=4mb"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  Filler filler(client);
  filler.Fill(60 * kMb, 1024);
  ASSERT_EQ(InfoNumber(client, "evicted_keys"), 0);
  ASSERT_EQ(client.Do({"CONFIG", "SET", "maxmemory", "40mb"}), Reply::Status("OK"));
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return InfoNumber(client, "used_memory_dataset") <= 40 * kMb &&
           InfoNumber(client, "evicted_keys") > 0;
  }));
  ASSERT_EQ(client.Do({"CONFIG", "SET", "maxmemory", "0"}), Reply::Status("OK"));
  const int64_t evicted = InfoNumber(client, "evicted_keys");
  filler.Fill(20 * kMb, 1024);
  EXPECT_EQ(InfoNumber(client, "evicted_keys"), evicted);
}

}  // namespace
}  // namespace tidemark::integration
