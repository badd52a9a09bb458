#include "net/io_loop.h"

#include <gtest/gtest.h>

#include <asio/post.hpp>
#include <chrono>
#include <thread>

namespace tidemark::net {
namespace {

constexpr int64_t kLong =
    600'000'000'000;  // The test runs into its time limit if this is ever waited for.

TEST(IoLoopTest, WaitEndsAtItsTimeout) {
  IoLoop loop;
  EXPECT_EQ(loop.Wait(1'000'000), 0u);
}

TEST(IoLoopTest, AWakeBeforeTheWaitEndsIt) {
  IoLoop loop;
  loop.Wake();
  loop.Wait(kLong);
}

TEST(IoLoopTest, AWakeThatPollSawStillEndsTheNextWait) {
  IoLoop loop;
  loop.Wake();
  loop.Poll();
  loop.Wait(kLong);
}

TEST(IoLoopTest, AWakeEndsOneWaitOnly) {
  IoLoop loop;
  loop.Wake();
  loop.Wait(kLong);
  EXPECT_EQ(loop.Wait(1'000'000), 0u);
}

TEST(IoLoopTest, EveryWakeFromAnotherThreadEndsAWait) {
  IoLoop loop;
  std::atomic<int> answered{0};
  std::thread waker([&] {
    for (int i = 0; i < 1000; ++i) {
      loop.Wake();
      while (answered.load() == i) std::this_thread::yield();
    }
  });
  for (int i = 0; i < 1000; ++i) {
    loop.Wait(kLong);
    answered.store(i + 1);
  }
  waker.join();
}

TEST(IoLoopTest, WaitRunsWhatAsioHasReady) {
  IoLoop loop;
  bool ran = false;
  asio::post(loop.context(), [&] { ran = true; });
  EXPECT_GT(loop.Wait(kLong), 0u);
  EXPECT_TRUE(ran);
}

TEST(IoLoopTest, PollsAloneReachAsioToo) {
  IoLoop loop;
  bool ran = false;
  asio::post(loop.context(), [&] { ran = true; });
  for (int i = 0; i < 100 && !ran; ++i) loop.Poll();
  EXPECT_TRUE(ran);
}

TEST(IoLoopTest, TheTurnHasOneTime) {
  ManualClock clock;
  IoLoop loop(clock);
  loop.Poll();
  const int64_t before = loop.now_ms();
  clock.AdvanceMillis(5);
  EXPECT_EQ(loop.now_ms(), before);
  loop.Poll();
  EXPECT_EQ(loop.now_ms(), before + 5);
}

}  // namespace
}  // namespace tidemark::net
