#include "base/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { SetLogLevel(LogLevel::kInfo); }

  static std::string Logged(LogLevel level, std::string_view message) {
    testing::internal::CaptureStderr();
    Log(level, message);
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, ALineHasTimeLevelThreadAndMessage) {
  EXPECT_THAT(Logged(LogLevel::kWarning, "queue is full"),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z W "
                           "[0-9]+ queue is full\n"));
}

TEST_F(LogTest, LevelsBelowTheLeastAreSilent) {
  EXPECT_FALSE(LogEnabled(LogLevel::kDebug));
  EXPECT_THAT(Logged(LogLevel::kDebug, "detail"), IsEmpty());
  SetLogLevel(LogLevel::kDebug);
  EXPECT_THAT(Logged(LogLevel::kDebug, "detail"), HasSubstr(" D "));
  SetLogLevel(LogLevel::kError);
  EXPECT_THAT(Logged(LogLevel::kWarning, "odd"), IsEmpty());
}

TEST_F(LogTest, AMessageStaysOnItsLine) {
  EXPECT_THAT(Logged(LogLevel::kInfo, "name is a\r\nb\x1b[2J"),
              HasSubstr("name is a\\x0d\\x0ab\\x1b[2J\n"));
}

TEST_F(LogTest, BracesAreNotAFormat) {
  EXPECT_THAT(Logged(LogLevel::kInfo, "key {} {0} {bad"), HasSubstr("key {} {0} {bad\n"));
}

TEST(LogRateLimiterTest, WritesOnceAnIntervalAndCountsTheRest) {
  LogRateLimiter limiter(/*interval_ns=*/100);
  auto first = limiter.Allow(1000);
  EXPECT_TRUE(first);
  EXPECT_EQ(*first, 0u);
  EXPECT_FALSE(limiter.Allow(1001));
  EXPECT_FALSE(limiter.Allow(1099));
  auto next = limiter.Allow(1100);
  EXPECT_TRUE(next);
  EXPECT_EQ(*next, 2u);
}

TEST(LogRateLimiterTest, ThreadsShareOneAllowance) {
  LogRateLimiter limiter(/*interval_ns=*/100);
  std::atomic<int> written{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) written += limiter.Allow(5) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(written, 1);
  EXPECT_EQ(*limiter.Allow(200), 3999u);
}

}  // namespace
}  // namespace tidemark
