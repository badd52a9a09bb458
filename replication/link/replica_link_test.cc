#include "replication/link/replica_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/format/open_frame.h"
#include "base/format/record.h"

namespace tidemark::replication {
namespace {

using testing::HasSubstr;
using State = ReplicaLink::State;

class FakeReceiver final : public FrameReceiver {
 public:
  std::optional<ReplicaPosition> Position() override { return position; }
  ReplicaPosition Held() override { return position.value_or(ReplicaPosition()); }
  bool HoldsKeys() override { return holds_keys; }
  void OnPlan(const StreamPlan& plan) override { ++plans; }
  absl::Status OnFrame(FrameRef frame, Sequence skip_through) override {
    frames.push_back(frame);
    skips.push_back(skip_through);
    return absl::OkStatus();
  }
  void OnSnapshotEnd() override { ++snapshot_ends; }
  void OnLinkLost() override { ++losses; }

  std::optional<ReplicaPosition> position = ReplicaPosition();
  bool holds_keys = false;
  int plans = 0;
  int snapshot_ends = 0;
  int losses = 0;
  std::vector<FrameRef> frames;
  std::vector<Sequence> skips;
};

constexpr HistoryId kHistory{5};

// The primary's side of a stream of one shard, by hand.
class Stream {
 public:
  // A frame of `records` deletions.
  FrameRef Next(int records) {
    OpenFrame open;
    for (int i = 0; i < records; ++i) {
      open.Commit(EncodeDelete(open.Reserve(RecordBytesBound(1, 0)), "k", 0));
    }
    digest_ = StreamDigest(digest_, open.payload());
    FrameHeader header;
    header.history = kHistory;
    header.shard_count = shard_count;
    header.record_count = static_cast<uint32_t>(records);
    header.first_sequence = Sequence(sequence_ + 1);
    header.last_sequence = Sequence(sequence_ += static_cast<uint64_t>(records));
    header.stream_digest = digest_;
    return open.Seal(header);
  }
  ShardPosition position() const { return {Sequence(sequence_), digest_}; }

  uint16_t shard_count = 1;

 private:
  uint64_t sequence_ = 0;
  uint64_t digest_ = 0;
};

class ReplicaLinkTest : public testing::Test {
 protected:
  static ReplicaLink::Options Named(
      AcceptForeignHistory foreign = AcceptForeignHistory::kNonempty) {
    ReplicaLink::Options options;
    options.node_id = "node";
    options.accept_foreign_history = foreign;
    return options;
  }
  void Connect() {
    link_->Tick(now_ms_);
    ASSERT_EQ(link_->state(), State::kConnecting);
    link_->OnConnected(now_ms_);
    Heard();
  }
  wire::Accept AcceptOf(wire::ShardPlan::Source source, ShardPosition at, uint64_t entries = 0) {
    wire::Accept accept;
    accept.set_version(1);
    accept.set_history(kHistory.value());
    accept.set_heartbeat_interval_ms(100);
    wire::ShardPlan* shard = accept.add_shards();
    shard->set_source(source);
    shard->set_watermark(at.sequence.value());
    shard->set_stream_digest(at.stream_digest);
    shard->set_entries(entries);
    return accept;
  }
  // As a replica that has what stream_ has so far.
  void Continue() {
    receiver_.position = ReplicaPosition{kHistory, {stream_.position()}};
    Connect();
    Say(AcceptOf(wire::ShardPlan::SOURCE_CURRENT, stream_.position()));
    ASSERT_EQ(link_->state(), State::kStreaming);
  }
  void Say(const ControlMessage& message) { link_->OnBytes(EncodeControl(message), now_ms_); }
  void Send(const FrameRef& frame) { link_->OnBytes(frame->bytes(), now_ms_); }
  std::vector<ControlMessage> Heard() {
    std::string bytes;
    while (link_->output_bytes() > 0) {
      std::vector<std::string_view> pieces;
      link_->Gather(1, &pieces);
      bytes += pieces[0];
      link_->OnWritten(pieces[0].size(), now_ms_);
    }
    MessageReader reader({});
    std::vector<ControlMessage> messages;
    std::string_view input = bytes;
    LinkMessage message;
    while (*reader.Next(&input, &message)) {
      messages.push_back(std::get<ControlMessage>(message));
    }
    return messages;
  }
  wire::Goodbye::Code GoodbyeCode() {
    const std::vector<ControlMessage> heard = Heard();
    if (heard.empty()) return wire::Goodbye::CODE_UNKNOWN;
    const auto* goodbye = std::get_if<wire::Goodbye>(&heard.back());
    return goodbye == nullptr ? wire::Goodbye::CODE_UNKNOWN : goodbye->code();
  }
  void Restart(AcceptForeignHistory foreign) { link_.emplace(Named(foreign), &receiver_, now_ms_); }

