// The moments that people write, and those that they must not be taken for.
#include "tools/tidectl/moment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace tidemark::tidectl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(MomentTest, VectorsAreOfTheNewestHistoryOrOfOneThatIsNamed) {
  EXPECT_THAT(ParseMoment("1,22,3")->sequences,
              ElementsAre(Sequence(1), Sequence(22), Sequence(3)));
  EXPECT_EQ(ParseMoment("1,22,3")->history, HistoryId());
  EXPECT_THAT(ParseMoment("7")->sequences, ElementsAre(Sequence(7)));
  const auto named = ParseMoment("00ff:7");
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->history, HistoryId(255));
  EXPECT_THAT(named->sequences, ElementsAre(Sequence(7)));
}

struct TimeCase {
  const char* text;
  int64_t time_ms;
};
class MomentTimeTest : public testing::TestWithParam<TimeCase> {};

TEST_P(MomentTimeTest, IsATimeAndNoVector) {
  const auto moment = ParseMoment(GetParam().text);
  ASSERT_TRUE(moment.ok()) << moment.status();
  EXPECT_EQ(moment->time_ms, GetParam().time_ms);
  EXPECT_TRUE(moment->sequences.empty());
}
INSTANTIATE_TEST_SUITE_P(
    All, MomentTimeTest,
    testing::Values(TimeCase{"1970-01-01T00:00:01Z", 1'000},
                    TimeCase{"2024-05-06T07:08:09.5+02:00", 1'714'972'089'500},
                    TimeCase{"2024-05-06T05:08:09.5Z", 1'714'972'089'500},
                    // A bare number so large can only be unix milliseconds; others are marked.
                    TimeCase{"1715000000000", 1'715'000'000'000},
                    TimeCase{"t1715000000000", 1'715'000'000'000}, TimeCase{"t5", 5}));

TEST(MomentTest, AnythingElseIsRefusedAndShown) {
  for (const char* text : {"",
                           ",",
                           "1,",
                           ",1",
                           "1,,2",
                           "-1",
                           "1.5",
                           "t",
                           "tx",
                           "t-5",
                           "0:1",
                           "xyz:1",
                           ":1",
                           "ff:",
                           "2024-05-06",
                           "2024-05-06T07:08:09",
                           "2024-13-06T07:08:09Z",
                           "1 2",
                           "99999999999999999999999",
                           "t99999999999999999999"}) {
    const auto moment = ParseMoment(text);
    EXPECT_FALSE(moment.ok()) << text;
    if (!moment.ok()) {
      EXPECT_THAT(std::string(moment.status().message()), HasSubstr("'" + std::string(text) + "'"));
    }
  }
}

}  // namespace
}  // namespace tidemark::tidectl
