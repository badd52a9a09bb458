#include "base/check.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(CheckTest, PassesWhatHolds) {
  int evaluated = 0;
  CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

TEST(CheckDeathTest, AbortsNamingThePlaceAndTheCondition) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "check_test.cc:[0-9]+: CHECK failed: 1 \\+ 1 == 3");
}

TEST(CheckTest, DcheckCostsNothingInReleaseBuilds) {
  int evaluated = 0;
  DCHECK(++evaluated == 1);
#ifdef NDEBUG
  EXPECT_EQ(evaluated, 0);
#else
  EXPECT_EQ(evaluated, 1);
#endif
}

}  // namespace
}  // namespace tidemark