  int64_t now_ms_ = 1'000;
  FakeReceiver receiver_;
  Stream stream_;
  std::optional<ReplicaLink> link_{std::in_place, Named(), &receiver_, now_ms_};
};

TEST_F(ReplicaLinkTest, WhatIsStillBeingAppliedIsAwaitedBeforeHello) {
  receiver_.position.reset();
  link_->Tick(now_ms_);
  EXPECT_FALSE(link_->wants_connection());
  receiver_.position.emplace();
  link_->Tick(now_ms_ = link_->NextDeadlineMs());
  EXPECT_TRUE(link_->wants_connection());
}

TEST_F(ReplicaLinkTest, ADescendantOfItsHistoryGoesOnWithWhatItHas) {
  stream_.Next(2);
  receiver_.position = ReplicaPosition{HistoryId(4), {stream_.position()}};
  Connect();
  wire::Accept accept = AcceptOf(wire::ShardPlan::SOURCE_CURRENT, stream_.position());
  accept.set_continues(4);
  Say(accept);
  ASSERT_EQ(link_->state(), State::kStreaming);
  Send(stream_.Next(1));  // Of the new history.
  EXPECT_EQ(receiver_.frames.size(), 1u);
}

TEST_F(ReplicaLinkTest, LearnsFromAcceptWhereItsHistoryComesFrom) {
  Connect();
  wire::Accept accept = AcceptOf(wire::ShardPlan::SOURCE_SNAPSHOT, {Sequence(9), 2}, 1);
  wire::Ancestor* parent = accept.add_ancestors();
  parent->set_history(3);
  parent->add_fork(8);
  Say(accept);
  ASSERT_EQ(link_->state(), State::kSnapshot);
  EXPECT_EQ(link_->plan().ancestors, (std::vector<Ancestor>{{HistoryId(3), {Sequence(8)}}}));
}

TEST_F(ReplicaLinkTest, AnAncestorOfAnotherNumberOfShardsEndsTheLink) {
  Connect();
  wire::Accept accept = AcceptOf(wire::ShardPlan::SOURCE_SNAPSHOT, {Sequence(9), 2}, 1);
  accept.add_ancestors()->set_history(3);
  Say(accept);
  EXPECT_EQ(receiver_.plans, 0);
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::PROTOCOL);
}

TEST_F(ReplicaLinkTest, AnotherHistoryThatDoesNotContinueItsOwnIsNotGoneOnWith) {
  stream_.Next(2);
  receiver_.position = ReplicaPosition{HistoryId(4), {stream_.position()}};
  Connect();
  Say(AcceptOf(wire::ShardPlan::SOURCE_CURRENT, stream_.position()));
  EXPECT_EQ(receiver_.plans, 0);
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::PROTOCOL);
}

