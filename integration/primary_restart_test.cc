// A primary that goes away: what its replicas keep, and how they follow it when it is back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <string>
#include <thread>

#include "integration/harness/convergence.h"
#include "integration/harness/mixed_load.h"
#include "integration/harness/node.h"
#include "integration/harness/tide_reports.h"

namespace tidemark::integration {
namespace {

using testing::Optional;

// So that a refused replica tries again while a test waits.
constexpr char kQuickRetry[] = "--reconnect_backoff_max_ms=500";

TEST(PrimaryRestartTest, APrimaryThatComesBackEmptyEmptiesNobody) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=2", kQuickRetry});
  ASSERT_TRUE(replica.AwaitReady());
  ASSERT_EQ(primary.Connect().Do({"SET", "kept", "1"}), Reply::Status("OK"));
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));

  primary.Kill();
  RedisClient reader = replica.Connect();
  EXPECT_EQ(reader.Do({"GET", "kept"}), Reply::String("1")) << "while its primary is down";
  primary.Restart();
  ASSERT_TRUE(primary.AwaitReady());
  // The replica says why it does not follow.
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return replica.process().Errors().find("accept_foreign_history") != std::string::npos;
  }));
  EXPECT_EQ(reader.Do({"GET", "kept"}), Reply::String("1"));
}

TEST(PrimaryRestartTest, AReplicaFollowsTheNewHistoryOnceItHoldsSomething) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=1", kQuickRetry});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient before = primary.Connect();
  EXPECT_EQ(MixedLoad({.seed = 1}).Run(before, 5'000), "");
  ASSERT_TRUE(AwaitConvergence(primary, {&replica}));
  const absl::StatusOr<WatermarksReport> old = Watermarks(before);

  primary.Kill();
  primary.Restart();
  ASSERT_TRUE(primary.AwaitReady());
  RedisClient after = primary.Connect();
  EXPECT_EQ(MixedLoad({.seed = 2, .keys = 100}).Run(after, 5'000), "");
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
  const absl::StatusOr<WatermarksReport> now = Watermarks(after);
  ASSERT_TRUE(old.ok() && now.ok());
  EXPECT_NE(now->history, old->history);
}

TEST(PrimaryRestartTest, TheSilenceOfAStoppedPrimaryIsSurvived) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=2", kQuickRetry});
  ASSERT_TRUE(replica.AwaitReady());
  RedisClient client = primary.Connect();
  EXPECT_EQ(MixedLoad({.seed = 1}).Run(client, 2'000), "");
  primary.process().Signal(SIGSTOP);
  EXPECT_FALSE(replica.Connect().Do({"DBSIZE"}).is_error());
  primary.process().Signal(SIGCONT);
  EXPECT_EQ(MixedLoad({.seed = 2}).Run(client, 2'000), "");
  EXPECT_TRUE(AwaitConvergence(primary, {&replica}));
}

// Counts on one connection until the primary goes, and then what the replica has: whatever was
// answered must be there.
TEST(PrimaryRestartTest, ACleanStopLosesNothingThatWasAnswered) {
  Node primary = Node::Primary({"--shards=2"});
  ASSERT_TRUE(primary.AwaitReady());
  Node replica = Node::Replica(primary, {"--shards=2"});
  ASSERT_TRUE(replica.AwaitReady());
  std::atomic<int64_t> answered{0};
  std::thread writer([port = primary.port(), &answered] {
    RedisClient client(port);
    for (bool open = true; open;) {
      for (int i = 0; i < 16; ++i) client.Queue({"INCR", "n"});
      for (const Reply& reply : client.Flush()) {
        open = reply.type == Reply::Type::kInteger;
        if (open) answered = reply.integer;
      }
    }
  });
  EXPECT_TRUE(Eventually(kPatience, [&] { return answered > 5'000; }));
  primary.process().Signal(SIGTERM);
  EXPECT_THAT(primary.process().WaitExit(kPatience), Optional(ExitedWith(0)));
  writer.join();
  RedisClient reader = replica.Connect();
  EXPECT_TRUE(Eventually(kPatience,
                         [&] {
                           const Reply count = reader.Do({"GET", "n"});
                           return count.type == Reply::Type::kString &&
                                  std::stoll(count.text) >= answered;
                         }))
      << "answered up to " << answered;
}

}  // namespace
}  // namespace tidemark::integration
