// A primary that dies at every place that was thought of, and at random ones, keeps what it
// promised: under each fsync policy, on one shard and two, while several connections write all
// kinds of commands, segments are small and snapshots frequent.
//
// KILLS=200 in the environment makes the random part longer.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/sanitizers.h"
#include "integration/harness/node.h"
#include "integration/harness/owned_load.h"
#include "integration/harness/scratch.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

struct Policy {
  std::string fsync;
  int shards = 1;
};

std::vector<Policy> Policies() {
  std::vector<Policy> all;
  for (const char* fsync : {"always", "interval", "never"}) {
    for (const int shards : {1, 2}) all.push_back({fsync, shards});
  }
  return all;
}

// A node, its directory and who writes to it.
class Victim {
 public:
  Victim(const Policy& policy, uint64_t seed, std::vector<std::string> environment = {})
      : load_({.shards = policy.shards, .keeps_replied = policy.fsync == "always", .seed = seed}),
        node_(Node::CrashingPrimary(
            {scratch_.data_dir(), "--fsync=" + policy.fsync, "--fsync_interval_ms=10",
             "--segment_bytes=64kb", "--snapshot_every_s=1", "--snapshot_min_writes=1",
             fmt::format("--shards={}", policy.shards)},
            std::move(environment))) {}

  Node& node() { return node_; }

  // Starts it with what is to happen to it. False if that has happened before it was ready.
  bool Restart(std::vector<std::string> environment) {
    node_.set_environment(std::move(environment));
    node_.Restart();
    return node_.AwaitReadyOrKilled();
  }
  // Restarts it unharmed; what it holds must be right.
  void RestartAndCheck() {
    ASSERT_TRUE(Restart({}));
    ASSERT_EQ(load_.Check(node_.port()), "");
  }
  void Write(int64_t commands) { ASSERT_EQ(load_.Run(node_.port(), commands), ""); }
  // Writes until it dies by its own hand; returns whether it has.
  bool WriteUntilKilled(int64_t commands) {
    EXPECT_EQ(load_.Run(node_.port(), commands), "");
    if (load_.replied() >= commands) return false;
    // Its connections end a moment before its process does.
    return node_.process().WaitExit(kPatience) == KilledBy(SIGKILL);
  }
  // Has it take a snapshot, and prune; returns whether it has died of that. The schedule's come
  // once a second, and a life may be shorter; one of them that is under way is waited for.
  bool SaveUntilKilled() {
    RedisClient client = node_.Connect();
    Reply reply;
    EXPECT_TRUE(Eventually(kPatience, [&] {
      reply = client.Do({"SAVE"});
      return reply.type != Reply::Type::kError || !reply.text.ends_with("already in progress");
    }));
    if (reply.type != Reply::Type::kLost) return false;
    return node_.process().WaitExit(kPatience) == KilledBy(SIGKILL);
  }
  // Kills it when about so many commands were replied.
  void WriteAndKill(int64_t commands) {
    std::atomic<bool> killed{false};
    const std::string fault = load_.Run(node_.port(), commands + 10'000, [&](int64_t replied) {
      if (replied >= commands && !killed.exchange(true)) node_.process().Signal(SIGKILL);
    });
    ASSERT_EQ(fault, "");
    ASSERT_TRUE(killed) << "the node ended by itself";
    ASSERT_EQ(node_.process().WaitExit(kPatience), KilledBy(SIGKILL));
  }
  OwnedLoad& load() { return load_; }

 private:
  Scratch scratch_;
  OwnedLoad load_;
  Node node_;
};

struct PointCase {
  std::string point;
  Policy policy;
};
void PrintTo(const PointCase& c, std::ostream* out) {
  *out << c.point << " " << c.policy.fsync << " " << c.policy.shards;
}

class CrashPointTest : public testing::TestWithParam<PointCase> {};

