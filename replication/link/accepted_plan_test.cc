#include "replication/link/accepted_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/ids.h"
#include "replication/link/protocol_version.h"

namespace tidemark::replication {
namespace {

using testing::HasSubstr;

constexpr uint64_t kHistory = 7;
constexpr uint64_t kOther = 8;

// Of two shards, at 10 and 20.
ReplicaPosition Asked() {
  return {.history = HistoryId(kHistory), .shards = {{Sequence(10), 100}, {Sequence(20), 200}}};
}

wire::Accept GoOn() {
  wire::Accept accept;
  accept.set_version(kProtocolVersion);
  accept.set_history(kHistory);
  accept.set_heartbeat_interval_ms(100);
  for (const uint64_t shard : {1, 2}) {
    wire::ShardPlan* plan = accept.add_shards();
    plan->set_source(wire::ShardPlan::SOURCE_BACKLOG);
    plan->set_watermark(shard * 10);
    plan->set_stream_digest(shard * 100);
    plan->set_cut(shard * 10 + 5);
  }
  return accept;
}

void MakeSnapshot(wire::ShardPlan* plan) {
  plan->set_source(wire::ShardPlan::SOURCE_SNAPSHOT);
  plan->set_watermark(1000);
  plan->set_entries(5);
}

TEST(AcceptedPlanTest, SaysWhereEachShardGoesOn) {
  wire::Accept accept = GoOn();
  accept.mutable_shards(1)->set_source(wire::ShardPlan::SOURCE_SEGMENTS);
  accept.add_path("a");
  const auto plan = PlanFrom(accept, Asked(), false);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->history, HistoryId(kHistory));
  EXPECT_EQ(plan->continues, HistoryId(kHistory));
  ASSERT_EQ(plan->shards.size(), 2u);
  EXPECT_EQ(plan->shards[0].source, CatchUpSource::kBacklog);
  EXPECT_EQ(plan->shards[1].source, CatchUpSource::kSegments);
  EXPECT_EQ(plan->shards[1].at, (ShardPosition{Sequence(20), 200}));
  EXPECT_THAT(plan->path, testing::ElementsAre("a"));
}

TEST(AcceptedPlanTest, AChildHistoryMayGoOnWithWhatIsHere) {
  wire::Accept accept = GoOn();
  accept.set_history(kOther);
  accept.set_continues(kHistory);
  wire::Ancestor* ancestor = accept.add_ancestors();
  ancestor->set_history(kHistory);
  ancestor->add_fork(10);
  ancestor->add_fork(20);
  const auto plan = PlanFrom(accept, Asked(), false);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->history, HistoryId(kOther));
  EXPECT_EQ(plan->ForkFrom(HistoryId(kHistory)), (Watermarks{Sequence(10), Sequence(20)}));
}

TEST(AcceptedPlanTest, ASnapshotOfAllMayBeOfAnyStreamAndAnyNumberOfShards) {
  wire::Accept accept = GoOn();
  accept.set_history(kOther);
  for (wire::ShardPlan& shard : *accept.mutable_shards()) MakeSnapshot(&shard);
  MakeSnapshot(accept.add_shards());
  const auto plan = PlanFrom(accept, Asked(), false);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->snapshots(), 3u);
  EXPECT_EQ(plan->shards[2].entries, 5u);
}

TEST(AcceptedPlanTest, ASnapshotOfSomeIsForWhoTakesThat) {
  wire::Accept accept = GoOn();
  MakeSnapshot(accept.mutable_shards(1));
  EXPECT_TRUE(PlanFrom(accept, Asked(), true).ok());
  EXPECT_THAT(PlanFrom(accept, Asked(), false).status().message(),
              HasSubstr("a snapshot of some shards only"));
}

struct Wrong {
  std::string what;
  std::function<void(wire::Accept&)> with;
};

class WrongAcceptTest : public testing::TestWithParam<Wrong> {};

TEST_P(WrongAcceptTest, IsRefusedByName) {
  wire::Accept accept = GoOn();
  ASSERT_TRUE(PlanFrom(accept, Asked(), true).ok());
  GetParam().with(accept);
  const auto plan = PlanFrom(accept, Asked(), true);
  ASSERT_FALSE(plan.ok());
  EXPECT_TRUE(absl::IsInvalidArgument(plan.status()));
  EXPECT_EQ(plan.status().message(), "Accept with " + GetParam().what);
}

void AddAncestor(wire::Accept& accept, uint64_t history, int shards) {
  wire::Ancestor* ancestor = accept.add_ancestors();
  ancestor->set_history(history);
  for (int i = 0; i < shards; ++i) ancestor->add_fork(1);
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongAcceptTest,
    testing::Values(
        Wrong{"protocol version 99, which was not offered",
              [](wire::Accept& accept) { accept.set_version(99); }},
        Wrong{"no history", [](wire::Accept& accept) { accept.set_history(0); }},
        Wrong{"0 shards", [](wire::Accept& accept) { accept.clear_shards(); }},
        Wrong{"1025 shards",
              [](wire::Accept& accept) {
                while (accept.shards_size() <= kMaxShards) MakeSnapshot(accept.add_shards());
              }},
        Wrong{"a heartbeat every 0 ms",
              [](wire::Accept& accept) { accept.set_heartbeat_interval_ms(0); }},
        Wrong{"a heartbeat every 60001 ms",
              [](wire::Accept& accept) { accept.set_heartbeat_interval_ms(60'001); }},
        Wrong{"an ancestor that is none", [](wire::Accept& accept) { AddAncestor(accept, 0, 2); }},
        Wrong{"an ancestor that is none",
              [](wire::Accept& accept) { AddAncestor(accept, kOther, 3); }},
        Wrong{"a path of 17 nodes",
              [](wire::Accept& accept) {
                for (size_t i = 0; i <= kMaxPathNodes; ++i) accept.add_path("n");
              }},
        Wrong{"a path through no node", [](wire::Accept& accept) { accept.add_path(""); }},
        Wrong{"a path through no node",
              [](wire::Accept& accept) { accept.add_path(std::string(129, 'n')); }},
        Wrong{"a source that is not known",
              [](wire::Accept& accept) {
                accept.mutable_shards(0)->set_source(wire::ShardPlan::SOURCE_UNKNOWN);
              }},
        Wrong{"the continuation of a stream that this replica does not have",
              [](wire::Accept& accept) { accept.set_history(kOther); }},
        Wrong{"the continuation of a stream that this replica does not have",
              [](wire::Accept& accept) { *accept.add_shards() = accept.shards(0); }},
        Wrong{"another position than was asked for",
              [](wire::Accept& accept) { accept.mutable_shards(1)->set_watermark(21); }},
        Wrong{"another position than was asked for",
              [](wire::Accept& accept) { accept.mutable_shards(1)->set_stream_digest(201); }},
        Wrong{"a cut below its position", [](wire::Accept& accept) {
                MakeSnapshot(accept.mutable_shards(0));
                accept.mutable_shards(1)->set_cut(19);
              }}));

}  // namespace
}  // namespace tidemark::replication
