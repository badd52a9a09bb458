#include "server/followed_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>

#include "wal/disk/simulated_disk.h"
#include "wal/recovery_test_util.h"

namespace tidemark::server {
namespace {

using replication::CatchUpSource;
using replication::ReplicaPosition;
using replication::StreamPlan;
using wal::Put;

constexpr HistoryId kHistory{7};
constexpr HistoryId kChild{8};

// The link thread is the test's.
class FollowedStreamTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    stream.reset();
    keeper.reset();
    directory.reset();
    directory = wal::OpenDirectory(disk);
    sink = wal::MapSink();
    wal::RecoveryOptions options = wal::OptionsFor(1, 100);
    options.follow = true;
    const auto recovered = wal::Recover(*directory, options, sink);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    wal::Log::Options log;
    log.ring_bytes = 4096;
    log.segment_bytes = 1 << 16;
    keeper = std::make_unique<wal::StreamKeeper>(*directory, log);
    ASSERT_TRUE(keeper->Begin(*recovered).ok());
    stream = std::make_unique<FollowedStream>(*keeper);
    stream->set_on_change([this] {
      const std::lock_guard lock(mutex);
      changed = true;
      change.notify_all();
    });
  }
  // Serves the log as the link thread does, until `condition`; false if that does not come.
  bool ServeUntil(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (true) {
      stream->OnTurnEnd();
      if (condition()) return true;
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::unique_lock lock(mutex);
      change.wait_for(lock, std::chrono::milliseconds(20), [this] { return changed; });
      changed = false;
    }
  }
  FrameRef Frame(HistoryId history, const std::vector<wal::TestRecord>& records) {
    FrameRef frame = wal::MakeFrame(history, ShardId(0), 1, position, records);
    position = {.sequence = frame->last_sequence(), .digest = frame->stream_digest()};
    return frame;
  }
  StreamPlan Plan(CatchUpSource source, HistoryId history, HistoryId continues = {}) const {
    return {.history = history,
            .shards = {{.source = source, .at = {position.sequence, position.digest}}},
            .continues = continues};
  }
  // A replica that was given its primary's stream from the first record on.
  void Join() {
    stream->OnPlan(Plan(CatchUpSource::kSnapshot, kHistory), {});
    ASSERT_TRUE(ServeUntil([&] { return !stream->busy(); }));
  }
  bool WrittenThrough(uint64_t sequence) {
    return ServeUntil([&] { return keeper->log()->durable(ShardId(0)) >= Sequence(sequence); });
  }

  wal::SimulatedDisk disk{1};
  std::unique_ptr<wal::DataDirectory> directory;
  wal::MapSink sink;
  std::unique_ptr<wal::StreamKeeper> keeper;
  std::unique_ptr<FollowedStream> stream;
  wal::ShardPosition position;
  std::mutex mutex;
  std::condition_variable change;
  bool changed = false;
};

TEST_F(FollowedStreamTest, FramesThatComeBeforeTheLogIsReadyAreKept) {
  stream->OnPlan(Plan(CatchUpSource::kSnapshot, kHistory), {});
  EXPECT_TRUE(stream->busy());
  EXPECT_FALSE(stream->wants_input());
  stream->Append(Frame(kHistory, {Put("a", "1")}));
  ASSERT_TRUE(ServeUntil([&] { return !stream->busy(); }));
  EXPECT_TRUE(stream->wants_input());
  stream->Append(Frame(kHistory, {Put("b", "2")}));
  EXPECT_TRUE(WrittenThrough(2));
  EXPECT_EQ(stream->Durable(), Watermarks(1)) << "no snapshot makes it whole yet";
}

TEST_F(FollowedStreamTest, WhatTheLogHasIsNotAppendedAgain) {
  Join();
  const StreamPlan again = Plan(CatchUpSource::kBacklog, kHistory, kHistory);
  const FrameRef first = Frame(kHistory, {Put("a", "1")});
  stream->Append(first);
  stream->OnServed();
  stream->OnPlan(again, {});
  stream->Append(first);
  stream->Append(Frame(kHistory, {Put("b", "2")}));
  ASSERT_TRUE(ServeUntil([&] { return !stream->busy(); }));
  EXPECT_TRUE(WrittenThrough(2));
  EXPECT_EQ(keeper->log()->counters().records.value(), 2u);
}

