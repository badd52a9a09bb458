#include "base/link/deadline_timer.h"

#include <gtest/gtest.h>

#include "base/link/link_loop.h"

namespace tidemark {
namespace {

TEST(DeadlineTimerTest, ANearerTimeTakesThePlaceOfALaterOne) {
  asio::io_context context;
  int calls = 0;
  DeadlineTimer timer(context, [&] {
    ++calls;
    return DeadlineTimer::kNever;
  });
  timer.ArmBy(LinkLoop::NowMs() + 3'600'000);
  timer.ArmBy(LinkLoop::NowMs());
  context.run();  // Returns when nothing is armed any more: the hour's wait is gone.
  EXPECT_EQ(calls, 1);
}

TEST(DeadlineTimerTest, WhatTheCallbackReturnsIsTheNextTimeWhateverItArmed) {
  asio::io_context context;
  int calls = 0;
  DeadlineTimer timer(context, [&] {
    if (++calls == 3) return DeadlineTimer::kNever;
    timer.ArmBy(0);  // Half of what is due is done, say.
    return calls == 1 ? LinkLoop::NowMs() : int64_t{0};
  });
  timer.ArmBy(0);
  context.run();
  EXPECT_EQ(calls, 3);
}

TEST(DeadlineTimerTest, NeverArmsNothing) {
  asio::io_context context;
  DeadlineTimer timer(context, []() -> int64_t {
    ADD_FAILURE() << "it was never armed";
    return DeadlineTimer::kNever;
  });
  timer.ArmBy(DeadlineTimer::kNever);
  context.run();
}

}  // namespace
}  // namespace tidemark
