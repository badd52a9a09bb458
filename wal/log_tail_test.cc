#include "wal/log_tail.h"

#include <gtest/gtest.h>

#include "wal/test_stream.h"

namespace tidemark::wal {
namespace {

constexpr size_t kRoom = 1 << 20;

class LogTailTest : public testing::Test {
 protected:
  // As the log does: the frame goes to where the log ends.
  LogTail::Entry Write(LogTail& tail, TestStream& stream) {
    const LogPosition at = tail.end();
    const FrameRef frame = stream.Make(2);
    const LogTail::Entry entry{
        .frame = frame, .position = at, .end_offset = at.offset + frame->bytes().size()};
    tail.Append({&entry, 1}, {.segment = at.segment, .offset = entry.end_offset});
    return entry;
  }

  TestStream zero_{HistoryId(1), ShardId(0), 2}, one_{HistoryId(1), ShardId(1), 2};
  const Watermarks none_ = Watermarks(2);
};

TEST_F(LogTailTest, GivesWhatWasWrittenInOrder) {
  LogTail tail(kRoom, none_, {.segment = 1, .offset = 0});
  const LogTail::Entry first = Write(tail, zero_), second = Write(tail, one_);
  std::vector<LogTail::Entry> read;
  ASSERT_TRUE(tail.Read(*tail.IndexOf({.segment = 1, .offset = 0}), 10, &read));
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].frame, first.frame);
  EXPECT_EQ(read[1].frame, second.frame);
  EXPECT_EQ(read[1].position, second.position);
}

TEST_F(LogTailTest, PositionAtTheEndIsTheNextEntryToCome) {
  LogTail tail(kRoom, none_, {.segment = 1, .offset = 0});
  Write(tail, zero_);
  const std::optional<uint64_t> index = tail.IndexOf(tail.end());
  ASSERT_TRUE(index.has_value());
  std::vector<LogTail::Entry> read;
  EXPECT_TRUE(tail.Read(*index, 10, &read));
  EXPECT_TRUE(read.empty());
  const LogTail::Entry next = Write(tail, zero_);
  EXPECT_TRUE(tail.Read(*index, 10, &read));
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].frame, next.frame);
}

TEST_F(LogTailTest, PositionInAnEarlierSegmentIsTheFirstOfTheNext) {
  LogTail tail(kRoom, none_, {.segment = 1, .offset = 0});
  const LogTail::Entry last = Write(tail, zero_);
  tail.SetEnd({.segment = 2, .offset = 80});
  const LogTail::Entry next = Write(tail, zero_);
  std::vector<LogTail::Entry> read;
  ASSERT_TRUE(tail.Read(*tail.IndexOf({.segment = 1, .offset = last.end_offset}), 1, &read));
  EXPECT_EQ(read[0].frame, next.frame);
}

TEST_F(LogTailTest, LetsGoOfTheOldestBeyondItsBytes) {
  LogTail tail(1, none_, {.segment = 1, .offset = 0});
  const LogTail::Entry gone = Write(tail, zero_), kept = Write(tail, one_);
  EXPECT_EQ(tail.bytes(), kept.frame->memory_bytes());
  EXPECT_EQ(tail.begin(), kept.position);
  EXPECT_EQ(tail.IndexOf(gone.position), std::nullopt);
  std::vector<LogTail::Entry> read;
  EXPECT_FALSE(tail.Read(0, 10, &read));
  EXPECT_TRUE(tail.Read(1, 10, &read));
}

TEST_F(LogTailTest, WatermarksBelowWhatIsKeptAreNotServed) {
  LogTail tail(1, none_, {.segment = 1, .offset = 0});
  const LogTail::Entry gone = Write(tail, zero_);
  Write(tail, one_);
  EXPECT_EQ(tail.IndexAfter(none_), std::nullopt);
  const Watermarks after{gone.frame->last_sequence(), Sequence()};
  EXPECT_EQ(tail.IndexAfter(after), 1u);
}

}  // namespace
}  // namespace tidemark::wal
