// A node whose tier's disk is slow, full, damaged or gone: what it answers meanwhile, and that it
// mends itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/sanitizers.h"
#include "integration/harness/convergence.h"
#include "integration/harness/info.h"
#include "integration/harness/known_values.h"
#include "integration/harness/node.h"
#include "integration/harness/scratch.h"

namespace tidemark::integration {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;

constexpr int64_t kMb = 1 << 20;
const std::string kOom = "OOM command not allowed when used memory > 'maxmemory'.";
const KnownValues kValues("k", 1024);
// What memory alone would never hold.
constexpr int64_t kMany = Scaled<int64_t>(100'000, 60'000);
// A little more than memory holds.
constexpr int64_t kSome = 50'000;

// A node of 40 MB that deletes nothing, on a disk whose faults are switched by files.
class TierFailureTest : public testing::Test {
 protected:
  TierFailureTest() { std::filesystem::create_directory(faults_); }

  Node Start(const Node::Flags& more) {
    Node::Flags flags = {"--shards=2", "--maxmemory=40mb", "--maxmemory_policy=noeviction",
                         "--backlog_bytes=1mb", "--tier_dir=" + tier_.string()};
    flags.insert(flags.end(), more.begin(), more.end());
    return Node::CrashingPrimary(flags, {"DISK_FAULTS=" + faults_.string()});
  }
  void Switch(const char* fault, bool on) {
    on ? std::ofstream(faults_ / fault).close()
       : static_cast<void>(std::filesystem::remove(faults_ / fault));
  }

  const Scratch scratch_;
  const std::filesystem::path tier_ = scratch_.path() / "tier";
  const std::filesystem::path faults_ = scratch_.path() / "faults";
};

TEST_F(TierFailureTest, WritesWaitForASlowDiskAndNoneIsRefused) {
  Node node = Start({"--write_stall_ms=600000"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  ASSERT_EQ(kValues.Write(client, 0, 100).refused(), 0);
  Switch("stalled", true);
  KnownValues::Answers answers;
  std::thread writer([&] {
    RedisClient own = node.Connect();
    answers = kValues.Write(own, 100, kMany);
  });
  // One on each side of the mesh, wherever connections came to be.
  std::vector<RedisClient> others;
  for (int i = 0; i < 4; ++i) others.push_back(node.Connect());
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return InfoField(client, "pressure_cause") == "tier_writes" &&
           InfoNumber(client, "writes_delayed_by_tier") > 0;
  }));
  const int64_t keys = client.Do({"DBSIZE"}).integer;
  EXPECT_LT(keys, kMany);
  for (RedisClient& other : others) {
    EXPECT_THAT(kValues.Wrong(other, 10, 40), IsEmpty()) << "reads go on";
  }
  EXPECT_EQ(client.Do({"DEL", kValues.Key(0), kValues.Key(1), kValues.Key(2)}), Reply::Integer(3))
      << "and deletes";
  EXPECT_EQ(client.Do({"EXPIRE", kValues.Key(10), "1000"}), Reply::Integer(1));
  Switch("stalled", false);
  writer.join();
  EXPECT_EQ(answers, KnownValues::Answers{kMany - 100});
  EXPECT_EQ(client.Do({"DBSIZE"}), Reply::Integer(kMany - 3));
  EXPECT_EQ(InfoNumber(client, "writes_refused_oom"), 0);
  EXPECT_EQ(InfoNumber(client, "evicted_keys"), 0);
  EXPECT_THAT(kValues.Wrong(client, 3, kMany, 17), IsEmpty());
  EXPECT_TRUE(
      Eventually(kPatience, [&] { return InfoField(client, "pressure_state") == "normal"; }));
}

