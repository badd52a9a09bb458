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

TEST(CommitWindowTest, WaitsForAShareOfTheRecentFlushesAtMost) {
  CommitWindow window(25);
  window.OnSynced(50, kSync, kSync);
  window.Expect(0);
  EXPECT_EQ(window.Wait(1, kSync), kSync / 4);
  EXPECT_EQ(window.Wait(1, kSync + kSync / 4), 0);
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