TEST_F(ReplicaLinkTest, AChangedTokenIsShownFromTheNextConnectionOn) {
  link_->set_token("new");
  link_->Tick(now_ms_);
  link_->OnConnected(now_ms_);
  const std::vector<ControlMessage> heard = Heard();
  ASSERT_EQ(heard.size(), 1);
  const auto* hello = std::get_if<wire::Hello>(&heard.front());
  ASSERT_NE(hello, nullptr);
  EXPECT_EQ(hello->token(), "new");
}

TEST_F(ReplicaLinkTest, FramesInOrderAreGivenOn) {
  Continue();
  Send(stream_.Next(3));
  Send(stream_.Next(1));
  EXPECT_EQ(receiver_.frames.size(), 2u);
  EXPECT_EQ(link_->received(), Watermarks{Sequence(4)});
}

TEST_F(ReplicaLinkTest, AGapEndsTheLinkBeforeAnythingOfItIsGivenOn) {
  Continue();
  stream_.Next(1);
  Send(stream_.Next(1));
  EXPECT_TRUE(receiver_.frames.empty());
  EXPECT_EQ(link_->counters().gaps, 1u);
  EXPECT_EQ(receiver_.losses, 1);
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::PROTOCOL);
  EXPECT_EQ(link_->state(), State::kBackoff);
}

TEST_F(ReplicaLinkTest, AnotherStreamIsKnownByItsDigest) {
  stream_.Next(2);
  Continue();
  Stream other;
  other.Next(1);
  other.Next(1);
  Send(other.Next(1));
  EXPECT_TRUE(receiver_.frames.empty());
  EXPECT_EQ(link_->counters().digest_mismatches, 1u);
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::DIGEST);
}

// --- Mixed plans ---

// Two shards, of which the second gets a snapshot.
class MixedPlanLinkTest : public ReplicaLinkTest {
 protected:
  // The cut is where stream_ will be after so many records more.
  wire::Accept MixedAccept(int more) {
    Stream at_cut = stream_;
    if (more > 0) at_cut.Next(more);
    return MixedAccept(at_cut.position());
  }
  wire::Accept MixedAccept(const ShardPosition& cut) {
    wire::Accept accept = AcceptOf(wire::ShardPlan::SOURCE_BACKLOG, stream_.position());
    accept.mutable_shards(0)->set_cut(cut.sequence.value());
    accept.mutable_shards(0)->set_cut_digest(cut.stream_digest);
    wire::ShardPlan* snapshot = accept.add_shards();
    snapshot->set_source(wire::ShardPlan::SOURCE_SNAPSHOT);
    snapshot->set_watermark(30);
    return accept;
  }
  wire::Hello HelloNow() {
    link_->Tick(now_ms_ = link_->NextDeadlineMs());
    link_->OnConnected(now_ms_);
    return std::get<wire::Hello>(Heard().back());
  }
  void Begin(int more) {
    receiver_.position = ReplicaPosition{kHistory, {stream_.position(), {Sequence(9), 90}}};
    Connect();
    Say(MixedAccept(more));
    ASSERT_EQ(link_->state(), State::kSnapshot);
  }
  static FrameRef EmptyChunk() {
    OpenFrame open;
    FrameHeader header;
    header.history = kHistory;
    header.kind = FrameKind::kSnapshotChunk;
    header.flags = kFrameFirst | kFrameLast;
    header.shard = ShardId(1);
    header.shard_count = 2;
    header.first_sequence = header.last_sequence = Sequence(30);
    return open.Seal(header);
  }
  void EndSnapshot() {
    Send(EmptyChunk());
    wire::SnapshotEnd end;
    end.set_shard(1);
    end.set_chunks(1);
    Say(end);
  }
};

TEST_F(MixedPlanLinkTest, EndsOnceTheSnapshotIsWholeAndTheOthersAreAtTheCut) {
  stream_.shard_count = 2;
  Begin(5);
  EXPECT_EQ(link_->counters().plans_mixed, 1u);
  EndSnapshot();
  EXPECT_EQ(receiver_.snapshot_ends, 0) << "shard 0 is not at the cut";
  Send(stream_.Next(5));
  EXPECT_EQ(receiver_.snapshot_ends, 1);
  EXPECT_EQ(link_->state(), State::kStreaming);
}

