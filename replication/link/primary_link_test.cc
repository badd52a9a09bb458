#include "replication/link/primary_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/format/open_frame.h"

namespace tidemark::replication {
namespace {

using testing::HasSubstr;
using State = PrimaryLink::State;

class FakeSource final : public StreamSource {
 public:
  std::optional<wire::Refuse> Admit(const ReplicaIdentity& replica) override {
    admitted.push_back(replica.node_id);
    return refusal;
  }
  void Subscribe(const ReplicaPosition& position) override { asked.push_back(position); }
  Watermarks Emitted() override { return {Sequence(9), Sequence(4)}; }
  int64_t UnixMillis() override { return 1'700'000'000'000; }

  std::optional<wire::Refuse> refusal;
  std::vector<std::string> admitted;
  std::vector<ReplicaPosition> asked;
};

class PrimaryLinkTest : public testing::Test {
 protected:
  static PrimaryLink::Options WithToken() {
    PrimaryLink::Options options;
    options.tokens = {.current = "new", .previous = "old"};
    return options;
  }
  static wire::Hello GoodHello() {
    wire::Hello hello;
    hello.set_min_version(1);
    hello.set_max_version(1);
    hello.set_role(wire::Hello::ROLE_REPLICA);
    hello.set_node_id("node");
    hello.set_token("new");
    hello.set_history(5);
    hello.set_shard_count(2);
    for (const uint64_t sequence : {3, 4}) {
      hello.add_applied(sequence);
      hello.add_stream_digests(sequence * 11);
    }
    return hello;
  }
  void Say(const ControlMessage& message) { link_.OnBytes(EncodeControl(message), now_ms_); }
  // Writes out all there is and returns the control messages of it.
  std::vector<ControlMessage> Heard() {
    std::string bytes;
    while (link_.output_bytes() > 0) {
      std::vector<std::string_view> pieces;
      link_.Gather(1, &pieces);
      bytes += pieces[0];
      link_.OnWritten(pieces[0].size(), now_ms_);
    }
    MessageReader reader({});
    std::vector<ControlMessage> messages;
    std::string_view input = bytes;
    LinkMessage message;
    while (*reader.Next(&input, &message)) {
      if (auto* control = std::get_if<ControlMessage>(&message)) messages.push_back(*control);
    }
    return messages;
  }
  wire::Refuse::Code Refusal() {
    const std::vector<ControlMessage> heard = Heard();
    EXPECT_TRUE(link_.closed());
    if (heard.size() != 1 || !std::holds_alternative<wire::Refuse>(heard[0])) {
      return wire::Refuse::CODE_UNKNOWN;
    }
    return std::get<wire::Refuse>(heard[0]).code();
  }
  void Stream() {
    Say(GoodHello());
    StreamPlan plan{.history = HistoryId(5), .shards = {}};
    for (const uint64_t sequence : {3, 4}) {
      plan.shards.push_back({.source = CatchUpSource::kBacklog,
                             .at = {Sequence(sequence), sequence * 11},
                             .entries = 0});
    }
    link_.OnPlan(plan, now_ms_);
    Heard();
  }
  static wire::Ack AckOf(uint64_t received, uint64_t applied) {
    wire::Ack ack;
    ack.add_received(received);
    ack.add_received(4);
    ack.add_applied(applied);
    ack.add_applied(4);
    return ack;
  }