// The log's share of memory must leave the keys theirs: else the tier has all that it may have, and
// nobody is waited for.
TEST_F(TierFailureTest, WithALogWritesWaitForRoomAndNoneIsRefused) {
  constexpr int64_t kKeys = Scaled<int64_t>(200'000, 60'000);
  Node node = Start({scratch_.data_dir(), "--fsync=interval", "--write_stall_ms=600000"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  EXPECT_EQ(kValues.Write(client, 0, kKeys), KnownValues::Answers{kKeys});
  EXPECT_THAT(kValues.Wrong(client, 0, kKeys, 97), IsEmpty());
}

TEST_F(TierFailureTest, ADiskThatStandsStillIsNotWaitedForForEver) {
  Node node = Start({"--write_stall_ms=200"});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  Switch("stalled", true);
  const KnownValues::Answers answers = kValues.Write(client, 0, kMany);
  EXPECT_GT(answers.ok, 10'000);
  EXPECT_GT(answers.refused(), 1'000);
  EXPECT_THAT(answers.errors, ElementsAre(Pair(kOom, answers.refused())));
  EXPECT_THAT(kValues.Wrong(client, 0, 1'000), IsEmpty());
  Switch("stalled", false);
  EXPECT_TRUE(Eventually(
      kPatience, [&] { return kValues.Write(client, kMany - 1'000, kMany).refused() == 0; }));
}

TEST_F(TierFailureTest, AFullTierRefusesWritesThatNeedMemoryAndNothingElse) {
  Node node = Start({"--tier_bytes=16mb"});
  ASSERT_TRUE(node.AwaitReady());
  Node replica = Node::Replica(node, {"--shards=2"});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient client = node.Connect();
  const KnownValues::Answers answers = kValues.Write(client, 0, kMany);
  EXPECT_GT(answers.refused(), 10'000);
  EXPECT_THAT(answers.errors, ElementsAre(Pair(kOom, answers.refused())));
  EXPECT_GT(InfoNumber(client, "tier_cold_keys"), 5'000);
  EXPECT_EQ(InfoNumber(client, "evicted_keys"), 0);

  // It does not grow, however often it is asked.
  const int64_t keys = client.Do({"DBSIZE"}).integer;
  EXPECT_GT(keys, 10'000);
  for (int i = 0; i < 3; ++i) kValues.Write(client, kMany, kMany + 10'000);
  EXPECT_LE(client.Do({"DBSIZE"}).integer, keys + keys / 20);
  if (!kSanitized) {
    // docs/memory.md, "The limit"; what is on its way to disk comes on top.
    EXPECT_LE(InfoNumber(client, "used_memory_peak"), 40 * kMb * 11 / 10 + 64 * kMb);
  }
  EXPECT_THAT(kValues.Wrong(client, 0, 1'000), IsEmpty());
  EXPECT_TRUE(AwaitConvergence(node, {&replica}));
  // What is deleted makes room.
  for (int64_t i = 0; i < 5'000; ++i) client.Queue({"DEL", kValues.Key(i)});
  for (const Reply& reply : client.Flush()) EXPECT_EQ(reply, Reply::Integer(1));
  EXPECT_TRUE(
      Eventually(kPatience, [&] { return kValues.Write(client, 0, 1'000).refused() == 0; }));
  EXPECT_THAT(kValues.Wrong(client, 0, 1'000), IsEmpty());
  EXPECT_TRUE(AwaitConvergence(node, {&replica}));
}

TEST_F(TierFailureTest, ADiskThatFailsKeepsValuesInMemoryUntilItWorksAgain) {
  Node node = Start({});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  ASSERT_EQ(kValues.Write(client, 0, kSome), KnownValues::Answers{kSome});
  ASSERT_GT(InfoNumber(client, "tier_cold_keys"), 0);
  Switch("eio", true);
  const KnownValues::Answers answers = kValues.Write(client, kSome, 2 * kMany);
  EXPECT_GT(answers.refused(), 0);
  EXPECT_THAT(answers.errors, ElementsAre(Pair(kOom, answers.refused())));
  EXPECT_GT(InfoNumber(client, "tier_write_errors"), 0);
  EXPECT_THAT(kValues.Wrong(client, 0, kSome, 7), IsEmpty()) << "what was written is there";
  Switch("eio", false);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return kValues.Write(client, 2 * kMany - 1'000, 2 * kMany).refused() == 0;
  }));
}

TEST_F(TierFailureTest, ADamagedValueIsAnErrorOfItsKeyAlone) {
  Node node = Start({});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  ASSERT_EQ(kValues.Write(client, 0, kMany), KnownValues::Answers{kMany});
  std::vector<std::filesystem::path> segments;
  for (const auto& file : std::filesystem::directory_iterator(tier_)) {
    if (file.path().extension() == ".seg") segments.push_back(file.path());
  }
  ASSERT_FALSE(segments.empty());
  {
    std::fstream first(*std::min_element(segments.begin(), segments.end()),
                       std::ios::in | std::ios::out | std::ios::binary);
    first.seekg(100'000);
    const char byte = static_cast<char>(first.get());
    first.seekp(100'000);
    first.put(static_cast<char>(byte ^ 0x20));
    ASSERT_TRUE(first.flush().good());
  }
  const std::vector<KnownValues::Finding> wrong = kValues.Wrong(client, 0, kMany);
  ASSERT_EQ(wrong.size(), 1u) << testing::PrintToString(wrong);
  EXPECT_THAT(wrong[0].reply.text,
              StartsWith("TIER the value of this key cannot be read from disk"));
  const int64_t damaged = wrong[0].number;
  EXPECT_GT(InfoNumber(client, "tier_damaged"), 0);
  // What does not need the value works, and to overwrite it mends it.
  EXPECT_EQ(client.Do({"STRLEN", kValues.Key(damaged)}), Reply::Integer(1024));
  ASSERT_EQ(kValues.Write(client, damaged, damaged + 1).refused(), 0);
  EXPECT_THAT(kValues.Wrong(client, damaged, damaged + 1), IsEmpty());
  EXPECT_EQ(client.Do({"PING"}), Reply::Status("PONG"));
}

TEST_F(TierFailureTest, ADirectoryThatIsRemovedWhileTheNodeRunsLosesNothing) {
  Node node = Start({});
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  ASSERT_EQ(kValues.Write(client, 0, kMany / 2), KnownValues::Answers{kMany / 2});
  std::filesystem::remove_all(tier_);
  EXPECT_THAT(kValues.Wrong(client, 0, kMany / 2, 3), IsEmpty());
  EXPECT_EQ(kValues.Write(client, kMany / 2, kMany).refused(), 0);
  EXPECT_THAT(kValues.Wrong(client, 0, kMany, 7), IsEmpty());
}

}  // namespace
}  // namespace tidemark::integration
