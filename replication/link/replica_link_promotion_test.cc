// What a replica's link does about histories that descend, and about a primary that hands over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "replication/link/replica_link.h"

namespace tidemark::replication {
namespace {

using State = ReplicaLink::State;

constexpr HistoryId kParent{4};
constexpr HistoryId kHistory{5};
constexpr ShardPosition kHeld{Sequence(10), 77};

class CountingReceiver final : public FrameReceiver {
 public:
  std::optional<ReplicaPosition> Position() override { return position; }
  ReplicaPosition Held() override { return held; }
  bool HoldsKeys() override { return true; }
  void OnPlan(const StreamPlan& p) override { plan = p; }
  absl::Status OnFrame(FrameRef, Sequence) override {
    ++frames;
    return absl::OkStatus();
  }
  void OnSnapshotEnd() override {}
  void OnLinkLost() override {}

  ReplicaPosition held = {kParent, {kHeld}};
  ReplicaPosition position = held;
  StreamPlan plan;
  int frames = 0;
};

// A replica of one shard that holds kHeld of kParent, and a primary of its child kHistory.
class ReplicaLinkPromotionTest : public testing::Test {
 protected:
  static ReplicaLink::Options Named() {
    ReplicaLink::Options options;
    options.node_id = "node";
    options.token = "secret";
    return options;
  }
  void Connect(wire::ShardPlan::Source source, uint64_t fork) {
    link_->Tick(now_ms_);
    link_->OnConnected(now_ms_);
    wire::Accept accept;
    accept.set_version(1);
    accept.set_history(kHistory.value());
    accept.set_continues(kParent.value());
    accept.set_heartbeat_interval_ms(100);
    wire::Ancestor* ancestor = accept.add_ancestors();
    ancestor->set_history(kParent.value());
    ancestor->add_fork(fork);
    wire::ShardPlan* shard = accept.add_shards();
    shard->set_source(source);
    shard->set_watermark(kHeld.sequence.value());
    shard->set_stream_digest(kHeld.stream_digest);
    shard->set_entries(1);
    Say(accept);
  }
  void Say(const ControlMessage& message) { link_->OnBytes(EncodeControl(message), now_ms_); }
  // The mutation after kHeld, as sealed in `history`.
  FrameRef FrameOf(HistoryId history) {
    OpenFrame open;
    open.Commit(EncodeDelete(open.Reserve(RecordBytesBound(1, 0)), "k", 0));
    FrameHeader header;
    header.history = history;
    header.record_count = 1;
    header.first_sequence = header.last_sequence = Next(kHeld.sequence);
    header.stream_digest = StreamDigest(kHeld.stream_digest, open.payload());
    return open.Seal(header);
  }
  static wire::Promote Order(uint64_t emitted, std::string token = "secret", bool force = false) {
    wire::Promote order;
    order.set_history(kHistory.value());
    order.add_emitted(emitted);
    order.set_token(std::move(token));
    order.set_force(force);
    return order;
  }

