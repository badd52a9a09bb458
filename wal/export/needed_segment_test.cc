#include "wal/export/needed_segment.h"

#include <gtest/gtest.h>

namespace tidemark::wal {
namespace {

ExportPosition At(uint64_t history, uint64_t a, uint64_t b) {
  return {.history = HistoryId(history), .sequences = {Sequence(a), Sequence(b)}};
}

TEST(NeededSegmentTest, WhatWasReadIsNotYetAcknowledged) {
  NeededSegment needed(HistoryId(1), 3);
  needed.OnRead(3, At(1, 0, 0));
  needed.OnRead(4, At(1, 5, 2));
  needed.OnRead(6, At(1, 9, 2));
  EXPECT_EQ(needed.OnAck(At(1, 0, 0)), 3u);
  EXPECT_EQ(needed.OnAck(At(1, 9, 1)), 3u);  // Shard 1 is not there yet.
  EXPECT_EQ(needed.OnAck(At(1, 9, 2)), 6u);
}

TEST(NeededSegmentTest, AnAckOfALaterHistoryIsPastAllOfAnEarlierOne) {
  NeededSegment needed(HistoryId(1), 1);
  needed.OnRead(2, At(1, 5, 5));
  needed.OnHistory(HistoryId(2));
  needed.OnRead(3, At(2, 0, 0));
  needed.OnRead(4, At(2, 7, 0));
  EXPECT_EQ(needed.OnAck(At(2, 1, 0)), 3u);
  EXPECT_EQ(needed.OnAck(At(2, 7, 0)), 4u);
}

TEST(NeededSegmentTest, AnAckOfAnEarlierHistoryIsPastNothingOfALaterOne) {
  NeededSegment needed(HistoryId(1), 1);
  needed.OnHistory(HistoryId(2));
  needed.OnRead(2, At(2, 0, 0));
  EXPECT_EQ(needed.OnAck(At(1, 9, 9)), 1u);
}

}  // namespace
}  // namespace tidemark::wal
