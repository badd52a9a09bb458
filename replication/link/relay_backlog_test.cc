#include "replication/link/relay_backlog.h"

#include <vector>

#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "gtest/gtest.h"

namespace tidemark::replication {
namespace {

constexpr HistoryId kHistory{7};

class NullReceiver final : public FrameReceiver {
 public:
  std::optional<ReplicaPosition> Position() override { return std::nullopt; }
  ReplicaPosition Held() override { return {}; }
  bool HoldsKeys() override { return false; }
  void OnPlan(const StreamPlan&) override { ++plans; }
  absl::Status OnFrame(FrameRef, Sequence) override {
    ++frames;
    return answer;
  }
  void OnSnapshotEnd() override {}
  void OnLinkLost() override {}

  int plans = 0;
  int frames = 0;
  absl::Status answer;
};

// One shard's stream, of frames of `records` mutations each.
class RelayBacklogTest : public testing::Test {
 protected:
  static StreamPlan PlanAt(ShardPosition at, CatchUpSource source = CatchUpSource::kBacklog) {
    StreamPlan plan;
    plan.history = kHistory;
    plan.shards = {{.source = source, .at = at, .entries = 0}};
    return plan;
  }
  // The frame after `end_`, which it moves.
  FrameRef NextFrame(uint32_t records = 2) {
    OpenFrame open;
    for (uint32_t i = 0; i < records; ++i) {
      open.Commit(EncodeDelete(open.Reserve(RecordBytesBound(1, 0)), "k", 0));
    }
    FrameHeader header;
    header.history = kHistory;
    header.record_count = records;
    header.first_sequence = Next(end_.sequence);
    header.last_sequence = Sequence(end_.sequence.value() + records);
    header.stream_digest = StreamDigest(end_.stream_digest, open.payload());
    end_ = {header.last_sequence, header.stream_digest};
    return open.Seal(header);
  }
  // Where each kept frame ends, as of `at`.
  std::vector<uint64_t> Kept(ShardPosition at) {
    std::vector<uint64_t> ends;
    for (const StreamTail& tail : relay_.Take({at})) {
      for (const FrameRef& frame : tail.frames) ends.push_back(frame->last_sequence().value());
    }
    return ends;
  }

  NullReceiver next_;
  RelayBacklog relay_{&next_, 1 << 20};
  ShardPosition end_{Sequence(10), 99};
};

TEST_F(RelayBacklogTest, KeepsWhatFollowsThePlanAndHandsEverythingOn) {
  const ShardPosition start = end_;
  relay_.OnPlan(PlanAt(start));
  ASSERT_TRUE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  ASSERT_TRUE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  EXPECT_EQ(next_.plans, 1);
  EXPECT_EQ(next_.frames, 2);
  const std::vector<StreamTail> tails = relay_.Take({end_});
  ASSERT_EQ(tails.size(), 1u);
  EXPECT_EQ(tails[0].before, start.sequence);
  EXPECT_EQ(tails[0].digest_before, start.stream_digest);
  ASSERT_EQ(tails[0].frames.size(), 2u);
  EXPECT_EQ(tails[0].frames.back()->stream_digest(), end_.stream_digest);
}

TEST_F(RelayBacklogTest, WhatWasReceivedAndNotAppliedIsNotOfTheStream) {
  relay_.OnPlan(PlanAt(end_));
  ASSERT_TRUE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  const ShardPosition applied = end_;
  ASSERT_TRUE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  EXPECT_EQ(Kept(applied), (std::vector<uint64_t>{12}));
}

TEST_F(RelayBacklogTest, TheNextConnectionGoesOnFromWhatIsApplied) {
  relay_.OnPlan(PlanAt(end_));
  ASSERT_TRUE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  const ShardPosition applied = end_;
  ASSERT_TRUE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  relay_.OnPlan(PlanAt(applied));
  end_ = applied;
  ASSERT_TRUE(relay_.OnFrame(NextFrame(3), Sequence()).ok());
  EXPECT_EQ(Kept(end_), (std::vector<uint64_t>{12, 15}));
}

TEST_F(RelayBacklogTest, ASnapshotAndAnotherPrefixBeginAnew) {
  relay_.OnPlan(PlanAt(end_));
  ASSERT_TRUE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  relay_.OnPlan(PlanAt({Sequence(500), 4}, CatchUpSource::kSnapshot));
  EXPECT_EQ(relay_.bytes(), 0u);
  end_ = {Sequence(500), 4};
  ASSERT_TRUE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  relay_.OnPlan(PlanAt({Sequence(501), 77}));  // Not where any frame of ours ends.
  EXPECT_EQ(relay_.bytes(), 0u);
}

TEST_F(RelayBacklogTest, AFrameThatBeginsInWhatIsHereCannotBeResumedFrom) {
  relay_.OnPlan(PlanAt(end_));
  ASSERT_TRUE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  end_ = {Sequence(11), 5};
  ASSERT_TRUE(relay_.OnFrame(NextFrame(4), Sequence(12)).ok());
  EXPECT_EQ(Kept(end_), std::vector<uint64_t>());
}

TEST_F(RelayBacklogTest, ARefusedFrameIsNotKept) {
  relay_.OnPlan(PlanAt(end_));
  next_.answer = absl::DataLossError("damaged");
  EXPECT_FALSE(relay_.OnFrame(NextFrame(), Sequence()).ok());
  EXPECT_EQ(relay_.bytes(), 0u);
}

TEST_F(RelayBacklogTest, NeverHoldsMoreThanItsBytes) {
  RelayBacklog small(&next_, 2'000);
  small.OnPlan(PlanAt(end_));
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(small.OnFrame(NextFrame(), Sequence()).ok());
    ASSERT_LE(small.bytes(), 2'000u);
  }
  const std::vector<StreamTail> tails = small.Take({end_});
  ASSERT_FALSE(tails[0].frames.empty());
  EXPECT_EQ(tails[0].frames.back()->last_sequence(), end_.sequence);
  EXPECT_EQ(Next(tails[0].before), tails[0].frames.front()->first_sequence());
}

TEST_F(RelayBacklogTest, WithoutBytesNothingIsKept) {
  RelayBacklog none(&next_, 0);
  none.OnPlan(PlanAt(end_));
  ASSERT_TRUE(none.OnFrame(NextFrame(), Sequence()).ok());
  EXPECT_EQ(next_.frames, 1);
  EXPECT_TRUE(none.Take({end_}).empty());
}

}  // namespace
}  // namespace tidemark::replication
