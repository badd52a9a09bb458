// Whom a replica that serves replicas admits, and what it says of the age of its news.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cache/keyspace.h"
#include "replication/link/primary_hub.h"
#include "replication/shard_relay.h"

namespace tidemark::replication {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr HistoryId kHistory{7};
constexpr HistoryId kParent{6};

class NoWaker final : public LinkWaker {
 public:
  void Wake() override {}
  void WakeShard(ShardId) override {}
};

// A node of one shard, whose work is done at once.
class OneShard final : public ShardAccess {
 public:
  OneShard() { relay.Attach(&keyspace); }

  int shard_count() const override { return 1; }
  HistoryId history() const override { return kHistory; }
  bool Knows(HistoryId history) const override { return history == kHistory || history == kParent; }
  Watermarks Emitted() const override { return {relay.publisher().published_emitted()}; }
  Watermarks BacklogLow() const override { return {relay.publisher().published_backlog_low()}; }
  void OnEachShard(EachShard each, Done done) override {
    PublishingShard shard{keyspace, relay.publisher(), relay.snapshots()};
    each(shard);
    done();
  }
  void AtCut(EachShard each, Done done) override { OnEachShard(std::move(each), std::move(done)); }

  BacklogBudget budget{1 << 20, 1};
  cache::Keyspace keyspace{{.sink = nullptr, .effects_only = true}};
  ShardRelay relay{{.budget = &budget}, {}};
};

class RelayHubTest : public testing::Test {
 protected:
  static PrimaryHub::Options Relaying() {
    PrimaryHub::Options options;
    options.relays = true;
    options.node_id = "middle";
    return options;
  }
  // What the shards hold is the stream up to `last`, and replicas are admitted to it.
  void Open(uint64_t last, uint64_t fork_of_parent = 0) {
    std::vector<StreamAncestor> ancestors;
    RelayedStream stream{.history = kHistory, .ancestors = {}, .path = {"root"}};
    if (fork_of_parent != 0) {
      ancestors.push_back({.history = kParent, .fork = Sequence(fork_of_parent)});
      stream.ancestors.push_back({.history = kParent, .fork = {Sequence(fork_of_parent)}});
    }
    shards_.relay.Begin({.history = kHistory,
                         .end = {.last = Sequence(last), .digest = last},
                         .ancestors = ancestors});
    hub_.OpenRelay(stream, now_ms_);
  }
  // The digest of a stream is its sequence here.
  ReplicaSession* Hello(const std::string& node_id, uint64_t applied,
                        HistoryId history = kHistory) {
    wire::Hello hello;
    hello.set_min_version(1);
    hello.set_max_version(1);
    hello.set_role(wire::Hello::ROLE_REPLICA);
    hello.set_node_id(node_id);
    hello.set_history(history.value());
    hello.set_shard_count(1);
    hello.add_applied(applied);
    hello.add_stream_digests(applied);
    ReplicaSession* session = hub_.Add("host", now_ms_);
    session->OnBytes(EncodeControl(hello), now_ms_);
    return session;
  }
  // The newest message of that kind since the last call; null: none came.
  template <typename Message>
  std::optional<Message> Heard(ReplicaSession* session) {
    std::string bytes;
    while (session->link().output_bytes() > 0) {
      std::vector<std::string_view> pieces;
      session->link().Gather(1, &pieces);
      bytes.append(pieces[0]);
      session->OnWritten(pieces[0].size(), now_ms_);
    }
    std::optional<Message> heard;
    MessageReader reader({});
    std::string_view left = bytes;
    LinkMessage message;
    while (true) {
      const absl::StatusOr<bool> got = reader.Next(&left, &message);
      EXPECT_TRUE(got.ok()) << got.status();
      if (!got.ok() || !*got) return heard;
      if (!std::holds_alternative<ControlMessage>(message)) continue;
      const ControlMessage& control = std::get<ControlMessage>(message);
      if (const auto* wanted = std::get_if<Message>(&control)) heard = *wanted;
    }
  }
  wire::Refuse::Code RefusedAs(ReplicaSession* session) {
    const std::optional<wire::Refuse> refusal = Heard<wire::Refuse>(session);
    return refusal ? refusal->code() : wire::Refuse::CODE_UNKNOWN;
  }

  int64_t now_ms_ = 10'000;
  NoWaker waker_;
  OneShard shards_;
  PrimaryHub hub_{Relaying(), &shards_, &waker_};
};

TEST_F(RelayHubTest, NobodyIsAdmittedBeforeThereIsAStream) {
  const std::optional<wire::Refuse> refusal = Heard<wire::Refuse>(Hello("replica", 5));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code(), wire::Refuse::NOT_READY);
  EXPECT_THAT(refusal->text(), HasSubstr("nothing to serve yet"));
}

TEST_F(RelayHubTest, SaysTheWayByWhichTheStreamComes) {
  Open(5);
  const std::optional<wire::Accept> accept = Heard<wire::Accept>(Hello("replica", 5));
  ASSERT_TRUE(accept);
  EXPECT_EQ(accept->shards(0).source(), wire::ShardPlan::SOURCE_CURRENT);
  EXPECT_THAT(accept->path(), ElementsAre("middle", "root"));
}