  int64_t now_ms_ = 1'000;
  CountingReceiver receiver_;
  std::optional<ReplicaLink> link_{std::in_place, Named(), &receiver_, now_ms_};
};

TEST_F(ReplicaLinkPromotionTest, FramesBelowTheForkKeepTheNameOfTheAncestor) {
  Connect(wire::ShardPlan::SOURCE_BACKLOG, 11);
  ASSERT_EQ(link_->state(), State::kStreaming);
  link_->OnBytes(FrameOf(kParent)->bytes(), now_ms_);
  EXPECT_EQ(receiver_.frames, 1);
  EXPECT_EQ(receiver_.plan.ancestors, (std::vector<Ancestor>{{kParent, {Sequence(11)}}}));
}

TEST_F(ReplicaLinkPromotionTest, AFrameOfTheAncestorBeyondTheForkIsNotOfTheStream) {
  Connect(wire::ShardPlan::SOURCE_BACKLOG, 10);
  link_->OnBytes(FrameOf(kParent)->bytes(), now_ms_);
  EXPECT_EQ(receiver_.frames, 0);
  EXPECT_EQ(link_->state(), State::kClosing);
}

TEST_F(ReplicaLinkPromotionTest, WhatASnapshotDiscardsIsNamed) {
  Connect(wire::ShardPlan::SOURCE_SNAPSHOT, 7);
  ASSERT_EQ(link_->discarded().size(), 1u);
  EXPECT_EQ(link_->discarded()[0].first, Sequence(8));
  EXPECT_EQ(link_->discarded()[0].last, Sequence(10));
  EXPECT_EQ(link_->counters().discarded_records, 3u);
}

TEST_F(ReplicaLinkPromotionTest, WhatASnapshotDiscardsIsNamedWhereNoPositionDescribesIt) {
  receiver_.position = {};
  Connect(wire::ShardPlan::SOURCE_SNAPSHOT, 7);
  ASSERT_EQ(link_->discarded().size(), 1u);
  EXPECT_EQ(link_->discarded()[0].first, Sequence(8));
  EXPECT_EQ(link_->discarded()[0].last, Sequence(10));
}

TEST_F(ReplicaLinkPromotionTest, ASnapshotThatOnlyHelpsItCatchUpDiscardsNothing) {
  Connect(wire::ShardPlan::SOURCE_SNAPSHOT, 12);
  EXPECT_TRUE(link_->discarded().empty());
}

TEST_F(ReplicaLinkPromotionTest, AnOrderIsTakenOnceAllIsApplied) {
  Connect(wire::ShardPlan::SOURCE_CURRENT, 10);
  Say(Order(10));
  EXPECT_TRUE(link_->TakePromotionOrder());
  EXPECT_FALSE(link_->TakePromotionOrder()) << "it was taken";
}

TEST_F(ReplicaLinkPromotionTest, OrdersThatCannotBeFollowedEndTheLink) {
  const std::vector<wire::Promote> orders = {Order(11), Order(10, "guessed"), Order(10, "")};
  for (const wire::Promote& order : orders) {
    link_.emplace(Named(), &receiver_, now_ms_);
    Connect(wire::ShardPlan::SOURCE_CURRENT, 10);
    Say(order);
    EXPECT_FALSE(link_->TakePromotionOrder());
    EXPECT_EQ(link_->state(), State::kClosing);
  }
}

TEST_F(ReplicaLinkPromotionTest, ForceTakesWhatThereIs) {
  Connect(wire::ShardPlan::SOURCE_CURRENT, 10);
  Say(Order(11, "secret", /*force=*/true));
  EXPECT_TRUE(link_->TakePromotionOrder());
  EXPECT_EQ(link_->emitted(), Watermarks{Sequence(11)}) << "what the promotion will say is lost";
}

TEST_F(ReplicaLinkPromotionTest, AnOrderOfALinkThatIsGoneIsForgotten) {
  Connect(wire::ShardPlan::SOURCE_CURRENT, 10);
  Say(Order(10));
  link_->OnDisconnected(absl::UnavailableError("cut"), now_ms_);
  EXPECT_FALSE(link_->TakePromotionOrder());
}

TEST_F(ReplicaLinkPromotionTest, AGoodbyeSaysWhereTheNewPrimaryIs) {
  Connect(wire::ShardPlan::SOURCE_CURRENT, 10);
  wire::Goodbye moved;
  moved.set_code(wire::Goodbye::MOVED);
  moved.set_moved_host("10.0.0.7");
  moved.set_moved_port(6379);
  Say(moved);
  const auto where = link_->TakeNewPrimary();
  ASSERT_TRUE(where.has_value());
  EXPECT_EQ(where->host, "10.0.0.7");
  EXPECT_EQ(where->port, 6379);
  EXPECT_FALSE(link_->TakeNewPrimary().has_value());
}

TEST_F(ReplicaLinkPromotionTest, AGoodbyeToNowhereIsOnlyAGoodbye) {
  Connect(wire::ShardPlan::SOURCE_CURRENT, 10);
  wire::Goodbye moved;
  moved.set_code(wire::Goodbye::MOVED);
  moved.set_moved_host("10.0.0.7");
  moved.set_moved_port(70'000);
  Say(moved);
  EXPECT_FALSE(link_->TakeNewPrimary().has_value());
  EXPECT_EQ(link_->state(), State::kBackoff);
}

}  // namespace
}  // namespace tidemark::replication
