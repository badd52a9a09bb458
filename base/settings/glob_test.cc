#include "base/settings/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace tidemark {
namespace {

TEST(GlobTest, MatchesAsRedisDoes) {
  EXPECT_TRUE(GlobMatchesIgnoringCase("*", ""));
  EXPECT_TRUE(GlobMatchesIgnoringCase("max*", "maxclients"));
  EXPECT_TRUE(GlobMatchesIgnoringCase("MAX*", "maxclients"));
  EXPECT_TRUE(GlobMatchesIgnoringCase("*log*len", "slowlog-max-len"));
  EXPECT_TRUE(GlobMatchesIgnoringCase("h?", "hz"));
  EXPECT_TRUE(GlobMatchesIgnoringCase("h[a-z]", "hz"));
  EXPECT_TRUE(GlobMatchesIgnoringCase("h[z-a]", "hm"));
  EXPECT_TRUE(GlobMatchesIgnoringCase("h[^a-c]", "hz"));
  EXPECT_TRUE(GlobMatchesIgnoringCase("a\\*b", "a*b"));
  EXPECT_FALSE(GlobMatchesIgnoringCase("", "hz"));
  EXPECT_FALSE(GlobMatchesIgnoringCase("h", "hz"));
  EXPECT_FALSE(GlobMatchesIgnoringCase("h??", "hz"));
  EXPECT_FALSE(GlobMatchesIgnoringCase("h[^z]", "hz"));
  EXPECT_FALSE(GlobMatchesIgnoringCase("a\\*b", "axb"));
  EXPECT_FALSE(GlobMatchesIgnoringCase("max*x", "maxclients"));
}

TEST(GlobTest, OddPatternsEnd) {
  EXPECT_FALSE(GlobMatchesIgnoringCase("h[", "hz"));
  EXPECT_FALSE(GlobMatchesIgnoringCase("h[^", "h"));
  EXPECT_TRUE(GlobMatchesIgnoringCase("h[a-z", "hz"));
  EXPECT_FALSE(GlobMatchesIgnoringCase("h\\", "hz"));
}

// Exponential in the stars for a matcher that tries them all.
TEST(GlobTest, ManyStarsStayCheap) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  EXPECT_FALSE(GlobMatchesIgnoringCase(pattern + "b", std::string(5000, 'a')));
}

}  // namespace
}  // namespace tidemark