TEST_F(RelayHubTest, HeartbeatsSayWhatThePrimaryHadAndHowLongAgo) {
  Open(5);
  ReplicaSession* session = Hello("replica", 5);
  std::optional<wire::Heartbeat> heartbeat = Heard<wire::Heartbeat>(session);
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(heartbeat->behind_ms(), -1) << "nothing was heard yet";
  EXPECT_THAT(heartbeat->emitted(), ElementsAre(5));
  hub_.OnUpstream({Sequence(9)}, now_ms_ - 30);
  now_ms_ += 1000;
  hub_.Tick(now_ms_);
  heartbeat = Heard<wire::Heartbeat>(session);
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(heartbeat->behind_ms(), 1030);
  EXPECT_THAT(heartbeat->emitted(), ElementsAre(9)) << "though it has not got that itself";
}

TEST_F(RelayHubTest, WhomItFollowsIsRefusedWhetherOrNotThereIsALink) {
  Open(5);
  EXPECT_EQ(RefusedAs(Hello("root", 5)), wire::Refuse::CYCLE);
  hub_.HoldRelay("no link");
  EXPECT_EQ(RefusedAs(Hello("root", 5)), wire::Refuse::CYCLE);
  EXPECT_EQ(RefusedAs(Hello("middle", 5)), wire::Refuse::SELF);
}

TEST_F(RelayHubTest, AChainHasAnEnd) {
  Open(5);
  RelayedStream stream{.history = kHistory, .ancestors = {}, .path = {}};
  for (size_t i = 0; i + 2 < kMaxPathNodes; ++i) stream.path.push_back(std::to_string(i));
  hub_.OpenRelay(stream, now_ms_);
  EXPECT_TRUE(Heard<wire::Accept>(Hello("replica", 5)));
  stream.path.push_back("one more");
  hub_.OpenRelay(stream, now_ms_);
  EXPECT_EQ(RefusedAs(Hello("another", 5)), wire::Refuse::NOT_READY);
}

TEST_F(RelayHubTest, HeldItKeepsThoseWhoAreThereAndClosedItKeepsNobody) {
  Open(5);
  ReplicaSession* session = Hello("replica", 5);
  hub_.HoldRelay("no link");
  EXPECT_TRUE(session->link().streaming());
  EXPECT_EQ(RefusedAs(Hello("late", 5)), wire::Refuse::NOT_READY);
  hub_.CloseRelay("another stream", now_ms_);
  const std::optional<wire::Goodbye> goodbye = Heard<wire::Goodbye>(session);
  ASSERT_TRUE(goodbye);
  EXPECT_EQ(goodbye->code(), wire::Goodbye::NEW_STREAM);
  EXPECT_EQ(RefusedAs(Hello("late", 5)), wire::Refuse::NOT_READY);
  Open(5);
  EXPECT_TRUE(Heard<wire::Accept>(Hello("replica", 5)));
}

TEST_F(RelayHubTest, WhoHasMoreComesAgainAndTakesNoSnapshot) {
  Open(5);
  std::optional<wire::Goodbye> goodbye = Heard<wire::Goodbye>(Hello("ahead", 6));
  ASSERT_TRUE(goodbye);
  EXPECT_EQ(goodbye->code(), wire::Goodbye::BEHIND);
  Open(7);
  EXPECT_TRUE(Heard<wire::Accept>(Hello("ahead", 7)));
}

TEST_F(RelayHubTest, OnlyUpToTheForkMoreOfAnAncestorIsNoOtherStream) {
  Open(5, /*fork_of_parent=*/8);
  std::optional<wire::Goodbye> goodbye = Heard<wire::Goodbye>(Hello("ahead", 8, kParent));
  ASSERT_TRUE(goodbye);
  EXPECT_EQ(goodbye->code(), wire::Goodbye::BEHIND);
  ReplicaSession* parted = Hello("parted", 9, kParent);
  EXPECT_FALSE(Heard<wire::Goodbye>(parted));
  EXPECT_TRUE(parted->link().deciding()) << "it waits for a snapshot";
}

TEST_F(RelayHubTest, AFollowerThatIsCutWithTheStreamIsNotTakenForASlowOne) {
  Open(5);
  ReplicaSession* session = Hello("replica", 5);
  // The shards are ahead of what the hub has heard.
  shards_.relay.End();
  session->Pump(now_ms_);
  const std::optional<wire::Goodbye> goodbye = Heard<wire::Goodbye>(session);
  ASSERT_TRUE(goodbye);
  EXPECT_EQ(goodbye->code(), wire::Goodbye::NEW_STREAM);
  Open(5);
  const std::optional<wire::Accept> accept = Heard<wire::Accept>(Hello("replica", 5));
  ASSERT_TRUE(accept);
  EXPECT_EQ(accept->shards(0).source(), wire::ShardPlan::SOURCE_CURRENT);
}

}  // namespace
}  // namespace tidemark::replication
