// A judge that finds no fault proves nothing until it has found some.
#include "integration/harness/feed_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::integration {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string Change(std::string_view history, int shard, int sequence, std::string_view rest) {
  return fmt::format(R"({{"history":"{}","shard":{},"sequence":{},{}}})", history, shard, sequence,
                     rest);
}
std::string Set(std::string_view history, int shard, int sequence) {
  return Change(history, shard, sequence, R"("op":"set","key":"k","value":"v")");
}

TEST(FeedLogTest, EachChangeOnceAndInOrderIsRight) {
  FeedLog feed(2);
  EXPECT_EQ(feed.Take(Set("a", 0, 1)), "");
  EXPECT_EQ(feed.Take(Set("a", 1, 1)), "");
  EXPECT_EQ(feed.Take(Set("a", 0, 2)), "");
  EXPECT_EQ(feed.Take(R"({"op":"history","history":"b","positions":[2,1]})"), "");
  EXPECT_EQ(feed.Take(Set("b", 1, 2)), "");
  EXPECT_EQ(feed.records(), 4);
  EXPECT_EQ(feed.histories(), 2u);
  EXPECT_THAT(feed.positions(), ElementsAre(2, 2));
}

TEST(FeedLogTest, RepeatsHolesAndOldHistoriesAreFound) {
  FeedLog feed(1);
  ASSERT_EQ(feed.Take(Set("a", 0, 1)), "");
  EXPECT_THAT(feed.Take(Set("a", 0, 1)), HasSubstr("after sequence 1"));
  EXPECT_THAT(feed.Take(Set("a", 0, 3)), HasSubstr("after sequence 1"));
  EXPECT_THAT(feed.Take(Set("a", 1, 1)), HasSubstr("no such shard"));
  EXPECT_THAT(feed.Take(R"({"op":"history","history":"b","positions":[7]})"),
              HasSubstr("we are at 1"));
  EXPECT_THAT(feed.Take(Set("a", 0, 2)), HasSubstr("a again"));
  EXPECT_THAT(feed.Take(R"({"op":"set","his)"), HasSubstr("no JSON"));
}

TEST(FeedLogTest, ALogThatHoldsAnotherChangeIsFound) {
  FeedLog feed(1);
  ASSERT_EQ(feed.Take(Set("a", 0, 1)), "");
  EXPECT_EQ(feed.Compare(Set("a", 0, 1)), "");
  EXPECT_THAT(feed.Compare(Set("a", 0, 2)), HasSubstr("never had it"));
  EXPECT_THAT(feed.Compare(Change("a", 0, 1, R"("op":"set","key":"k","value":"w")")),
              HasSubstr("another"));
  EXPECT_THAT(feed.Compare(Change("a", 0, 1, R"("op":"set","key":"k","value":"v","void":true)")),
              HasSubstr("took it back"));
  EXPECT_EQ(feed.Compare(Change("a", 0, 2, R"("op":"set","key":"k","value":"v","void":true)")), "");
}

TEST(FeedLogTest, ContentsAreWhatTheChangesAmountTo) {
  FeedLog feed(2);
  int sequence = 0;
  for (const char* change :
       {R"("op":"set","key":"a","value":"abc","expire_at_ms":9)",
        R"("op":"set_range","key":"a","offset":5,"value_base64":"/w==")",
        R"("op":"set","key":"b","value":"1","expire_at_ms":9)", R"("op":"expire","key":"b")",
        R"("op":"set","key":"c","value":"1")", R"("op":"delete","key":"c")",
        R"("op":"transaction","transaction":1,"records":0,"participants":[0,1])"}) {
    ASSERT_EQ(feed.Take(Change("a", 0, ++sequence, change)), "");
  }
  ASSERT_EQ(feed.Take(Change("a", 1, 1, R"("op":"set","key":"d","value":"1")")), "");
  ASSERT_EQ(feed.Take(Change("a", 1, 2, R"("op":"flush")")), "");
  EXPECT_THAT(feed.Contents(),
              ElementsAre(Pair("a", FeedLog::Value{std::string("abc\0\0\xff", 6), 9}),
                          Pair("b", FeedLog::Value{"1", 0})));
}

}  // namespace
}  // namespace tidemark::integration