  int64_t now_ms_ = 1'000;
  FakeSource source_;
  PrimaryLink link_{WithToken(), &source_, now_ms_};
};

TEST_F(PrimaryLinkTest, AGoodHelloIsAdmittedAndSubscribedFromItsPosition) {
  Say(GoodHello());
  EXPECT_EQ(link_.state(), State::kDeciding);
  ASSERT_EQ(source_.asked.size(), 1u);
  EXPECT_EQ(source_.asked[0].history, HistoryId(5));
  EXPECT_EQ(source_.asked[0].shards[1], (ShardPosition{Sequence(4), 44}));
}

TEST_F(PrimaryLinkTest, AcceptNamesTheAncestorsThatHadAsManyShards) {
  PrimaryLink::Options options = WithToken();
  options.ancestors = {{HistoryId(1), {Sequence(9)}}, {HistoryId(2), {Sequence(3), Sequence(4)}}};
  link_.~PrimaryLink();
  new (&link_) PrimaryLink(options, &source_, now_ms_);
  Say(GoodHello());
  StreamPlan plan{.history = HistoryId(5), .shards = {}};
  plan.shards.resize(2);
  link_.OnPlan(plan, now_ms_);
  const wire::Accept accept = std::get<wire::Accept>(Heard().at(0));
  ASSERT_EQ(accept.ancestors_size(), 1);
  EXPECT_EQ(accept.ancestors(0).history(), 2u);
  EXPECT_EQ(accept.ancestors(0).fork(1), 4u);
}

TEST_F(PrimaryLinkTest, AMixedPlanSaysWhereTheCutIsAndEndsWithTheSnapshotsOfSomeShards) {
  wire::Hello hello = GoodHello();
  hello.set_takes_mixed_plans(true);
  hello.add_diverged(1);
  Say(hello);
  EXPECT_EQ(source_.asked[0].diverged, std::vector<ShardId>{ShardId(1)});
  StreamPlan plan{.history = HistoryId(5), .shards = {}, .continues = HistoryId(5)};
  plan.shards.push_back(
      {.source = CatchUpSource::kBacklog, .at = {Sequence(3), 33}, .cut = {Sequence(9), 99}});
  plan.shards.push_back(
      {.source = CatchUpSource::kSnapshot, .at = {Sequence(7), 77}, .diverged = true});
  link_.OnPlan(plan, now_ms_);
  const wire::Accept accept = std::get<wire::Accept>(Heard().at(0));
  EXPECT_EQ(accept.shards(0).cut(), 9u);
  EXPECT_EQ(accept.shards(0).cut_digest(), 99u);
  EXPECT_TRUE(accept.shards(1).diverged());
  EXPECT_EQ(link_.state(), State::kSnapshot);
  EXPECT_EQ(link_.counters().plans_mixed, 1u);
  OpenFrame open;
  FrameHeader header;
  header.history = HistoryId(5);
  header.kind = FrameKind::kSnapshotChunk;
  header.flags = kFrameFirst | kFrameLast;
  header.shard = ShardId(1);
  header.shard_count = 2;
  const FrameRef chunk = open.Seal(header);
  link_.Send(chunk, chunk.get());
  EXPECT_EQ(link_.state(), State::kStreaming);
}

TEST_F(PrimaryLinkTest, DivergenceOfAShardThatThereIsNotIsRefused) {
  wire::Hello hello = GoodHello();
  hello.add_diverged(2);
  Say(hello);
  EXPECT_EQ(Refusal(), wire::Refuse::BAD_HELLO);
}

TEST_F(PrimaryLinkTest, AStreamFromWhereTheReplicaStoodIsCountedApart) {
  Stream();
  EXPECT_EQ(link_.counters().plans_without_snapshot, 1);
  EXPECT_EQ(link_.counters().plans_with_snapshot, 0);
  EXPECT_EQ(link_.counters().positions_refused, 0);
}

TEST_F(PrimaryLinkTest, ASnapshotIsARefusedPositionOnlyOfAReplicaThatHadOne) {
  StreamPlan snapshot{.history = HistoryId(6), .shards = {}};
  snapshot.shards.push_back({.source = CatchUpSource::kSnapshot, .at = {}, .entries = 0});
  Say(GoodHello());
  link_.OnPlan(snapshot, now_ms_);
  EXPECT_EQ(link_.counters().plans_with_snapshot, 1);
  EXPECT_EQ(link_.counters().positions_refused, 1);

  link_.~PrimaryLink();
  new (&link_) PrimaryLink(WithToken(), &source_, now_ms_);
  wire::Hello empty = GoodHello();
  empty.clear_history();
  empty.set_shard_count(0);
  empty.clear_applied();
  empty.clear_stream_digests();
  Say(empty);
  link_.OnPlan(snapshot, now_ms_);
  EXPECT_EQ(link_.counters().plans_with_snapshot, 1);
  EXPECT_EQ(link_.counters().positions_refused, 0);
}

TEST_F(PrimaryLinkTest, ThePreviousTokenIsGoodWhileTokensRotate) {
  wire::Hello hello = GoodHello();
  hello.set_token("old");
  Say(hello);
  EXPECT_EQ(link_.state(), State::kDeciding);
}

TEST_F(PrimaryLinkTest, EachFaultOfAHelloHasItsOwnRefusal) {
  link_.Tick(now_ms_ += 500);
  EXPECT_EQ(Refusal(), wire::Refuse::NO_HELLO);

  const auto refusal_of = [&](const wire::Hello& hello) {
    link_.~PrimaryLink();
    new (&link_) PrimaryLink(WithToken(), &source_, now_ms_);
    Say(hello);
    return Refusal();
  };
  wire::Hello hello = GoodHello();
  hello.set_min_version(2);
  hello.set_max_version(3);
  EXPECT_EQ(refusal_of(hello), wire::Refuse::VERSION);
  for (const char* token : {"", "new ", "neW", "ne"}) {
    hello = GoodHello();
    hello.set_token(token);
    EXPECT_EQ(refusal_of(hello), wire::Refuse::TOKEN) << token;
  }
  hello = GoodHello();
  hello.add_applied(1);
  EXPECT_EQ(refusal_of(hello), wire::Refuse::BAD_HELLO);
  hello = GoodHello();
  hello.set_role(wire::Hello::ROLE_UNKNOWN);
  EXPECT_EQ(refusal_of(hello), wire::Refuse::BAD_HELLO);
  EXPECT_TRUE(source_.admitted.empty());
  source_.refusal.emplace().set_code(wire::Refuse::TOO_MANY_REPLICAS);
  EXPECT_EQ(refusal_of(GoodHello()), wire::Refuse::TOO_MANY_REPLICAS);
}

TEST_F(PrimaryLinkTest, AnAckMovesTheVectors) {
  Stream();
  Say(AckOf(3, 3));
  EXPECT_EQ(link_.applied(), (Watermarks{Sequence(3), Sequence(4)}));
  EXPECT_EQ(link_.acks(), 1u);
}

TEST_F(PrimaryLinkTest, AnAckSaysWhatIsOnTheReplicasDisk) {
  Stream();
  wire::Ack ack = AckOf(3, 3);
  Say(ack);
  EXPECT_TRUE(link_.durable().empty()) << "it keeps no log";
  ack.add_durable(2);
  ack.add_durable(4);
  Say(ack);
  EXPECT_EQ(link_.durable(), (Watermarks{Sequence(2), Sequence(4)}));
  ack.set_durable(1, 0);
  Say(ack);
  EXPECT_EQ(link_.durable(), (Watermarks{Sequence(2), Sequence(0)})) << "its log began anew";
}

TEST_F(PrimaryLinkTest, ADurableThatCannotBeEndsTheLink) {
  struct Case {
    const char* what;
    std::vector<uint64_t> durable;
  };
  for (const Case& c :
       {Case{"beyond what was received", {4, 4}}, Case{"of another number of shards", {3}}}) {
    SCOPED_TRACE(c.what);
    link_.~PrimaryLink();
    new (&link_) PrimaryLink(WithToken(), &source_, now_ms_);
    Stream();
    wire::Ack ack = AckOf(3, 3);
    ack.add_durable(2);
    ack.add_durable(4);
    Say(ack);
    ASSERT_TRUE(link_.streaming());
    ack.clear_durable();
    for (const uint64_t each : c.durable) ack.add_durable(each);
    Say(ack);
    EXPECT_FALSE(link_.streaming());
  }
}

TEST_F(PrimaryLinkTest, AnAckOfMoreThanWasSentEndsTheLink) {
  Stream();
  Say(AckOf(4, 3));
  EXPECT_EQ(link_.state(), State::kClosing);
  EXPECT_EQ(std::get<wire::Goodbye>(Heard().at(0)).code(), wire::Goodbye::PROTOCOL);
}

TEST_F(PrimaryLinkTest, AnAckThatGoesBackEndsTheLink) {
  Stream();
  Say(AckOf(3, 3));
  Say(AckOf(3, 2));
  EXPECT_EQ(link_.state(), State::kClosing);
}

TEST_F(PrimaryLinkTest, HeartbeatsCarryTheEmittedVectorAlsoWhileDeciding) {
  Say(GoodHello());
  link_.Tick(now_ms_ += 100);
  const std::vector<ControlMessage> heard = Heard();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(std::get<wire::Heartbeat>(heard[0]).emitted(0), 9u);
}

TEST_F(PrimaryLinkTest, AReplicaThatIsSilentIsTold) {
  Stream();
  link_.Tick(now_ms_ += 4'999);
  EXPECT_TRUE(link_.streaming());
  Heard();
  link_.Tick(now_ms_ += 1);
  EXPECT_FALSE(link_.streaming());
  EXPECT_EQ(std::get<wire::Goodbye>(Heard().at(0)).code(), wire::Goodbye::SILENCE);
}

TEST_F(PrimaryLinkTest, OutputThatDoesNotMoveClosesTheLink) {
  Stream();
  link_.Tick(now_ms_ += 100);  // Queues a heartbeat, which nobody takes.
  for (int i = 0; i < 49; ++i) {
    Say(AckOf(3, 3));
    link_.Tick(now_ms_ += 100);
    EXPECT_FALSE(link_.closed());
  }
  link_.Tick(now_ms_ += 100);
  EXPECT_TRUE(link_.closed());
  EXPECT_THAT(link_.cause().ToString(), HasSubstr("no byte could be sent"));
}

TEST_F(PrimaryLinkTest, TheEndOfAShardsSnapshotFollowsItsLastChunk) {
  Say(GoodHello());
  StreamPlan plan{.history = HistoryId(5), .shards = {}};
  for (int i = 0; i < 2; ++i) {
    plan.shards.push_back(
        {.source = CatchUpSource::kSnapshot, .at = {Sequence(9), 1}, .entries = 0});
  }
  link_.OnPlan(plan, now_ms_);
  for (const uint16_t shard : {1, 0}) {
    Heard();
    EXPECT_EQ(link_.state(), State::kSnapshot);
    OpenFrame open;
    FrameRef chunk = open.Seal({.kind = FrameKind::kSnapshotChunk,
                                .flags = kFrameFirst | kFrameLast,
                                .history = HistoryId(5),
                                .shard = ShardId(shard),
                                .shard_count = 2,
                                .record_count = 0,
                                .first_sequence = Sequence(9),
                                .last_sequence = Sequence(9),
                                .stream_digest = 1});
    const Frame* same = chunk.get();
    link_.Send(std::move(chunk), same);
    const auto end = std::get<wire::SnapshotEnd>(Heard().at(0));
    EXPECT_EQ(end.shard(), shard);
    EXPECT_EQ(end.chunks(), 1u);
  }
  EXPECT_EQ(link_.state(), State::kStreaming);
}

TEST_F(PrimaryLinkTest, NothingIsReadAfterGoodbye) {
  Stream();
  link_.Close(wire::Goodbye::STOPPING, "bye", now_ms_);
  Say(AckOf(3, 3));
  EXPECT_EQ(link_.acks(), 0u);
  Heard();
  EXPECT_TRUE(link_.closed());
}

TEST_F(PrimaryLinkTest, AcceptNamesTheAncestorsOldestFirst) {
  PrimaryLink::Options options = WithToken();
  for (uint64_t i = 1; i <= 16; ++i) {
    options.ancestors.push_back({HistoryId(i), {Sequence(i), Sequence(i)}});
  }
  PrimaryLink link(options, &source_, now_ms_);
  link.OnBytes(EncodeControl(GoodHello()), now_ms_);
  StreamPlan plan{.history = HistoryId(50), .shards = {}, .continues = HistoryId(5)};
  plan.shards.resize(2);
  link.OnPlan(plan, now_ms_);
  std::vector<std::string_view> pieces;
  link.Gather(1, &pieces);
  MessageReader reader({});
  LinkMessage message;
  ASSERT_TRUE(*reader.Next(&pieces[0], &message));
  const auto& accept = std::get<wire::Accept>(std::get<ControlMessage>(message));
  ASSERT_EQ(accept.ancestors_size(), 16);
  EXPECT_EQ(accept.ancestors(0).history(), 1u);
  EXPECT_EQ(accept.ancestors(15).history(), 16u);
  EXPECT_EQ(accept.ancestors(15).fork(1), 16u);
}

TEST_F(PrimaryLinkTest, AReplicaIsAskedToTakeOverAndItsGoodbyeIsTheAnswer) {
  wire::Hello hello = GoodHello();
  hello.set_takes_promotion(true);
  Say(hello);
  StreamPlan plan{.history = HistoryId(5), .shards = {}};
  plan.shards.resize(2);
  link_.OnPlan(plan, now_ms_);
  Heard();
  link_.Promote(/*force=*/false);
  const std::vector<ControlMessage> heard = Heard();
  ASSERT_EQ(heard.size(), 1u);
  const auto& promote = std::get<wire::Promote>(heard[0]);
  EXPECT_EQ(promote.history(), 5u);
  EXPECT_EQ(promote.emitted(0), 9u);
  EXPECT_EQ(promote.token(), "new");
  wire::Goodbye goodbye;
  goodbye.set_code(wire::Goodbye::PROMOTED);
  Say(goodbye);
  ASSERT_TRUE(link_.heard_goodbye().has_value());
  EXPECT_EQ(link_.heard_goodbye()->code(), wire::Goodbye::PROMOTED);
}

TEST_F(PrimaryLinkTest, WhoHasMovedSaysWhere) {
  Stream();
  link_.CloseMoved("10.0.0.7", 6379, now_ms_);
  const std::vector<ControlMessage> heard = Heard();
  ASSERT_EQ(heard.size(), 1u);
  const auto& goodbye = std::get<wire::Goodbye>(heard[0]);
  EXPECT_EQ(goodbye.code(), wire::Goodbye::MOVED);
  EXPECT_EQ(goodbye.moved_host(), "10.0.0.7");
  EXPECT_EQ(goodbye.moved_port(), 6379u);
  EXPECT_TRUE(link_.closed());
}

}  // namespace
}  // namespace tidemark::replication