TEST_F(MixedPlanLinkTest, WaitsForTheSnapshotWhereTheOthersAreAtTheCut) {
  stream_.shard_count = 2;
  Begin(5);
  Send(stream_.Next(5));
  EXPECT_EQ(receiver_.snapshot_ends, 0);
  EndSnapshot();
  EXPECT_EQ(receiver_.snapshot_ends, 1);
}

TEST_F(MixedPlanLinkTest, AnotherDigestAtTheCutEndsTheLink) {
  stream_.shard_count = 2;
  receiver_.position = ReplicaPosition{kHistory, {stream_.position(), {Sequence(9), 90}}};
  Connect();
  Say(MixedAccept(ShardPosition{Sequence(5), 0xbad}));
  Send(stream_.Next(5));
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::PROTOCOL);
}

TEST_F(MixedPlanLinkTest, AChunkOfAShardThatGoesOnEndsTheLink) {
  Begin(0);
  wire::SnapshotEnd end;
  end.set_shard(0);
  Say(end);
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::PROTOCOL);
}

TEST_F(MixedPlanLinkTest, ACutBelowThePositionEndsTheLink) {
  stream_.Next(3);
  receiver_.position = ReplicaPosition{kHistory, {stream_.position(), {Sequence(9), 90}}};
  Connect();
  Say(MixedAccept(ShardPosition{Sequence(2), 0}));
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::PROTOCOL);
}

TEST_F(MixedPlanLinkTest, WhatCouldNotBeCarriedOutIsNotAskedForAgainUntilASnapshotIsWhole) {
  stream_.shard_count = 2;
  Begin(5);
  link_->Fail(wire::Goodbye::PROTOCOL, absl::DataLossError("it cannot be applied"), now_ms_);
  Heard();
  EXPECT_FALSE(HelloNow().takes_mixed_plans());
  Say(MixedAccept(5));
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::PROTOCOL);
}

TEST_F(MixedPlanLinkTest, AShardThatDivergedIsNamedUntilASnapshotHasReplacedIt) {
  stream_.Next(2);
  Continue();
  Stream other;
  other.Next(1);
  other.Next(1);
  Send(other.Next(1));
  Heard();
  const wire::Hello hello = HelloNow();
  ASSERT_EQ(hello.diverged_size(), 1);
  EXPECT_EQ(hello.diverged(0), 0u);
  Say(AcceptOf(wire::ShardPlan::SOURCE_SNAPSHOT, {}));
  link_->OnDisconnected(absl::UnavailableError("cut"), now_ms_);
  EXPECT_EQ(HelloNow().diverged_size(), 1) << "the snapshot did not become whole";
  Say(AcceptOf(wire::ShardPlan::SOURCE_SNAPSHOT, {}));
  OpenFrame open;
  FrameHeader header;
  header.history = kHistory;
  header.kind = FrameKind::kSnapshotChunk;
  header.flags = kFrameFirst | kFrameLast;
  Send(open.Seal(header));
  wire::SnapshotEnd end;
  end.set_chunks(1);
  Say(end);
  ASSERT_EQ(link_->state(), State::kStreaming);
  link_->OnDisconnected(absl::UnavailableError("cut"), now_ms_);
  EXPECT_EQ(HelloNow().diverged_size(), 0);
}

TEST_F(ReplicaLinkTest, WhatWasReceivedBeforeIsSkippedAndCounted) {
  Continue();
  const FrameRef first = stream_.Next(3);
  Send(first);
  Send(first);
  EXPECT_EQ(receiver_.frames.size(), 1u);
  EXPECT_EQ(link_->counters().skipped_records, 3u);
}

