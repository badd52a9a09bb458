#include "wal/commit_window.h"

#include <gtest/gtest.h>

namespace tidemark::wal {
namespace {

constexpr int64_t kSync = 4'000'000;

TEST(CommitWindowTest, FirstFlushOfAllWaitsForNobody) {
  const CommitWindow window;
  EXPECT_EQ(window.Wait(1, 0), 0);
}

TEST(CommitWindowTest, OneClientNeverWaits) {
  CommitWindow window;
  int64_t now = 0;
  for (int round = 0; round < 10; ++round) {
    window.OnSynced(1, kSync, now += kSync);
    window.Expect(0);
    EXPECT_EQ(window.Wait(1, now + 100'000), 0);
  }
}

TEST(CommitWindowTest, WaitsForThoseAnsweredAndThoseQueued) {
  CommitWindow window;
  window.OnSynced(20, kSync, kSync);
  window.Expect(30);
  EXPECT_EQ(window.expected(), 50u);
  EXPECT_GT(window.Wait(49, kSync), 0);
  EXPECT_EQ(window.Wait(50, kSync), 0);
}

TEST(CommitWindowTest, WaitsForAllAndForHalfAtMostAShareOfTheRecentFlushes) {
  CommitWindow window({.percent_for_all = 25, .percent_for_half = 50});
  window.OnSynced(50, kSync, kSync);
  window.Expect(0);
  EXPECT_EQ(window.Wait(1, kSync), kSync / 2);
  EXPECT_EQ(window.Wait(24, kSync + kSync / 4), kSync / 4);
  EXPECT_EQ(window.Wait(24, kSync + kSync / 2), 0);
  // Half is enough once all had their time.
  EXPECT_EQ(window.Wait(25, kSync), kSync / 4);
  EXPECT_EQ(window.Wait(49, kSync), kSync / 4);
  EXPECT_EQ(window.Wait(25, kSync + kSync / 4), 0);
}

// Runs flushes of `carried` out of 50 who write.
int64_t Flushes(CommitWindow& window, uint64_t carried, int count, int64_t now) {
  for (int i = 0; i < count; ++i) {
    window.OnSynced(carried, kSync, now += kSync);
    window.Expect(50 - carried);
  }
  return now;
}

TEST(CommitWindowTest, GivesUpOnAllWhereTheyDoNotComeAndTriesAgainLater) {
  CommitWindow window;
  int64_t now = Flushes(window, 25, CommitWindow::kPatience, 0);
  EXPECT_TRUE(window.waits_for_all());
  now = Flushes(window, 25, 1, now);
  EXPECT_FALSE(window.waits_for_all());
  EXPECT_EQ(window.Wait(25, now), 0);
  EXPECT_GT(window.Wait(24, now), 0);
  now = Flushes(window, 25, CommitWindow::kRestFlushes, now);
  EXPECT_TRUE(window.waits_for_all());
  EXPECT_GT(window.Wait(25, now), 0);
  // Still in vain: once is enough.
  now = Flushes(window, 25, 1, now);
  EXPECT_FALSE(window.waits_for_all());
}

TEST(CommitWindowTest, GivesUpOnHalfWhereTheyDoNotComeAndTriesAgainLater) {
  CommitWindow window;
  int64_t now = 0;
  // Of 50 who write only 10 come back in time, again and again.
  for (int i = 0; i <= CommitWindow::kPatience; ++i) {
    EXPECT_TRUE(window.waits_for_half());
    window.OnSynced(10, kSync, now += kSync);
    window.Expect(40);
  }
  EXPECT_FALSE(window.waits_for_half());
  EXPECT_EQ(window.Wait(1, now), 0);
  now = Flushes(window, 10, CommitWindow::kRestFlushes, now);
  EXPECT_TRUE(window.waits_for_half());
}

TEST(CommitWindowTest, GoesOnWaitingForAllWhereTheyCome) {
  CommitWindow window;
  int64_t now = 0;
  for (int round = 0; round < 100; ++round) {
    now = Flushes(window, 50, 1, now);
    EXPECT_TRUE(window.waits_for_all());
    now = Flushes(window, 49, 1, now);  // One was late.
    EXPECT_TRUE(window.waits_for_all());
  }
}

TEST(CommitWindowTest, OneSlowFlushDoesNotMakeTheNextWaitLong) {
  CommitWindow window;
  int64_t now = 0;
  for (int round = 0; round < 10; ++round) window.OnSynced(50, kSync, now += kSync);
  window.OnSynced(50, 5'000'000'000, now += 5'000'000'000);
  EXPECT_LE(window.Wait(1, now), CommitWindow::kMaxWaitNanos);
  window.OnSynced(50, kSync, now += kSync);
  EXPECT_LE(window.Wait(1, now), CommitWindow::kMaxWaitNanos);
}

}  // namespace
}  // namespace tidemark::wal
