// A node whose data are several times its memory: everything that was written is read again, on it,
// on its replicas and after its end; and memory stays within its bound all the while.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "base/sanitizers.h"
#include "integration/harness/convergence.h"
#include "integration/harness/info.h"
#include "integration/harness/known_values.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"

namespace tidemark::integration {
namespace {

using testing::IsEmpty;

constexpr int64_t kMb = 1 << 20;
constexpr size_t kValueBytes = 1024;
constexpr int64_t kMaxmemory = 40 * kMb;
// Almost three times that, or just above it.
constexpr int64_t kKeys = Scaled<int64_t>(110'000, 50'000);

// docs/memory.md, "The limit": with a tier, what is on its way to its disk comes on top.
int64_t BoundOf(int64_t maxmemory) { return maxmemory * 11 / 10 + 32 * kMb + 2 * 16 * kMb; }

// Looks at a node's memory, and what it has done to keep within it, from a thread of its own.
class MemoryWatch {
 public:
  explicit MemoryWatch(int port) {
    thread_ = std::thread([this, port] {
      RedisClient client(port);
      while (!stop_.load()) {
        most_rss_ = std::max(most_rss_.load(), InfoNumber(client, "used_memory_rss"));
        std::this_thread::yield();
      }
    });
  }
  ~MemoryWatch() { Stop(); }
  void Stop() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
  }
  // Sanitizers keep memory for themselves.
  void StopAndExpectWithin(int64_t maxmemory) {
    Stop();
    EXPECT_GT(most_rss_.load(), 0);
    if (!kSanitized) {
      EXPECT_LE(most_rss_.load(), BoundOf(maxmemory));
    }
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> most_rss_{0};
  std::thread thread_;
};

// The directory of a node's tier, below one that the test has to itself.
struct TierDir {
  explicit TierDir(const char* name) : path(scratch.path() / name) {}
  // The flags of a node with this tier.
  Node::Flags Flags(const Node::Flags& more = {}, int64_t maxmemory = kMaxmemory) const {
    Node::Flags flags = {"--shards=2", "--maxmemory=" + std::to_string(maxmemory),
                         "--backlog_bytes=1mb", "--tier_dir=" + path.string(), "--tier_bytes=1gb"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }
  const Scratch scratch;
  const std::filesystem::path path;
};

const KnownValues kValues("k", kValueBytes);

TEST(TierTest, DataOfSeveralTimesMemoryAreAllThereUnderLoad) {
  const TierDir tier("tier");
  Node node = Node::Primary(tier.Flags());
  ASSERT_TRUE(node.AwaitReady());
  Node replica = Node::Replica(node, {"--shards=3"});
  ASSERT_TRUE(replica.AwaitReady());
  MemoryWatch watch(node.port());

  // What one has written, another reads meanwhile.
  std::atomic<int64_t> written{0};
  std::thread reader([&] {
    RedisClient client = node.Connect();
    for (int64_t read = 0; read < kKeys;) {
      const int64_t end = written.load();
      EXPECT_THAT(kValues.Wrong(client, 0, end, 41), IsEmpty());
      read = end;
    }
  });
  RedisClient client = node.Connect();
  for (int64_t begin = 0; begin < kKeys; begin += 5'000) {
    EXPECT_EQ(kValues.Write(client, begin, begin + 5'000), KnownValues::Answers{5'000});
    written.store(begin + 5'000);
  }
  reader.join();

  EXPECT_THAT(kValues.Wrong(client, 0, kKeys, 3), IsEmpty());
  EXPECT_EQ(client.Do({"DBSIZE"}), Reply::Integer(kKeys));
  EXPECT_EQ(InfoNumber(client, "evicted_keys"), 0);
  EXPECT_GT(InfoNumber(client, "tier_cold_keys"), kKeys / 10);
  EXPECT_GT(InfoNumber(client, "tier_hits_disk"), 0);
  watch.StopAndExpectWithin(kMaxmemory);
  EXPECT_TRUE(AwaitConvergence(node, {&replica}));
  RedisClient in_memory = replica.Connect();
  EXPECT_EQ(InfoNumber(in_memory, "tier_enabled"), 0);
}

TEST(TierTest, AReplicaWithLittleMemoryHoldsAllOfItsPrimarysDataOnItsOwnDisk) {
  const TierDir tier("tier");
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  ASSERT_EQ(kValues.Write(client, 0, kKeys / 2).refused(), 0);

  // Half of it comes with the full sync, half with the stream.
  Node replica = Node::Replica(primary, tier.Flags());
  ASSERT_TRUE(replica.AwaitReady());
  MemoryWatch watch(replica.port());
  ASSERT_EQ(kValues.Write(client, kKeys / 2, kKeys).refused(), 0);
  ASSERT_EQ(client.Do({"APPEND", kValues.Key(7), "more"}), Reply::Integer(kValueBytes + 4));
  ASSERT_EQ(client.Do({"DEL", kValues.Key(8)}), Reply::Integer(1));
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  watch.StopAndExpectWithin(kMaxmemory);

  RedisClient reader = replica.Connect();
  EXPECT_EQ(InfoNumber(reader, "evicted_keys"), 0);
  EXPECT_GT(InfoNumber(reader, "tier_cold_keys"), kKeys / 10);
  EXPECT_THAT(kValues.Wrong(reader, 9, kKeys, 13), IsEmpty());
  EXPECT_EQ(reader.Do({"SET", "a", "b"}).text.substr(0, 8), "READONLY");
}

TEST(TierTest, AFullSyncLargerThanMemoryIsTakenWithinIt) {
  const TierDir tier("tier");
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient client = primary.Connect();
  ASSERT_EQ(kValues.Write(client, 0, kKeys).refused(), 0);
  Node replica = Node::Replica(primary, tier.Flags());
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient reader = replica.Connect();
  if (!kSanitized) {
    EXPECT_LE(InfoNumber(reader, "used_memory_peak"), BoundOf(kMaxmemory));
  }
  EXPECT_GT(InfoNumber(reader, "tier_cold_keys"), kKeys / 10);
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  EXPECT_THAT(kValues.Wrong(reader, 0, kKeys, 13), IsEmpty());
}

TEST(TierTest, AKilledNodeHasAllOfItAgainThoughItsTierIsGone) {
  const TierDir tier("tier");
  // What waits for the log counts as well, and no tier makes room for that.
  constexpr int64_t kWithLog = kMaxmemory + Scaled<int64_t>(24, 0) * kMb;
  Node node = Node::Primary(tier.Flags({tier.scratch.data_dir()}, kWithLog));
  ASSERT_TRUE(node.AwaitReady());
  {
    RedisClient client = node.Connect();
    const KnownValues::Answers written = kValues.Write(client, 0, kKeys);
    ASSERT_EQ(written.refused(), 0) << testing::PrintToString(written);
    ASSERT_EQ(client.Do({"BGSAVE"}).is_error(), false);
    // Both shards' logs have reached the disk once these are answered, and all before them.
    ASSERT_EQ(client.Do({"TIDE", "ACK", "durable"}), Reply::Status("OK"));
    ASSERT_EQ(kValues.Write(client, 0, 20).refused(), 0);
    ASSERT_EQ(client.Do({"DEL", kValues.Key(3)}), Reply::Integer(1));
  }
  node.Kill();
  std::filesystem::remove_all(tier.path);
  node.Restart();
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  // Before a client reads: loading kept to the limit, but for what was on its way.
  EXPECT_LE(InfoNumber(client, "memory_entries_bytes"), kWithLog * 3 / 2);
  EXPECT_GT(InfoNumber(client, "tier_cold_keys"), kKeys / 20);
  EXPECT_EQ(client.Do({"DBSIZE"}), Reply::Integer(kKeys - 1));
  EXPECT_THAT(kValues.Wrong(client, 4, kKeys, 3), IsEmpty());
  EXPECT_EQ(InfoNumber(client, "evicted_keys"), 0);
}

}  // namespace
}  // namespace tidemark::integration