// Some are not passed in every life: a segment without a frame needs no mending, a snapshot is
// pruned only once there are enough.
constexpr int kMostLives = 12;

// Thrice: while the directory is made, or at the first chance after that; while it is loaded, after
// an unclean end; and at a later passing. In between it lives, writes and is killed without
// warning.
TEST_P(CrashPointTest, NothingThatWasPromisedIsLost) {
  const auto& [point, policy] = GetParam();
  const auto crash_at = [&at = point](int passing) -> std::vector<std::string> {
    return {fmt::format("CRASH_AT={}:{}", at, passing)};
  };
  Victim victim(policy, 1, crash_at(1));
  int died = 0;
  bool ready = victim.node().AwaitReadyOrKilled();
  for (int life = 0; life < 3 || (died == 0 && life < kMostLives); ++life) {
    SCOPED_TRACE(fmt::format("in life {}", life));
    if (ready) {
      const std::string fault = victim.load().Check(victim.node().port());
      ASSERT_TRUE(fault.empty() || fault.starts_with("lost")) << fault;
      ready = !victim.WriteUntilKilled(5'000) && !victim.SaveUntilKilled();
      if (ready) victim.node().Kill();
    }
    died += ready ? 0 : 1;
    ASSERT_NO_FATAL_FAILURE(victim.RestartAndCheck());
    ASSERT_NO_FATAL_FAILURE(victim.WriteAndKill(200));
    ready = victim.Restart(crash_at(life == 1 ? 6 : 1));
  }
  if (ready) victim.node().Kill();
  ASSERT_NO_FATAL_FAILURE(victim.RestartAndCheck());
  EXPECT_GT(died, 0) << "the point was never passed";
}

// A sanitizer makes every life several times as long; it then sees each point once, under the
// policy and the number of shards that promise the most.
bool IsWorthIt(const Policy& policy) {
  return !kSanitized || (policy.fsync == "always" && policy.shards == 2);
}

// Every name that the tree passes to CrashPoint(), and the disk's own.
std::vector<PointCase> PointCases() {
  std::vector<PointCase> cases;
  for (const char* point : {"disk.write_torn",        "log.batch_gathered",
                            "log.batch_written",      "log.synced",
                            "segment.footer_written", "segment.truncated",
                            "segment.sealed",         "segment.allocated",
                            "segment.header_written", "segment.header_synced",
                            "segment.created",        "whole_file.written",
                            "whole_file.synced",      "whole_file.renamed",
                            "manifest.saved",         "snapshot.chunk_written",
                            "snapshot.files_synced",  "snapshot.manifest_written",
                            "snapshot.renamed",       "prune.snapshot_renamed",
                            "prune.snapshot_removed", "prune.segment_removed",
                            "recovery.tear_cut",      "recovery.sealed"}) {
    for (const Policy& policy : Policies()) {
      if (IsWorthIt(policy)) cases.push_back({point, policy});
    }
  }
  return cases;
}
std::string PointName(const testing::TestParamInfo<PointCase>& info) {
  std::string name =
      fmt::format("{}_{}{}", info.param.point, info.param.policy.fsync, info.param.policy.shards);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, CrashPointTest, testing::ValuesIn(PointCases()), PointName);

class RandomKillTest : public testing::TestWithParam<Policy> {};

TEST_P(RandomKillTest, NothingThatWasPromisedIsLost) {
  const char* wanted = std::getenv("KILLS");
  const int kills = (wanted != nullptr ? std::atoi(wanted) : Scaled(42, 12)) / 6;
  std::mt19937_64 random(7);
  Victim victim(GetParam(), 2);
  ASSERT_TRUE(victim.node().AwaitReady());
  for (int kill = 0; kill < kills; ++kill) {
    SCOPED_TRACE(fmt::format("kill {}", kill));
    ASSERT_NO_FATAL_FAILURE(victim.WriteAndKill(static_cast<int64_t>(random() % 1'500)));
    ASSERT_NO_FATAL_FAILURE(victim.RestartAndCheck());
  }
}

TEST_P(RandomKillTest, ACleanStopAfterKillsKeepsAll) {
  Victim victim(GetParam(), 3);
  ASSERT_TRUE(victim.node().AwaitReady());
  ASSERT_NO_FATAL_FAILURE(victim.WriteAndKill(300));
  ASSERT_NO_FATAL_FAILURE(victim.RestartAndCheck());
  ASSERT_NO_FATAL_FAILURE(victim.Write(300));
  RedisClient client = victim.node().Connect();
  // The keys that live for milliseconds are gone when nobody can find one, and when what nobody
  // finds is not counted any more either: until then their deletions are still to come.
  ASSERT_TRUE(Eventually(kPatience, [&] {
    const Reply brief = client.Do({"KEYS", "*:brief"});
    const Reply keys = client.Do({"KEYS", "*"});
    return brief.type == Reply::Type::kArray && brief.elements.empty() &&
           client.Do({"DBSIZE"}) == Reply::Integer(static_cast<int64_t>(keys.elements.size()));
  }));
  const absl::StatusOr<DigestReport> before = Digest(client);
  ASSERT_TRUE(before.ok()) << before.status();
  victim.node().Stop();
  ASSERT_TRUE(victim.Restart({}));
  RedisClient again = victim.node().Connect();
  const absl::StatusOr<DigestReport> after = Digest(again);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(*before, *after);
  EXPECT_EQ(victim.load().Check(victim.node().port()), "");
}

// With another policy than `always` replies run ahead of the disk. What the log says of where it
// stands is exactly what is there: who knows what was acknowledged can count what is missing.
TEST(MissingRecordsTest, TheLogSaysUpToWhereAllIsThere) {
  const Scratch scratch;
  // It dies with some batches gathered from the shard, and nothing of the last one written.
  Node node = Node::CrashingPrimary({scratch.data_dir(), "--fsync=interval", "--shards=1"},
                                    {"CRASH_AT=log.batch_gathered:20"});
  ASSERT_TRUE(node.AwaitReady());
  int64_t sent = 0;
  int64_t acknowledged = 0;
  {
    RedisClient client = node.Connect();
    for (bool lost = false; !lost;) {
      // One record each, so that the number of a key is its sequence.
      for (int i = 0; i < 50; ++i) client.Queue({"SET", fmt::format("n:{}", ++sent), "v"});
      for (const Reply& reply : client.Flush()) {
        lost = lost || reply.type == Reply::Type::kLost;
        if (reply == Reply::Status("OK")) ++acknowledged;
      }
    }
  }
  ASSERT_EQ(node.process().WaitExit(kPatience), KilledBy(SIGKILL));
  node.set_environment({});
  node.Restart();
  ASSERT_TRUE(node.AwaitReady());
  RedisClient client = node.Connect();
  const absl::StatusOr<WatermarksReport> marks = Watermarks(client);
  ASSERT_TRUE(marks.ok()) << marks.status();
  const int64_t there = marks->assigned[0];
  EXPECT_THAT(node.process().Errors(), testing::HasSubstr(fmt::format("up to {} by shard", there)));
  for (int64_t n = 1; n <= sent; ++n) {
    ASSERT_EQ(client.Do({"EXISTS", fmt::format("n:{}", n)}), Reply::Integer(n <= there ? 1 : 0))
        << n << " of " << sent << ", " << acknowledged << " acknowledged";
  }
  EXPECT_EQ(client.Do({"DBSIZE"}), Reply::Integer(there));
  EXPECT_LE(there, sent);
}

INSTANTIATE_TEST_SUITE_P(All, RandomKillTest, testing::ValuesIn(Policies()), [](const auto& info) {
  return info.param.fsync + std::to_string(info.param.shards);
});

}  // namespace
}  // namespace tidemark::integration
