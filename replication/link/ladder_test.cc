// The whole ladder on a simulated network: a replica that stops reading, or was away, comes back
// from the cheapest rung that has what it lacks, costs its primary no memory meanwhile, and is
// never given the same snapshot twice in vain.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/key_hash.h"
#include "fmt/format.h"
#include "replication/link/simulated_network.h"
#include "replication/link/simulated_primary.h"
#include "replication/link/simulated_replica.h"

namespace tidemark::replication {
namespace {

constexpr size_t kQueueBytes = 64 << 10;
constexpr size_t kOutputBytes = 8 << 10;

class LadderTest : public testing::Test {
 protected:
  LadderTest() {
    options_.shards = 2;
    options_.history = HistoryId(7);
    options_.backlog_bytes = 16 << 10;
    options_.snapshots = {.chunk_bytes = 4 << 10, .slice_bytes = 512};
    options_.hub.link.heartbeat_interval_ms = 20;
    options_.hub.link.silence_timeout_ms = 60'000;
    options_.hub.link.write_timeout_ms = 60'000;
    options_.hub.subscriber.max_frames = 1'000;
    options_.hub.subscriber.max_bytes = kQueueBytes;
    options_.hub.max_output_bytes = kOutputBytes;
  }

  void StartPrimary() { primary_ = std::make_unique<SimulatedPrimary>(&sim_, options_); }
  void WithLog() { options_.log = {.max_bytes = 16 << 20, .max_delay_us = 20'000}; }
  SimulatedReplica& StartReplica() {
    SimulatedReplica::Options options;
    options.link.node_id = fmt::format("node-{}", replicas_.size());
    options.link.backoff = {.first_ms = 5, .longest_ms = 50};
    options.link.accept_timeout_ms = 60'000;
    options.link.silence_timeout_ms = 60'000;
    options.applier.own_shards = own_shards_;
    options.applier.start = start_;
    replicas_.push_back(std::make_unique<SimulatedReplica>(&sim_, options, [this] {
      if (unreachable_) return std::shared_ptr<SimulatedConnection>();
      auto connection = std::make_shared<SimulatedConnection>(&sim_);
      primary_->Accept(connection);
      return connection;
    }));
    return *replicas_.back();
  }
  // About `bytes` in values of `value_bytes`, to a few keys, over some time.
  void Write(size_t bytes, size_t value_bytes = 500) {
    for (size_t written = 0; written < bytes; written += value_bytes) {
      primary_->Set(fmt::format("key:{}", next_++ % 40), std::string(value_bytes, 'v'), 0);
      Run(200);
    }
  }
  void Run(int64_t us) { sim_.RunUntil(sim_.now_us() + us); }
  bool Converges(int64_t within_ms = 20'000) {
    const int64_t give_up_us = sim_.now_us() + within_ms * 1'000;
    while (sim_.now_us() < give_up_us) {
      Run(10'000);
      bool equal = !primary_->walking();
      for (const auto& replica : replicas_) {
        equal &= replica->applier().applied() == primary_->Emitted() &&
                 replica->Contents() == primary_->Contents();
      }
      if (equal) return true;
    }
    return false;
  }
  static std::string KeyOn(int shard, int which) {
    for (int i = 0;; ++i) {
      const std::string key = fmt::format("on{}:{}:{}", shard, which, i);
      if (ShardOf(key, KeyHash(key), 2).value() == shard) return key;
    }
  }
  static uint64_t Snapshots(SimulatedReplica& replica) {
    return replica.link().counters().plans_with_snapshot;
  }
  // More is written than backlog and queue hold while the replica is away: how many it takes then.
  uint64_t SnapshotsOfALongCut(SimulatedReplica& replica) {
    Write(10'000);
    EXPECT_TRUE(Converges());
    const uint64_t before = Snapshots(replica);
    replica.connection()->Cut();
    Write(400'000);
    EXPECT_TRUE(Converges());
    return Snapshots(replica) - before;
  }
  const FeedCounters& feeds() const { return primary_->hub().feeds(); }

  Simulation sim_{1};
  SimulatedPrimary::Options options_;
  std::unique_ptr<SimulatedPrimary> primary_;
  std::vector<std::unique_ptr<SimulatedReplica>> replicas_;
  int next_ = 0;
  int own_shards_ = 2;
  ReplicaPosition start_;  // Of replicas that are started.
  bool unreachable_ = false;
};

TEST_F(LadderTest, ReplicaThatWasAwayForLongerThanTheBacklogIsFedFromTheLog) {
  WithLog();
  StartPrimary();
  Write(10'000);
  SimulatedReplica& replica = StartReplica();
  ASSERT_TRUE(Converges());
  ASSERT_EQ(Snapshots(replica), 1u);

  replica.connection()->Cut();
  Write(400'000);  // While it reconnects and reads.
  EXPECT_TRUE(Converges());
  EXPECT_EQ(Snapshots(replica), 1u);
}

TEST_F(LadderTest, SlowReplicaLeavesTheLiveFeedAndReturnsThroughTheLogOnTheSameConnection) {
  WithLog();
  StartPrimary();
  Write(10'000);
  SimulatedReplica& slow = StartReplica();
  SimulatedReplica& other = StartReplica();
  ASSERT_TRUE(Converges());

  slow.connection()->SetReading(0, false);
  size_t most_bytes = 0;
  for (int i = 0; i < 20; ++i) {
    Write(100'000);
    most_bytes = std::max(most_bytes, primary_->subscribed_bytes());
  }
  EXPECT_LT(most_bytes, 2 * kQueueBytes) << "what it does not take is kept";
  EXPECT_EQ(feeds().left_live, 1u);
  Run(100'000);
  EXPECT_EQ(other.applier().applied(), primary_->Emitted()) << "held up by the slow one";
  slow.connection()->SetReading(0, true);
  EXPECT_TRUE(Converges());
  EXPECT_EQ(feeds().fell_to_log, 1u);
  EXPECT_GE(feeds().returned, 1u);
  EXPECT_EQ(slow.link().counters().connections, 1u);
  EXPECT_EQ(Snapshots(slow), 1u);
  EXPECT_EQ(slow.link().counters().skipped_records, 0u);
}

TEST_F(LadderTest, SlowReplicaReturnsFromTheBacklogOnTheSameConnection) {
  options_.backlog_bytes = 4 << 20;
  StartPrimary();
  SimulatedReplica& slow = StartReplica();
  Write(10'000);
  ASSERT_TRUE(Converges());
  slow.connection()->SetReading(0, false);
  Write(400'000);
  slow.connection()->SetReading(0, true);
  EXPECT_TRUE(Converges());
  EXPECT_EQ(feeds().left_live, 1u);
  EXPECT_EQ(feeds().returned, 1u);
  EXPECT_EQ(slow.link().counters().connections, 1u);
}

TEST_F(LadderTest, WhereNeitherReachesThereIsOneSnapshot) {
  StartPrimary();
  SimulatedReplica& slow = StartReplica();
  Write(10'000);
  ASSERT_TRUE(Converges());
  const uint64_t before = Snapshots(slow);
  slow.connection()->SetReading(0, false);
  Write(400'000);
  slow.connection()->SetReading(0, true);
  EXPECT_TRUE(Converges());
  EXPECT_EQ(feeds().out_of_reach, 1u);
  EXPECT_EQ(Snapshots(slow), before + 1);
}

TEST_F(LadderTest, OneHotShardTakesASnapshotOfThatShardAlone) {
  for (const int own_shards : {1, 2, 3}) {
    SCOPED_TRACE(own_shards);
    replicas_.clear();
    own_shards_ = own_shards;
    StartPrimary();
    for (int i = 0; i < 200; ++i) primary_->Set(KeyOn(0, i), "quiet", 0);
    Write(10'000);
    SimulatedReplica& replica = StartReplica();
    ASSERT_TRUE(Converges());
    const uint64_t chunks = primary_->hub().sent().sent_chunks;
    replica.connection()->Cut();
    unreachable_ = true;
    for (int i = 0; i < 400; ++i) {
      primary_->Set(KeyOn(1, i % 40), std::string(500, 'v'), 0);
      if (i % 50 == 0) primary_->Set(KeyOn(0, i), "a little", 0);
      // Over both, before the cut and after it.
      if (i % 100 == 0) primary_->SetAll({KeyOn(0, 999), KeyOn(1, 999)}, fmt::format("{}", i));
      Run(200);
    }
    unreachable_ = false;
    EXPECT_TRUE(Converges());
    EXPECT_EQ(replica.link().counters().plans_mixed, 1u);
    EXPECT_EQ(Snapshots(replica), 2u);
    EXPECT_EQ(replica.link().plan().shards[0].source, CatchUpSource::kBacklog);
    EXPECT_EQ(replica.link().plan().shards[1].source, CatchUpSource::kSnapshot);
    EXPECT_GT(primary_->hub().sent().sent_chunks, chunks);
    Write(10'000);
    EXPECT_TRUE(Converges());
  }
}

TEST_F(LadderTest, ShardOfAnotherStreamIsHealedByASnapshotOfThatShard) {
  StartPrimary();
  for (int i = 0; i < 20; ++i) primary_->Set(KeyOn(1, i), "the primary's", 0);
  Run(50'000);
  // What a replica has of shard 0 is right: nothing. Its shard 1 is as long as the primary's, and
  // another.
  start_ = {.history = HistoryId(7), .shards = {{}, {primary_->Emitted()[1], 0xbad}}};
  SimulatedReplica& replica = StartReplica();
  Run(200'000);
  EXPECT_EQ(replica.link().counters().plans_mixed, 1u);
  EXPECT_TRUE(replica.link().plan().shards[1].diverged);
  EXPECT_EQ(replica.Contents(), primary_->Contents());
}

TEST_F(LadderTest, LogThatGaveUpWhatAReplicaLacksLeavesItTheSnapshot) {
  options_.log = {.max_bytes = 100 << 10, .max_delay_us = 0};
  StartPrimary();
  SimulatedReplica& slow = StartReplica();
  Write(10'000);
  ASSERT_TRUE(Converges());
  slow.connection()->SetReading(0, false);
  Write(400'000);
  slow.connection()->SetReading(0, true);
  EXPECT_TRUE(Converges());
  EXPECT_EQ(Snapshots(slow), 2u);
}

TEST_F(LadderTest, LogOfAnotherStreamIsNoticedBeforeTheReplicaSeesIt) {
  WithLog();
  options_.log->foreign = true;
  StartPrimary();
  SimulatedReplica& replica = StartReplica();
  EXPECT_EQ(SnapshotsOfALongCut(replica), 1u);
  EXPECT_EQ(replica.link().counters().digest_mismatches, 0u);
}

TEST_F(LadderTest, LogThatHasStoppedIsNotWaitedForForEver) {
  WithLog();
  options_.log->max_delay_us = 3'600'000'000;
  options_.hub.feed.log_stuck_ms = 500;
  StartPrimary();
  SimulatedReplica& replica = StartReplica();
  EXPECT_EQ(SnapshotsOfALongCut(replica), 1u);
}

// Once as many values as would fill the backlog and the queue together are larger than either.
TEST_F(LadderTest, ValuesLargerThanBacklogQueueAndBatchPassWithoutALoop) {
  for (const bool on_disk : {false, true}) {
    SCOPED_TRACE(on_disk ? "with a log" : "without");
    replicas_.clear();
    options_.log = std::nullopt;
    if (on_disk) WithLog();
    options_.hub.registry.forgiven_after_ms = 60'000;
    StartPrimary();
    Write(600'000, 48 << 10);
    SimulatedReplica& replica = StartReplica();
    Write(3'000'000, 48 << 10);
    EXPECT_TRUE(Converges());
    EXPECT_LE(Snapshots(replica), 4u);
  }
}

TEST_F(LadderTest, HopelesslySlowReplicaIsRefusedWithTheSettingsThatWouldHelp) {
  options_.hub.registry.too_slow_wait_ms = 3'000;
  StartPrimary();
  for (int i = 0; i < 40; ++i) primary_->Set(fmt::format("key:{}", i), std::string(2'000, 'v'), 0);
  SimulatedReplica& replica = StartReplica();
  // Its connection is slower than the writes, each time.
  for (int i = 0; i < 400 && primary_->hub().registry().refused_too_slow() == 0; ++i) {
    if (replica.connection() != nullptr) replica.connection()->SlowDown(1, 200'000);
    Write(20'000);
  }
  EXPECT_GE(primary_->hub().registry().refused_too_slow(), 1u);
  Run(100'000);  // Until the replica has heard.
  EXPECT_LE(feeds().snapshot_overflows + feeds().out_of_reach, 4u);
  EXPECT_THAT(std::string(replica.link().last_failure().message()),
              testing::HasSubstr("subscriber_queue_bytes"));
  // Once nothing is in its way it gets there all the same.
  EXPECT_TRUE(Converges(60'000));
}

TEST_F(LadderTest, TenReplicasThatJoinAtOnceShareTheirSnapshots) {
  options_.hub.subscriber.max_bytes = 4 << 20;
  StartPrimary();
  Write(100'000);
  for (int i = 0; i < 10; ++i) StartReplica();
  Write(200'000);
  EXPECT_TRUE(Converges());
  // One for those who came before the first walk began, one for those who came during it.
  EXPECT_LE(primary_->walks(), 2u);
  for (const auto& replica : replicas_) EXPECT_EQ(Snapshots(*replica), 1u);
}

TEST_F(LadderTest, TheLogIsToldWhatReplicasHave) {
  WithLog();
  StartPrimary();
  StartReplica();
  Write(50'000);
  ASSERT_TRUE(Converges());
  Run(2'000'000);
  ASSERT_EQ(primary_->log()->kept.size(), 1u);
  EXPECT_EQ(primary_->log()->kept.begin()->second, primary_->Emitted());
}

}  // namespace
}  // namespace tidemark::replication