TEST_F(ReplicaLinkTest, AFrameThatBeginsInWhatIsHereIsGivenOnWithWhatToSkip) {
  Stream longer = stream_;
  stream_.Next(2);
  Continue();
  Send(longer.Next(5));
  ASSERT_EQ(receiver_.skips.size(), 1u);
  EXPECT_EQ(receiver_.skips[0], Sequence(2));
  EXPECT_EQ(link_->counters().skipped_records, 2u);
  EXPECT_EQ(link_->received(), Watermarks{Sequence(5)});
}

TEST_F(ReplicaLinkTest, ADamagedByteEndsTheLink) {
  Continue();
  std::string bytes(stream_.Next(3)->bytes());
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  link_->OnBytes(bytes, now_ms_);
  EXPECT_TRUE(receiver_.frames.empty());
  EXPECT_EQ(link_->counters().damaged_messages, 1u);
}

TEST_F(ReplicaLinkTest, AStreamThatWasNotAskedForIsRefused) {
  stream_.Next(2);
  receiver_.position = ReplicaPosition{kHistory, {stream_.position()}};
  Connect();
  stream_.Next(1);
  Say(AcceptOf(wire::ShardPlan::SOURCE_BACKLOG, stream_.position()));
  EXPECT_EQ(receiver_.plans, 0);
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::PROTOCOL);
}

struct ForeignCase {
  AcceptForeignHistory setting;
  bool holds_keys;
  uint64_t entries;
  bool taken;
};
class ForeignHistoryTest : public ReplicaLinkTest,
                           public testing::WithParamInterface<ForeignCase> {};

TEST_P(ForeignHistoryTest, DataIsGivenUpOnlyAsSet) {
  Restart(GetParam().setting);
  receiver_.position = ReplicaPosition{HistoryId(99), {{Sequence(4), 1}}};
  receiver_.holds_keys = GetParam().holds_keys;
  Connect();
  Say(AcceptOf(wire::ShardPlan::SOURCE_SNAPSHOT, {Sequence(1), 2}, GetParam().entries));
  EXPECT_EQ(receiver_.plans, GetParam().taken ? 1 : 0);
  if (GetParam().taken) return;
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::FOREIGN_HISTORY);
  EXPECT_EQ(link_->state_name(), "refused");
  EXPECT_THAT(link_->last_failure().ToString(), HasSubstr("accept_foreign_history=always"));
  EXPECT_GE(link_->NextDeadlineMs(), now_ms_ + 2'500) << "tries again, but not soon";
}

INSTANTIATE_TEST_SUITE_P(
    All, ForeignHistoryTest,
    testing::Values(ForeignCase{AcceptForeignHistory::kNonempty, true, 0, false},
                    ForeignCase{AcceptForeignHistory::kNonempty, true, 1, true},
                    ForeignCase{AcceptForeignHistory::kNonempty, false, 0, true},
                    ForeignCase{AcceptForeignHistory::kNever, true, 1, false},
                    ForeignCase{AcceptForeignHistory::kNever, false, 1, true},
                    ForeignCase{AcceptForeignHistory::kAlways, true, 0, true}));

TEST_F(ReplicaLinkTest, AnEmptyPrimaryOfTheSameHistoryMayEmptyTheReplica) {
  receiver_.position = ReplicaPosition{kHistory, {{Sequence(4), 1}}};
  receiver_.holds_keys = true;
  Connect();
  Say(AcceptOf(wire::ShardPlan::SOURCE_SNAPSHOT, {Sequence(9), 2}, 0));
  EXPECT_EQ(receiver_.plans, 1);
}

TEST_F(ReplicaLinkTest, ASnapshotThatIsShortOfItsCountEndsTheLink) {
  Connect();
  Say(AcceptOf(wire::ShardPlan::SOURCE_SNAPSHOT, {Sequence(9), 2}, 1));
  EXPECT_EQ(link_->state(), State::kSnapshot);
  wire::SnapshotEnd end;
  end.set_chunks(1);
  Say(end);
  EXPECT_EQ(receiver_.snapshot_ends, 0);
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::PROTOCOL);
}

