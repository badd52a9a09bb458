// A consumer's end against bytes that no good node would send.

#include "wal/export/export_consumer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/link/wire_vectors.h"
#include "wal/export/fake_export_source.h"

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr HistoryId kHistory(7);

class ExportConsumerTest : public testing::Test {
 protected:
  ExportConsumerTest() { options_.name = "a"; }

  static std::string Accept(const Watermarks& positions, bool snapshot = false) {
    wire::Accept accept;
    accept.set_version(1);
    accept.set_history(kHistory.value());
    accept.set_shard_count(static_cast<uint32_t>(positions.size()));
    tidemark::ToWire(positions, accept.mutable_positions());
    accept.set_snapshot(snapshot);
    return ExportCodec::Encode(accept);
  }
  static std::string FrameOf(uint64_t first, uint32_t records, HistoryId history = kHistory,
                             int shards = 2) {
    return std::string(
        MakeTestFrame(history, ShardId(0), shards, Sequence(first), records, 5)->bytes());
  }
  // The error that ends the stream; OK: none did.
  absl::Status Feed(const std::string& bytes) {
    consumer_ = std::make_unique<ExportConsumer>(options_, 0);
    std::string_view input = bytes;
    ExportEvent event;
    while (true) {
      const absl::StatusOr<bool> got = consumer_->Next(&input, &event, 0);
      if (!got.ok()) return got.status();
      if (!*got) return absl::OkStatus();
      events_.push_back(event);
    }
  }
  // The type of the last control message that it said.
  uint8_t LastSaid() {
    std::vector<std::string_view> pieces;
    consumer_->Gather(100, &pieces);
    return pieces.empty() ? 0 : static_cast<uint8_t>(pieces.back()[5]);
  }

  ExportConsumer::Options options_;
  std::unique_ptr<ExportConsumer> consumer_;
  std::vector<ExportEvent> events_;
};

constexpr uint8_t kSaysHello = 1;
constexpr uint8_t kSaysGoodbye = 8;

TEST_F(ExportConsumerTest, FramesMoveTheCursor) {
  ASSERT_TRUE(Feed(Accept(Watermarks(2)) + FrameOf(1, 3) + FrameOf(4, 2)).ok());
  EXPECT_EQ(consumer_->cursor().sequences, (Watermarks{Sequence(5), Sequence(0)}));
}

TEST_F(ExportConsumerTest, WhatWasSeenIsSaidToBeSkipped) {
  ASSERT_TRUE(Feed(Accept({Sequence(2), Sequence(0)}) + FrameOf(1, 3)).ok());
  EXPECT_EQ(std::get<Changes>(events_.back()).skip_through, Sequence(2));
  EXPECT_EQ(consumer_->cursor().sequences[0], Sequence(3));
}

TEST_F(ExportConsumerTest, BadStreamsEndWithAGoodbye) {
  wire::HistoryChange change;
  change.set_history(8);
  change.set_shard_count(2);
  change.add_positions(1);
  wire::SnapshotEnd end;
  end.set_chunks(5);
  const std::string good = Accept(Watermarks(2));
  const std::vector<std::string> bad = {
      FrameOf(1, 1),                                // Before Accept.
      good + good,                                  // Accepted twice.
      good + FrameOf(2, 1),                         // A hole.
      good + FrameOf(1, 1, HistoryId(9)),           // Of another history.
      good + FrameOf(1, 1, kHistory, 3),            // Of another number of shards.
      good + ExportCodec::Encode(change),           // One position for two shards.
      good + ExportCodec::Encode(end),              // The end of no snapshot.
      Accept(Watermarks(2), true) + FrameOf(1, 1),  // Mutations before the snapshot's end.
      Accept(Watermarks(2), true) + ExportCodec::Encode(end),  // Chunks are missing.
      Accept({}),
      "HTTP/1.1 400 Bad Request\r\n",
  };
  for (const std::string& bytes : bad) {
    EXPECT_FALSE(Feed(bytes).ok()) << testing::PrintToString(bytes);
    EXPECT_EQ(LastSaid(), kSaysGoodbye);
  }
}

TEST_F(ExportConsumerTest, AFrameAboveTheBoundIsRefused) {
  options_.max_frame_bytes = 1'000;
  EXPECT_EQ(Feed(Accept(Watermarks(2)) + FrameOf(1, 100)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ExportConsumerTest, ConnectModeSaysNothingToWhoeverLacksTheToken) {
  options_.dialled = true;
  options_.token = "secret";
  wire::Dial dial;
  dial.set_min_version(1);
  dial.set_max_version(1);
  dial.set_token("guess");
  EXPECT_EQ(Feed(ExportCodec::Encode(dial)).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(LastSaid(), 0);
  dial.set_token("secret");
  EXPECT_TRUE(Feed(ExportCodec::Encode(dial)).ok());
  EXPECT_EQ(LastSaid(), kSaysHello);
}

TEST_F(ExportConsumerTest, ARefusalNamesWhatIsLost) {
  wire::Refuse refuse;
  refuse.set_code(wire::Refuse::POSITION_LOST);
  refuse.set_text("gone\n\x1b[31m");
  wire::LostRange* lost = refuse.add_lost();
  lost->set_shard(1);
  lost->set_first(3);
  lost->set_last(9);
  ASSERT_TRUE(Feed(ExportCodec::Encode(refuse)).ok());
  const auto& refused = std::get<StreamRefused>(events_.back());
  EXPECT_THAT(refused.lost, ElementsAre(LostRange{ShardId(1), Sequence(3), Sequence(9)}));
  EXPECT_EQ(refused.text, "gone??[31m");
}

TEST_F(ExportConsumerTest, ItNoticesThatNothingComesAnyMore) {
  ASSERT_TRUE(Feed("").ok());
  EXPECT_FALSE(consumer_->silent(29'999));
  EXPECT_TRUE(consumer_->silent(30'000)) << "not even an Accept";
  const std::string accept = Accept(Watermarks(2), true);
  std::string_view input = accept;
  ExportEvent event;
  ASSERT_TRUE(consumer_->Next(&input, &event, 20'000).ok());
  EXPECT_FALSE(consumer_->silent(49'999));
  EXPECT_TRUE(consumer_->silent(50'000));
}

TEST_F(ExportConsumerTest, ItSaysThatItLivesEachInterval) {
  ASSERT_TRUE(Feed(Accept(Watermarks(2), true)).ok());
  std::vector<std::string_view> before;
  consumer_->Gather(100, &before);
  consumer_->Tick(999);
  std::vector<std::string_view> still;
  consumer_->Gather(100, &still);
  EXPECT_EQ(still.size(), before.size());
  consumer_->Tick(1'000);
  std::vector<std::string_view> after;
  consumer_->Gather(100, &after);
  EXPECT_EQ(after.size(), before.size() + 1);
}

}  // namespace
}  // namespace tidemark::wal
