#include "cache/reply_tape.h"

#include <limits>
#include <string>

#include "cache/commands/recorded_reply.h"
#include "gtest/gtest.h"

namespace tidemark::cache {
namespace {

void AnswerEverything(ReplyBuilder& reply, const BufferRef& large) {
  reply.Status("OK");
  reply.Error("ERR no");
  reply.Integer(std::numeric_limits<int64_t>::min());
  reply.Bulk(std::string_view("a\0b\r\n", 5));
  reply.Bulk("");
  reply.BulkRef(large, large->view().substr(2, 3));
  reply.Null();
  reply.NullArray();
  reply.Double(-0.1);
  reply.Boolean(true);
  reply.Verbatim("txt", "words");
  reply.ArrayHeader(3);
  reply.Integer(1);
  reply.MapHeader(1);
  reply.Bulk("k");
  reply.SetHeader(2);
  reply.Integer(2);
  reply.Integer(3);
  reply.ArrayHeader(0);
}

TEST(ReplyTapeTest, PlaysBackWhatWasRecorded) {
  const BufferRef large = Buffer::Copy("0123456789");
  RecordedReply direct;
  AnswerEverything(direct, large);
  ReplyTape tape;
  AnswerEverything(tape, large);
  RecordedReply played;
  int replies = 0;
  for (ReplyTape::Reader reader(tape); !reader.done(); ++replies) reader.PlayReply(played);
  EXPECT_EQ(played.text(), direct.text());
  EXPECT_EQ(replies, 12);
  EXPECT_EQ(played.references(), 1);
  EXPECT_EQ(tape.errors(), 1u);
}

TEST(ReplyTapeTest, PositionsStartAReaderAtAReply) {
  ReplyTape tape;
  tape.ArrayHeader(2);
  tape.Bulk("x");
  tape.Bulk("y");
  const size_t second = tape.end();
  tape.Integer(7);
  RecordedReply played;
  ReplyTape::Reader(tape, second).PlayReply(played);
  EXPECT_EQ(played.text(), ":7");
}

TEST(ReplyTapeTest, SkipEventStepsIntoAnAggregate) {
  ReplyTape tape;
  tape.ArrayHeader(2);
  tape.Bulk("x");
  tape.Status("y");
  ReplyTape::Reader reader(tape);
  EXPECT_EQ(reader.kind(), ReplyTape::Kind::kArray);
  EXPECT_EQ(reader.number(), 2u);
  reader.SkipEvent();
  reader.SkipEvent();
  RecordedReply played;
  reader.PlayReply(played);
  EXPECT_EQ(played.text(), "+y");
  EXPECT_TRUE(reader.done());
}

TEST(ReplyTapeTest, KeepsSharedValuesUntilCleared) {
  ReplyTape tape;
  {
    const BufferRef value = Buffer::Copy(std::string(100'000, 'v'));
    tape.BulkRef(value, value->view());
    EXPECT_GE(tape.bytes(), 100'000u);
  }
  RecordedReply played;
  ReplyTape::Reader(tape).PlayReply(played);
  EXPECT_EQ(played.text().size(), 100'002u);
  tape.Clear();
  EXPECT_TRUE(tape.empty());
  EXPECT_EQ(tape.bytes(), 0u);
}

TEST(ReplyTapeTest, DeepNestingPlaysWithoutRecursion) {
  ReplyTape tape;
  constexpr int kDepth = 1'000'000;
  for (int i = 0; i < kDepth; ++i) tape.ArrayHeader(1);
  tape.Null();
  ReplyTape copy;
  ReplyTape::Reader(tape).PlayReply(copy);
  EXPECT_EQ(copy.end(), tape.end());
}

}  // namespace
}  // namespace tidemark::cache