TEST_F(ReplicaLinkTest, AcksSayWhatIsAppliedAndWhichHeartbeatThatCovers) {
  Continue();
  Send(stream_.Next(3));
  wire::Heartbeat heartbeat;
  heartbeat.add_emitted(3);
  heartbeat.set_sent_ms(77);
  Say(heartbeat);
  auto ack = std::get<wire::Ack>(Heard().back());
  EXPECT_EQ(ack.received(0), 3u);
  EXPECT_EQ(ack.applied(0), 0u);
  EXPECT_EQ(ack.covered_ms(), 0);
  link_->OnApplied({Sequence(3)}, now_ms_);
  ack = std::get<wire::Ack>(Heard().back());
  EXPECT_EQ(ack.applied(0), 3u);
  EXPECT_EQ(ack.covered_ms(), 77);
  EXPECT_EQ(link_->current_as_of_ms(), now_ms_);
}

TEST_F(ReplicaLinkTest, NewsThatCameThroughAnotherReplicaIsAsOldAsItSays) {
  Continue();
  wire::Heartbeat heartbeat;
  heartbeat.add_emitted(0);
  heartbeat.set_sent_ms(1);
  heartbeat.set_behind_ms(-1);
  Say(heartbeat);
  EXPECT_EQ(link_->emitted_as_of_ms(), 0) << "not known";
  EXPECT_EQ(link_->current_as_of_ms(), 0);
  now_ms_ += 10'000;
  heartbeat.set_behind_ms(700);
  Say(heartbeat);
  EXPECT_EQ(link_->emitted_as_of_ms(), now_ms_ - 700);
  EXPECT_EQ(link_->current_as_of_ms(), now_ms_ - 700);
  // The sender's own link stands still: what it says grows older, and nothing goes back.
  now_ms_ += 100;
  heartbeat.set_behind_ms(850);
  Say(heartbeat);
  EXPECT_EQ(link_->current_as_of_ms(), now_ms_ - 800);
}

TEST_F(ReplicaLinkTest, LearnsWhichWayTheStreamComes) {
  receiver_.position = ReplicaPosition{kHistory, {stream_.position()}};
  Connect();
  wire::Accept accept = AcceptOf(wire::ShardPlan::SOURCE_CURRENT, stream_.position());
  accept.add_path("middle");
  accept.add_path("primary");
  Say(accept);
  EXPECT_THAT(link_->plan().path, testing::ElementsAre("middle", "primary"));
}

TEST_F(ReplicaLinkTest, AWayThatCannotBeEndsTheLink) {
  for (const size_t nodes : {size_t{1}, kMaxPathNodes + 1}) {
    Connect();
    wire::Accept accept = AcceptOf(wire::ShardPlan::SOURCE_SNAPSHOT, {});
    for (size_t i = 0; i < nodes; ++i) accept.add_path(nodes == 1 ? "" : "node");
    Say(accept);
    EXPECT_EQ(link_->state(), State::kClosing) << nodes;
    link_->OnDisconnected(absl::UnavailableError("gone"), now_ms_);
    now_ms_ = link_->NextDeadlineMs();
  }
}

TEST_F(ReplicaLinkTest, AcksSayWhatOfTheStreamIsOnThisReplicasDisk) {
  Continue();
  link_->OnApplied({Sequence(0)}, now_ms_);
  EXPECT_EQ(std::get<wire::Ack>(Heard().back()).durable_size(), 0) << "it keeps no log";
  Send(stream_.Next(3));
  link_->OnApplied({Sequence(3)}, now_ms_);
  link_->OnDurable({Sequence(2)}, now_ms_);
  EXPECT_EQ(std::get<wire::Ack>(Heard().back()).durable(0), 2u);
  // The log may hold more than came on this connection.
  link_->OnDurable({Sequence(9)}, now_ms_);
  EXPECT_EQ(std::get<wire::Ack>(Heard().back()).durable(0), 3u);
}

