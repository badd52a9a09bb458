#include "base/text.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(TextTest, OnlyAsciiLettersHaveACase) {
  EXPECT_EQ(ToLower("aZ@[`{09\xc4"), "az@[`{09\xc4");
  EXPECT_EQ(ToUpper("aZ@[`{09\xe4"), "AZ@[`{09\xe4");
}

TEST(TextTest, NamesAreEqualInAnyCase) {
  static_assert(EqualsIgnoreCase("Client", "cLIENT"));
  EXPECT_TRUE(EqualsIgnoreCase("", ""));
  EXPECT_FALSE(EqualsIgnoreCase("client", "clients"));
  EXPECT_FALSE(EqualsIgnoreCase("@", "`")) << "they differ by the bit that is a letter's case";
}

}  // namespace
}  // namespace tidemark