TEST_F(FollowedStreamTest, AnAncestorsFramesAreKeptUnderTheHistoryThatIsFollowed) {
  Join();
  stream->OnServed();
  stream->OnPlan(Plan(CatchUpSource::kBacklog, kChild, kHistory), {});
  stream->Append(Frame(kHistory, {Put("a", "1")}));
  stream->Append(Frame(kChild, {Put("b", "2")}));
  EXPECT_TRUE(ServeUntil([&] { return !stream->busy(); }) && WrittenThrough(2));
  EXPECT_EQ(keeper->log()->history(), kChild);
  EXPECT_EQ(keeper->log()->state(), wal::LogState::kWriting);
}

TEST_F(FollowedStreamTest, AFullLogStopsTheReadingUntilThereIsSpace) {
  Join();
  disk.set_capacity_bytes(0);
  while (stream->wants_input()) {
    stream->Append(Frame(kHistory, {Put("k", std::string(1000, 'v'))}));
    stream->OnTurnEnd();
  }
  disk.set_capacity_bytes(uint64_t{1} << 40);
  EXPECT_TRUE(ServeUntil([&] { return stream->wants_input(); }));
  EXPECT_TRUE(WrittenThrough(position.sequence.value()));
}

TEST_F(FollowedStreamTest, AChangeOfHistoryWaitsForSpaceOnTheDisk) {
  Join();
  stream->OnServed();
  stream->Append(Frame(kHistory, {Put("a", "1")}));
  ASSERT_TRUE(WrittenThrough(1));
  disk.set_capacity_bytes(0);
  // Not written, but shown by now.
  stream->Append(Frame(kHistory, {Put("b", "2")}));
  stream->OnPlan(Plan(CatchUpSource::kBacklog, kChild, kHistory), {});
  stream->Append(Frame(kChild, {Put("c", "3")}));
  ASSERT_TRUE(ServeUntil([&] { return !stream->waiting().empty(); }));
  EXPECT_TRUE(stream->busy());
  EXPECT_FALSE(stream->wants_input());
  EXPECT_TRUE(stream->Durable().empty());
  disk.set_capacity_bytes(uint64_t{1} << 40);
  ASSERT_TRUE(ServeUntil([&] { return !stream->busy(); }));
  EXPECT_EQ(stream->failure(), "");
  EXPECT_EQ(stream->waiting(), "");
  EXPECT_EQ(stream->delayed_plans(), 1u);
  EXPECT_TRUE(WrittenThrough(3));
  EXPECT_EQ(keeper->log()->history(), kChild);
}

TEST_F(FollowedStreamTest, AnEndDoesNotWaitForSpace) {
  Join();
  stream->OnServed();
  disk.set_capacity_bytes(0);
  stream->OnPlan(Plan(CatchUpSource::kBacklog, kChild, kHistory), {});
  ASSERT_TRUE(ServeUntil([&] { return !stream->waiting().empty(); }));
  EXPECT_FALSE(stream->Finish().ok());
  // Whoever follows next goes on.
  disk.set_capacity_bytes(uint64_t{1} << 40);
  stream = std::make_unique<FollowedStream>(*keeper);
  stream->OnPlan(Plan(CatchUpSource::kBacklog, kChild, kHistory), {});
  stream->Append(Frame(kChild, {Put("a", "1")}));
  ASSERT_TRUE(ServeUntil([&] { return !stream->busy(); }));
  EXPECT_EQ(stream->failure(), "");
  EXPECT_TRUE(WrittenThrough(1));
}

TEST_F(FollowedStreamTest, AStreamThatCannotBeKeptIsFollowedWithoutALog) {
  Join();
  stream->OnServed();
  // Of a history that the log knows nothing of.
  stream->OnPlan(Plan(CatchUpSource::kBacklog, HistoryId(99), HistoryId(98)), {});
  stream->Append(Frame(HistoryId(99), {Put("a", "1")}));
  ASSERT_TRUE(ServeUntil([&] { return !stream->busy(); }));
  EXPECT_NE(stream->failure(), "");
  EXPECT_TRUE(stream->wants_input());
  EXPECT_EQ(stream->Durable(), Watermarks(1));
}

TEST_F(FollowedStreamTest, AForkThatMayLieBelowWhatIsHeldChangesNothing) {
  Join();
  stream->OnServed();
  // The stream goes on at 0, where the last frame ended that is here as a whole.
  stream->OnPlan(Plan(CatchUpSource::kBacklog, kChild, kHistory), {kHistory, {{Sequence(3), 0}}});
  EXPECT_FALSE(stream->busy());
  stream->Append(Frame(kChild, {Put("a", "1")}));
  stream->OnTurnEnd();
  EXPECT_EQ(keeper->log()->history(), kHistory);
  EXPECT_TRUE(stream->Durable().empty());
}

// --- What is thrown away ---