TEST_F(ReplicaLinkTest, WhatIsOnDiskAndNotAppliedIsNotYetAcknowledgedAsDurable) {
  Continue();
  Send(stream_.Next(3));
  link_->OnApplied({Sequence(1)}, now_ms_);
  link_->OnDurable({Sequence(3)}, now_ms_);
  EXPECT_EQ(std::get<wire::Ack>(Heard().back()).durable(0), 1u);
  link_->OnApplied({Sequence(3)}, now_ms_);
  EXPECT_EQ(std::get<wire::Ack>(Heard().back()).durable(0), 3u);
}

TEST_F(ReplicaLinkTest, NothingOfASnapshotIsDurableBeforeTheLogSaysSo) {
  Continue();
  Send(stream_.Next(3));
  link_->OnDurable({Sequence(3)}, now_ms_);
  link_->OnDisconnected(absl::UnavailableError("gone"), now_ms_);
  now_ms_ = link_->NextDeadlineMs();
  Connect();
  Say(AcceptOf(wire::ShardPlan::SOURCE_SNAPSHOT, stream_.position()));
  wire::Heartbeat heartbeat;
  heartbeat.add_emitted(3);
  Say(heartbeat);
  EXPECT_EQ(std::get<wire::Ack>(Heard().back()).durable(0), 0u);
}

TEST_F(ReplicaLinkTest, AcksDoNotQueueBehindEachOther) {
  Continue();
  Heard();
  for (uint64_t i = 1; i <= 100; ++i) {
    Send(stream_.Next(1));
    link_->OnApplied({Sequence(i)}, now_ms_);
  }
  const std::vector<ControlMessage> heard = Heard();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(std::get<wire::Ack>(heard[1]).applied(0), 100u);
}

TEST_F(ReplicaLinkTest, SilenceEndsTheLinkUnlessNobodyReads) {
  Continue();
  link_->OnReadingPaused(now_ms_);
  link_->Tick(now_ms_ += 60'000);
  EXPECT_EQ(link_->state(), State::kStreaming);
  link_->OnReadingResumed(now_ms_);
  link_->Tick(now_ms_ += 4'999);
  EXPECT_EQ(link_->state(), State::kStreaming);
  link_->Tick(now_ms_ += 1);
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::SILENCE);
}

TEST_F(ReplicaLinkTest, TheBackoffGrowsAndARefusalsAdviceIsKept) {
  int64_t longest = 0;
  for (int i = 0; i < 10; ++i) {
    link_->Tick(now_ms_ = std::max(now_ms_, link_->NextDeadlineMs()));
    ASSERT_EQ(link_->state(), State::kConnecting);
    link_->OnConnectFailed(absl::UnavailableError("refused"), now_ms_);
    longest = std::max(longest, link_->NextDeadlineMs() - now_ms_);
    EXPECT_LE(link_->NextDeadlineMs() - now_ms_, std::min<int64_t>(50 << i, 5'000));
  }
  EXPECT_GE(longest, 2'500);
  now_ms_ = link_->NextDeadlineMs();
  Connect();
  wire::Refuse refusal;
  refusal.set_code(wire::Refuse::TOKEN);
  refusal.set_retry_after_ms(30'000);
  Say(refusal);
  EXPECT_EQ(link_->NextDeadlineMs(), now_ms_ + 30'000);
  EXPECT_EQ(link_->state_name(), "refused");
}

TEST_F(ReplicaLinkTest, AStoppedLinkSaysGoodbyeAndStaysStopped) {
  Continue();
  link_->Stop(now_ms_);
  EXPECT_EQ(GoodbyeCode(), wire::Goodbye::STOPPING);
  EXPECT_EQ(link_->state(), State::kStopped);
  link_->Tick(now_ms_ += 100'000);
  EXPECT_FALSE(link_->wants_connection());
}

}  // namespace
}  // namespace tidemark::replication
