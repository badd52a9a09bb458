#include "wal/replay_window.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wal/test_log.h"

namespace tidemark::wal {
namespace {

class ReplayWindowTest : public testing::Test {
 protected:
  explicit ReplayWindowTest(size_t max_bytes = 1 << 20)
      : window_(Watermarks(2), max_bytes), positions_(2) {}

  void Add(int shard, const std::vector<TestRecord>& records) {
    ShardPosition& at = positions_[static_cast<size_t>(shard)];
    const FrameRef frame =
        MakeFrame(HistoryId(5), ShardId(static_cast<uint16_t>(shard)), 2, at, records);
    ASSERT_TRUE(window_.Add(frame, at.digest, {1, ++offset_}).ok());
    at = {frame->last_sequence(), frame->stream_digest()};
  }
  // "shard:from-through" of all that is ready.
  std::string Ready() {
    std::string ready;
    while (const auto part = window_.TakeReady()) {
      ready += fmt::format("{}{}:{}-{}", ready.empty() ? "" : " ", part->frame->shard().value(),
                           part->from.value(), part->through.value());
    }
    return ready;
  }

  ReplayWindow window_;
  Positions positions_;
  uint64_t offset_ = 0;
};

const TestRecord kHalf = Transaction(7, 1, {0, 1});

TEST_F(ReplayWindowTest, WithoutTransactionsFramesGoStraightThrough) {
  Add(0, {Put("a", "1"), Put("b", "1")});
  EXPECT_EQ(Ready(), "0:1-2");
  Add(1, {Put("c", "1")});
  EXPECT_EQ(Ready(), "1:1-1");
  EXPECT_EQ(window_.held_bytes(), 0u);
}

TEST_F(ReplayWindowTest, HoldsWhatFollowsHalfATransactionUntilTheRestIsThere) {
  Add(0, {Put("a", "1"), kHalf, Put("b", "1")});
  Add(0, {Put("d", "1")});
  window_.Look();
  EXPECT_EQ(Ready(), "0:1-1");
  EXPECT_GT(window_.held_bytes(), 0u);
  Add(1, {kHalf, Put("c", "1")});
  window_.Look();
  EXPECT_EQ(Ready(), "0:2-3 0:4-4 1:1-2");
  EXPECT_EQ(window_.held_bytes(), 0u);
  Add(0, {Put("e", "1")});
  EXPECT_EQ(Ready(), "0:5-5");
}

class SmallReplayWindowTest : public ReplayWindowTest {
 protected:
  SmallReplayWindowTest() : ReplayWindowTest(1) {}
};

TEST_F(SmallReplayWindowTest, LetsGoOfWhatIsTooMuchAndKnowsWhereItBegan) {
  Add(1, {Put("x", "1")});
  EXPECT_EQ(Ready(), "1:1-1");
  Add(0, {Put("a", "1"), kHalf, Put("b", "1")});
  EXPECT_EQ(Ready(), "0:1-1");
  ASSERT_TRUE(window_.reread_from().has_value());
  EXPECT_EQ(*window_.reread_from(), (LogPosition{1, 2}));
  EXPECT_EQ(window_.held_bytes(), 0u);
  Add(1, {kHalf, Put("c", "1")});
  Add(0, {Put("d", "1")});
  window_.Look();
  EXPECT_EQ(Ready(), "");
  EXPECT_EQ(window_.cut(), (Watermarks{Sequence(4), Sequence(3)}));
}

}  // namespace
}  // namespace tidemark::wal