TEST_F(FollowedStreamTest, AFullSyncThatIsBegunAgainIsToldAgainOnlyIfItThrowsAwayMore) {
  std::vector<Watermarks> told;  // This thread looks while no plan is under way.
  stream->set_on_discard([&](const auto&, const Watermarks& after) { told.push_back(after); });
  Join();
  stream->OnServed();
  const ReplicaPosition held{kHistory, {{Sequence(3), 0}}};
  const auto begin = [&](const StreamPlan& plan) {
    stream->OnPlan(plan, held);
    ASSERT_TRUE(ServeUntil([&] { return !stream->busy(); }));
  };
  StreamPlan forked = Plan(CatchUpSource::kSnapshot, kChild);
  forked.ancestors = {{kHistory, {Sequence(3)}}};
  begin(forked);
  EXPECT_THAT(told, testing::IsEmpty()) << "that primary has all that is here";
  forked.ancestors = {{kHistory, {Sequence(2)}}};
  begin(forked);
  begin(forked);
  EXPECT_THAT(told, testing::ElementsAre(Watermarks{Sequence(2)}));
  begin(Plan(CatchUpSource::kSnapshot, HistoryId(99)));
  begin(forked);
  EXPECT_THAT(told, testing::ElementsAre(Watermarks{Sequence(2)}, Watermarks(1)));
}

ReplicaPosition Held(HistoryId history, std::vector<uint64_t> sequences) {
  ReplicaPosition held{.history = history, .shards = {}};
  for (const uint64_t sequence : sequences) held.shards.push_back({Sequence(sequence), 0});
  return held;
}
StreamPlan SnapshotAt(HistoryId history, std::vector<uint64_t> sequences) {
  StreamPlan plan{.history = history, .shards = {}};
  for (const uint64_t sequence : sequences) {
    plan.shards.push_back({.source = CatchUpSource::kSnapshot, .at = {Sequence(sequence), 0}});
  }
  return plan;
}

TEST(DiscardedAfterTest, AReplicaThatFellBehindLosesNothing) {
  EXPECT_EQ(DiscardedAfter(Held(kHistory, {5, 9}), SnapshotAt(kHistory, {5, 20})), std::nullopt);
}

TEST(DiscardedAfterTest, WhatThePrimaryDoesNotHaveIsLost) {
  EXPECT_EQ(DiscardedAfter(Held(kHistory, {5, 9}), SnapshotAt(kHistory, {7, 6})),
            (Watermarks{Sequence(5), Sequence(6)}));
}

TEST(DiscardedAfterTest, OfAForeignHistoryAllIsLost) {
  EXPECT_EQ(DiscardedAfter(Held(kHistory, {5, 9}), SnapshotAt(kChild, {7, 60})), Watermarks(2));
  EXPECT_EQ(DiscardedAfter(Held(kHistory, {0, 0}), SnapshotAt(kChild, {7, 60})), std::nullopt);
}

TEST(DiscardedAfterTest, OfAnAncestorWhatIsBeyondTheForkIsLost) {
  StreamPlan plan = SnapshotAt(kChild, {7, 60});
  plan.ancestors = {{.history = kHistory, .fork = {Sequence(5), Sequence(8)}}};
  EXPECT_EQ(DiscardedAfter(Held(kHistory, {5, 9}), plan), (Watermarks{Sequence(5), Sequence(8)}));
  EXPECT_EQ(DiscardedAfter(Held(kHistory, {5, 8}), plan), std::nullopt);
}

TEST(DiscardedAfterTest, OfADivergedShardAllIsLostAndOfOthersNothing) {
  StreamPlan plan = SnapshotAt(kHistory, {7, 60});
  plan.shards[0] = {.source = CatchUpSource::kBacklog, .at = {Sequence(5), 0}};
  plan.shards[1].diverged = true;
  EXPECT_EQ(DiscardedAfter(Held(kHistory, {5, 9}), plan), (Watermarks{Sequence(5), Sequence(0)}));
}

TEST(DiscardedAfterTest, OfAnAncestorWhatIsBeyondTheLeastForkIsLost) {
  StreamPlan plan = SnapshotAt(kChild, {70, 60});
  plan.ancestors = {{HistoryId(1), {Sequence(1), Sequence(1)}},
                    {kHistory, {Sequence(4), Sequence(20)}},
                    {HistoryId(3), {Sequence(6), Sequence(8)}}};
  EXPECT_EQ(DiscardedAfter(Held(kHistory, {5, 9}), plan), (Watermarks{Sequence(4), Sequence(8)}));
  EXPECT_EQ(DiscardedAfter(Held(kHistory, {4, 8}), plan), std::nullopt);
}

}  // namespace
}  // namespace tidemark::server
