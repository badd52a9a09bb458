#include "replication/link/replica_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <set>
#include <string>

namespace tidemark::replication {
namespace {

using testing::Key;
using testing::UnorderedElementsAre;

class FakeArchive final : public FrameArchive {
 public:
  std::unique_ptr<ArchiveCursor> Open(const ReplicaPosition&) override { return nullptr; }
  void Keep(const std::string& node_id, HistoryId, const Watermarks& acked) override {
    kept[node_id] = acked;
  }
  void Forget(const std::string& node_id) override { kept.erase(node_id); }
  bool Lost(const std::string& node_id) const override { return lost.contains(node_id); }

  std::map<std::string, Watermarks> kept;
  std::set<std::string> lost;
};

class ReplicaRegistryTest : public testing::Test {
 protected:
  static StreamPlan PlanAt(uint64_t sequence, CatchUpSource source) {
    return {.history = HistoryId(7),
            .shards = {{.source = source, .at = {.sequence = Sequence(sequence)}}},
            .continues = HistoryId(7)};
  }
  // A replica that is connected and has so much.
  void Connect(const std::string& node_id, uint64_t has) {
    registry_.OnConnected(node_id, "host:1");
    registry_.OnPlan(node_id, PlanAt(has, CatchUpSource::kBacklog));
  }

  FakeArchive archive_;
  ReplicaRegistry registry_{{.max_away = 2,
                             .away_ms = 1'000,
                             .keep_every_ms = 100,
                             .max_doublings = 2,
                             .too_slow_wait_ms = 500,
                             .forgiven_after_ms = 300},
                            &archive_};
};

TEST_F(ReplicaRegistryTest, EachFailureDoublesTheQueueUntilTheReplicaMustWait) {
  EXPECT_EQ(registry_.TermsFor("a").queue_growth, 1);
  registry_.OnFeedFailed("a", false, 10);
  EXPECT_EQ(registry_.TermsFor("a").queue_growth, 2);
  registry_.OnFeedFailed("a", false, 20);
  EXPECT_EQ(registry_.TermsFor("a").queue_growth, 4);
  EXPECT_EQ(registry_.MustWait("a", 30), std::nullopt);
  registry_.OnFeedFailed("a", false, 100);
  EXPECT_EQ(registry_.TermsFor("a").queue_growth, 4) << "grows no further";
  EXPECT_EQ(registry_.MustWait("a", 200), 400);
  EXPECT_EQ(registry_.MustWait("a", 600), std::nullopt) << "may try again";
  EXPECT_EQ(registry_.TermsFor("b").queue_growth, 1);
}

TEST_F(ReplicaRegistryTest, ReplicaThatWasLiveForLongEnoughIsForgiven) {
  Connect("a", 0);
  registry_.OnFeedFailed("a", false, 10);
  registry_.OnAck("a", HistoryId(7), {Sequence(1)}, 100, 399);
  EXPECT_EQ(registry_.TermsFor("a").queue_growth, 2);
  registry_.OnAck("a", HistoryId(7), {Sequence(1)}, 0, 1'000);
  EXPECT_EQ(registry_.TermsFor("a").queue_growth, 2) << "it is not live";
  registry_.OnAck("a", HistoryId(7), {Sequence(1)}, 100, 400);
  EXPECT_EQ(registry_.TermsFor("a").queue_growth, 1);
}

TEST_F(ReplicaRegistryTest, PositionThatTheLogDoesNotContinueTakesASnapshotOnce) {
  registry_.OnFeedFailed("a", true, 10);
  EXPECT_EQ(registry_.TermsFor("a").last, LastRung::kNothingButSnapshot);
  registry_.OnPlan("a", PlanAt(9, CatchUpSource::kSnapshot));
  EXPECT_EQ(registry_.TermsFor("a").last, LastRung::kSnapshot);
}

TEST_F(ReplicaRegistryTest, TellsTheArchiveWhatIsAcknowledgedNowAndThen) {
  Connect("a", 3);
  registry_.Tick(1'000);
  EXPECT_EQ(archive_.kept["a"], Watermarks{Sequence(3)});
  registry_.OnAck("a", HistoryId(7), {Sequence(5)}, 0, 1'010);
  registry_.Tick(1'050);
  EXPECT_EQ(archive_.kept["a"], Watermarks{Sequence(3)}) << "too soon";
  registry_.Tick(1'100);
  EXPECT_EQ(archive_.kept["a"], Watermarks{Sequence(5)});
}

TEST_F(ReplicaRegistryTest, RemembersThoseThatAreGoneForAWhileAndOnlyAFew) {
  for (const char* node_id : {"a", "b", "c"}) Connect(node_id, 1);
  registry_.Tick(1'000);
  registry_.OnGone("a", 1'100);
  registry_.OnGone("b", 1'200);
  EXPECT_EQ(registry_.away().size(), 2u);
  registry_.OnGone("c", 1'300);  // One too many: the one that has been gone for longest goes.
  EXPECT_THAT(archive_.kept, UnorderedElementsAre(Key("b"), Key("c")));
  registry_.Tick(2'250);
  EXPECT_THAT(archive_.kept, UnorderedElementsAre(Key("c")));
  EXPECT_EQ(registry_.away().size(), 1u);
}

TEST_F(ReplicaRegistryTest, ForgetsByItselfWhenNobodyIsConnected) {
  EXPECT_EQ(registry_.NextDeadlineMs(), std::numeric_limits<int64_t>::max());
  Connect("a", 1);
  registry_.Tick(1'000);
  registry_.OnGone("a", 1'100);
  while (registry_.NextDeadlineMs() < 10'000) registry_.Tick(registry_.NextDeadlineMs());
  EXPECT_TRUE(archive_.kept.empty());
}

TEST_F(ReplicaRegistryTest, ConnectionThatReplacesAnotherIsNoDeparture) {
  Connect("a", 1);
  registry_.Tick(1'000);
  Connect("a", 2);
  registry_.OnGone("a", 1'100);  // The older of the two.
  registry_.Tick(5'000);
  EXPECT_EQ(archive_.kept["a"], Watermarks{Sequence(2)});
  EXPECT_TRUE(registry_.away().empty());
}

TEST_F(ReplicaRegistryTest, LostPositionIsCountedOnceAndShownUntilASnapshot) {
  Connect("a", 1);
  registry_.OnGone("a", 900);
  archive_.lost.insert("a");
  for (int64_t now_ms = 1'000; now_ms < 1'500; now_ms += 100) registry_.Tick(now_ms);
  EXPECT_EQ(registry_.lost_total(), 1u);
  ASSERT_EQ(registry_.away().size(), 1u);
  EXPECT_TRUE(registry_.away()[0].lost);
  registry_.OnConnected("a", "host:1");
  registry_.OnPlan("a", PlanAt(9, CatchUpSource::kSnapshot));
  registry_.OnGone("a", 1'300);
  EXPECT_FALSE(registry_.away()[0].lost);
}

}  // namespace
}  // namespace tidemark::replication
