#include "cache/commands/numbers.h"

#include <gtest/gtest.h>

#include <string>

namespace tidemark::cache {
namespace {

TEST(ParseIntegerTest, TakesEveryIntegerInItsOneSpelling) {
  EXPECT_EQ(ParseInteger("0"), 0);
  EXPECT_EQ(ParseInteger("-1"), -1);
  EXPECT_EQ(ParseInteger("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(ParseInteger("-9223372036854775808"), INT64_MIN);
}

TEST(ParseIntegerTest, RefusesOtherSpellingsAndWhatDoesNotFit) {
  for (const std::string_view text :
       {"", "-", "+1", "01", "-0", "00", "-01", " 1", "1 ", "1.0", "0x1", "9223372036854775808",
        "-9223372036854775809", "99999999999999999999999"}) {
    EXPECT_EQ(ParseInteger(text), std::nullopt) << '"' << text << '"';
  }
}

TEST(ParseLongDoubleTest, TakesWhatStrtoldTakesWhole) {
  EXPECT_EQ(ParseLongDouble("1.5"), 1.5L);
  EXPECT_EQ(ParseLongDouble("-.5e1"), -5.0L);
  EXPECT_EQ(ParseLongDouble("0x10"), 16.0L);
  for (const std::string_view text : {"", " 1", "1 ", "1x", "nan", "1e99999", "1e-99999"}) {
    EXPECT_EQ(ParseLongDouble(text), std::nullopt) << '"' << text << '"';
  }
  EXPECT_EQ(ParseLongDouble(std::string(6000, '1')), std::nullopt);
}

TEST(DecimalTextTest, WritesNoTrailingZerosAndNoExponent) {
  EXPECT_EQ(DecimalText(3.0L).view(), "3");
  EXPECT_EQ(DecimalText(10.5L).view(), "10.5");
  EXPECT_EQ(DecimalText(-0.0L).view(), "0");
  EXPECT_EQ(DecimalText(100).view(), "100");
  EXPECT_EQ(DecimalText(0.1L).view(), "0.1");
  EXPECT_EQ(DecimalText(1e20L).view(), "100000000000000000000");
  EXPECT_GE(DecimalText(1e4000L).view().size(), 4000u);
}

}  // namespace
}  // namespace tidemark::cache
