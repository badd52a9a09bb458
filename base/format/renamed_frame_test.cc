#include "base/format/renamed_frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string_view>

#include "base/format/open_frame.h"

namespace tidemark {
namespace {

TEST(RenamedFrameTest, OnlyTheHistoryIsAnother) {
  constexpr std::string_view kPayload = "not looked into";
  OpenFrame open;
  char* const p = open.Reserve(kPayload.size());
  std::memcpy(p, kPayload.data(), kPayload.size());
  open.Commit(p + kPayload.size());
  FrameHeader header;
  header.history = HistoryId(1);
  header.shard = ShardId(1);
  header.shard_count = 2;
  header.flags = kFrameTransactions;
  header.record_count = 3;
  header.first_sequence = Sequence(5);
  header.last_sequence = Sequence(7);
  header.stream_digest = 99;
  header.sealed_at_ms = 11;
  const FrameRef frame = open.Seal(header);

  const FrameRef renamed = RenamedFrame(*frame, HistoryId(2));
  EXPECT_EQ(renamed->history(), HistoryId(2));
  EXPECT_EQ(renamed->payload(), kPayload);
  EXPECT_EQ(renamed->shard(), ShardId(1));
  EXPECT_EQ(renamed->shard_count(), 2);
  EXPECT_EQ(renamed->flags(), kFrameTransactions);
  EXPECT_EQ(renamed->record_count(), 3u);
  EXPECT_EQ(renamed->first_sequence(), Sequence(5));
  EXPECT_EQ(renamed->last_sequence(), Sequence(7));
  EXPECT_EQ(renamed->stream_digest(), 99u);
  EXPECT_EQ(renamed->sealed_at_ms(), 11);
  // The name is under the checksum. The other fields and the payload stay as they are.
  EXPECT_EQ(frame->history(), HistoryId(1));
  EXPECT_NE(renamed->bytes(), frame->bytes());
  EXPECT_EQ(RenamedFrame(*renamed, HistoryId(1))->bytes(), frame->bytes());
}

}  // namespace
}  // namespace tidemark
