#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace tidemark {
namespace {

struct Case {
  std::string_view pattern;
  std::string_view text;
  bool matches;
};

void PrintTo(const Case& c, std::ostream* os) { *os << c.pattern << " against " << c.text; }

class GlobTest : public testing::TestWithParam<Case> {};

// Expectations were asked of redis-server 7.0.15 (KEYS).
TEST_P(GlobTest, MatchesAsRedisDoes) {
  EXPECT_EQ(GlobMatch(GetParam().pattern, GetParam().text), GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, GlobTest,
    testing::Values(Case{"", "", true}, Case{"", "a", false}, Case{"a", "", false},
                    Case{"abc", "abc", true}, Case{"abc", "abcd", false}, Case{"abc", "ab", false},
                    Case{"ABC", "abc", false}, Case{"*", "anything", true}, Case{"**", "x", true},
                    Case{"a*", "a", true}, Case{"*a", "bca", true}, Case{"*a", "bcab", false},
                    Case{"a*b*c", "axxbyyc", true}, Case{"a*b*c", "axxbyy", false},
                    Case{"*ab*ab", "ababxab", true}, Case{"?", "a", true}, Case{"?", "", false},
                    Case{"a?c", "abc", true}, Case{"a?c", "ac", false}, Case{"*?", "", false},
                    Case{"[abc]", "b", true}, Case{"[abc]", "d", false}, Case{"[^abc]", "d", true},
                    Case{"[^abc]", "a", false}, Case{"[a-c]x", "bx", true},
                    Case{"[c-a]x", "bx", true}, Case{"[a-]", "-", false}, Case{"[a-]", "_", true},
                    Case{"[a-]", "b", false}, Case{"[-a]", "-", true}, Case{"[]", "a", false},
                    Case{"[]a]", "]", false}, Case{"[^]", "a", true}, Case{"[abc", "c", true},
                    Case{"[abc", "d", false}, Case{"[a\\-z]", "-", true},
                    Case{"[a\\-z]", "b", false}, Case{"[\\]]", "]", true}, Case{"[a\\", "\\", true},
                    Case{"\\*", "*", true}, Case{"\\*", "a", false}, Case{"a\\", "a\\", true},
                    Case{"\\a", "a", true}, Case{"*[", "a[", false},
                    Case{"h[^e]llo", "hello", false}, Case{"h[^e]llo", "hallo", true},
                    Case{"*\xff", "a\xff", true}));

TEST(GlobTest, RangesBeyondAsciiCompareSignedBytes) {
  EXPECT_FALSE(GlobMatch("[a-\xff]", "\x80"));
  EXPECT_TRUE(GlobMatch("[a-\xff]", "A"));
}

TEST(GlobTest, CaseCanBeIgnored) {
  EXPECT_TRUE(GlobMatch("MAX*", "maxmemory", GlobCase::kInsensitive));
  EXPECT_TRUE(GlobMatch("[A-C]", "b", GlobCase::kInsensitive));
  EXPECT_TRUE(GlobMatch("\\A", "a", GlobCase::kInsensitive));
  EXPECT_FALSE(GlobMatch("[\\A]", "a", GlobCase::kInsensitive));
}

TEST(GlobTest, ManyStarsTakeNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "a*";
  pattern += "b";
  EXPECT_FALSE(GlobMatch(pattern, std::string(5000, 'a')));
}

}  // namespace
}  // namespace tidemark
