#include "replication/link/relay_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tidemark::replication {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Next = RelayGate::Next;

class RelayGateTest : public testing::Test {
 protected:
  StreamPlan Plan(uint64_t history, CatchUpSource source = CatchUpSource::kBacklog,
                  size_t shards = 2) {
    StreamPlan plan;
    plan.history = HistoryId(history);
    plan.shards.resize(shards);
    for (ShardPlan& shard : plan.shards) shard.source = source;
    plan.path = {"primary"};
    return plan;
  }
  void Connected(StreamPlan plan) {
    plan_ = std::move(plan);
    ++seen_.plans;
    seen_.streaming = !plan_.is_snapshot();
    seen_.exact = seen_.streaming;
  }
  void Lost() { seen_.streaming = false; }
  // All that is to be done now. The shards are told at once if `begun`.
  std::vector<Next> Do(bool begun = true) {
    std::vector<Next> all;
    seen_.plan = &plan_;
    for (Next next = gate_.Ask(seen_); next != Next::kNothing; next = gate_.Ask(seen_)) {
      all.push_back(next);
      if (next == Next::kBegin && begun) gate_.OnBegun();
      if (all.size() > 10) break;
    }
    return all;
  }
  void Open() {
    Connected(Plan(7));
    ASSERT_THAT(Do(), ElementsAre(Next::kClose, Next::kBegin, Next::kAdmit));
  }

  RelayGate gate_{2};
  StreamPlan plan_;
  RelayGate::Seen seen_;
};

TEST_F(RelayGateTest, NobodyIsAdmittedBeforeTheShardsKnowTheStream) {
  EXPECT_THAT(Do(), ElementsAre());
  Connected(Plan(7));
  EXPECT_THAT(Do(/*begun=*/false), ElementsAre(Next::kClose, Next::kBegin));
  EXPECT_THAT(Do(), ElementsAre()) << "asked for once";
  gate_.OnBegun();
  EXPECT_THAT(Do(), ElementsAre(Next::kAdmit));
  EXPECT_THAT(Do(), ElementsAre());
}

TEST_F(RelayGateTest, WithoutALinkThoseWhoAreThereStay) {
  Open();
  Lost();
  EXPECT_THAT(Do(), ElementsAre(Next::kHold));
  EXPECT_THAT(gate_.why(), HasSubstr("no link to its own primary"));
  EXPECT_THAT(Do(), ElementsAre());
  Connected(Plan(7));
  EXPECT_THAT(Do(), ElementsAre(Next::kAdmit)) << "the shards never left the stream";
}

TEST_F(RelayGateTest, ASnapshotEndsTheStreamUntilItIsShown) {
  Open();
  Lost();
  Do();
  Connected(Plan(7, CatchUpSource::kSnapshot));
  EXPECT_THAT(Do(), ElementsAre(Next::kClose));
  seen_.streaming = true;  // All of it has come, and is still being applied.
  EXPECT_THAT(Do(), ElementsAre());
  seen_.exact = true;
  EXPECT_THAT(Do(), ElementsAre(Next::kBegin, Next::kAdmit));
}

TEST_F(RelayGateTest, AnotherHistoryOrAnotherWayMakesEverybodyComeAgain) {
  Open();
  Connected(Plan(8));
  EXPECT_THAT(Do(), ElementsAre(Next::kClose, Next::kBegin, Next::kAdmit));
  StreamPlan longer = Plan(8);
  longer.path = {"replica", "primary"};
  Connected(longer);
  EXPECT_THAT(Do(), ElementsAre(Next::kClose, Next::kBegin, Next::kAdmit));
}

TEST_F(RelayGateTest, APlanThatComesWhileTheShardsAreToldMakesThemBeToldAgain) {
  Connected(Plan(7));
  Do(/*begun=*/false);
  Connected(Plan(8));
  EXPECT_THAT(Do(/*begun=*/false), ElementsAre()) << "nobody was there";
  gate_.OnBegun();
  EXPECT_THAT(Do(), ElementsAre(Next::kBegin, Next::kAdmit));
}

TEST_F(RelayGateTest, AStreamOfAnotherNumberOfShardsIsNotHandedOn) {
  Connected(Plan(7, CatchUpSource::kBacklog, 3));
  EXPECT_THAT(Do(), ElementsAre(Next::kClose));
  EXPECT_THAT(gate_.why(), HasSubstr("2 shards and follows one that has 3"));
  Connected(Plan(7));
  EXPECT_THAT(Do(), ElementsAre(Next::kClose, Next::kBegin, Next::kAdmit));
}

}  // namespace
}  // namespace tidemark::replication
