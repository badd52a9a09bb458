#include "wal/stream_position.h"

#include <gtest/gtest.h>

#include "wal/test_log.h"

namespace tidemark::wal {
namespace {

// What a stream that was cut there would have had as its digest.
TEST(StreamPositionTest, APositionWithinAFrameIsThatOfAShorterFrame) {
  const ShardPosition before{Sequence(41), 0x1234};
  const std::vector<TestRecord> records = {Put("a", "1"), Transaction(7, 1, {0, 1}),
                                           Put("long", std::string(1000, 'x')), Erase("a")};
  const FrameRef whole = MakeFrame(HistoryId(5), ShardId(0), 2, before, records);
  for (size_t n = 1; n <= records.size(); ++n) {
    if (n == 2) continue;  // No frame ends with a transaction cut.
    const FrameRef prefix = MakeFrame(HistoryId(5), ShardId(0), 2, before,
                                      {records.begin(), records.begin() + static_cast<long>(n)});
    const absl::StatusOr<ShardPosition> position =
        PositionWithin(*whole, before.digest, Sequence(41 + n));
    ASSERT_TRUE(position.ok()) << position.status();
    EXPECT_EQ(*position, (ShardPosition{Sequence(41 + n), prefix->stream_digest()}));
  }
}

}  // namespace
}  // namespace tidemark::wal
