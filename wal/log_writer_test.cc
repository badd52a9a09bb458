#include "wal/log_writer.h"

#include <gtest/gtest.h>

#include <limits>

#include "wal/disk/simulated_disk.h"
#include "wal/test_stream.h"

namespace tidemark::wal {
namespace {

constexpr HistoryId kHistory{3};

class LogWriterTest : public testing::Test {
 protected:
  LogWriterTest() : directory_(*DataDirectory::Open(disk_, "/data", DirectoryId(5))) {
    options_.segment_bytes = 4096;
    options_.clock = &clock_;
    options_.counters = &counters_;
  }

  void Open(FsyncPolicy fsync) {
    options_.fsync = fsync;
    writer_ = *LogWriter::Open(
        *directory_, {.history = kHistory, .positions = Positions(2), .next_segment = 1}, options_);
  }

  LogWriter::Step Run(bool sync_wanted = false) {
    const LogWriter::Step step = writer_->Run(sync_wanted);
    if (step.synced) writer_->BeginRound();
    return step;
  }

  void Take(size_t records = 1, std::string_view value = "v") {
    writer_->Take(zero_.Make(records, value));
  }

  uint64_t durable(size_t shard = 0) const { return writer_->durable()[shard].value(); }
  uint64_t written(size_t shard = 0) const { return writer_->written()[shard].sequence.value(); }

  SimulatedDisk disk_{1};
  ManualClock clock_;
  LogCounters counters_;
  LogWriter::Options options_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<LogWriter> writer_;
  TestStream zero_{kHistory, ShardId(0), 2}, one_{kHistory, ShardId(1), 2};
};

TEST_F(LogWriterTest, AlwaysSyncsWhatItWroteWithOneWrite) {
  Open(FsyncPolicy::kAlways);
  Take();
  Run();  // The zeros ahead are written.
  for (int i = 0; i < 9; ++i) Take();
  const SimulatedDisk::Counts before = disk_.counts();
  const LogWriter::Step step = Run();
  EXPECT_TRUE(step.synced && step.durable_moved);
  EXPECT_EQ(durable(), 10u);
  EXPECT_EQ(disk_.counts().writes - before.writes, 1u);
  EXPECT_EQ(disk_.counts().syncs - before.syncs, 1u);
  EXPECT_EQ(step.wait_ns, std::nullopt);
}

TEST_F(LogWriterTest, WritesZerosAheadForAlwaysOnly) {
  Open(FsyncPolicy::kInterval);
  const uint64_t before = disk_.counts().writes;
  Take();
  Run(true);
  EXPECT_EQ(disk_.counts().writes - before, 1u);
  writer_->set_fsync(FsyncPolicy::kAlways, 0);
  Take();
  Run();
  EXPECT_EQ(disk_.counts().writes - before, 3u);
}

TEST_F(LogWriterTest, AlwaysHoldsAFlushBackForThoseJustAnswered) {
  disk_.set_sync_hook([this](const std::string&) { clock_.AdvanceMillis(8); });
  Open(FsyncPolicy::kAlways);
  Take(10);
  Run();
  Take(1);
  LogWriter::Step step = Run();
  EXPECT_EQ(step.wait_ns, CommitWindow::kMaxWaitNanos);
  EXPECT_EQ(written(), 10u);
  Take(4);
  step = Run();
  EXPECT_EQ(step.wait_ns, 960'000) << "half are there";
  Take(5);
  step = Run();
  EXPECT_EQ(durable(), 20u);
  // Nobody came back: the wait ends by itself.
  Take(1);
  EXPECT_GT(*Run().wait_ns, 0);
  clock_.AdvanceMillis(2);
  Run();
  EXPECT_EQ(durable(), 21u);
}

TEST_F(LogWriterTest, IntervalSyncsWhenTheOldestWriteIsThatOld) {
  options_.fsync_interval_ms = 100;
  Open(FsyncPolicy::kInterval);
  Take();
  EXPECT_EQ(Run().wait_ns, 100'000'000);
  EXPECT_EQ(written(), 1u);
  EXPECT_EQ(durable(), 0u);
  clock_.AdvanceMillis(60);
  Take();
  EXPECT_EQ(Run().wait_ns, 40'000'000);
  clock_.AdvanceMillis(40);
  const LogWriter::Step step = Run();
  EXPECT_EQ(durable(), 2u);
  EXPECT_EQ(step.wait_ns, std::nullopt);
}

TEST_F(LogWriterTest, NeverSyncsOnlyWhenAskedAndWhenASegmentEnds) {
  Open(FsyncPolicy::kNever);
  Take();
  EXPECT_EQ(Run().wait_ns, std::nullopt);
  EXPECT_EQ(durable(), 0u);
  Run(/*sync_wanted=*/true);
  EXPECT_EQ(durable(), 1u);
  Take(1, std::string(3000, 'x'));
  Run();
  EXPECT_EQ(durable(), 1u);
  Take(1, std::string(3000, 'x'));
  Run();
  EXPECT_EQ(writer_->current_segment(), 2u);
  EXPECT_EQ(durable(), 2u);
  EXPECT_EQ(written(), 3u);
}

TEST_F(LogWriterTest, DurableStopsBeforeATransactionThatIsNotWhole) {
  Open(FsyncPolicy::kAlways);
  const std::vector<ShardId> both = {ShardId(0), ShardId(1)};
  writer_->Take(zero_.MakeTransaction(1, both, 2, /*before=*/3, /*after=*/1));
  Run();
  EXPECT_EQ(written(0), 7u);
  EXPECT_EQ(durable(0), 3u);
  writer_->Take(one_.MakeTransaction(1, both, 1));
  clock_.AdvanceMillis(10);
  Run();
  EXPECT_EQ(durable(0), 7u);
  EXPECT_EQ(durable(1), 2u);
}

TEST_F(LogWriterTest, FailedSyncIsFinal) {
  Open(FsyncPolicy::kAlways);
  Take();
  Run();
  disk_.FailSync(1);
  Take();
  LogWriter::Step step = Run();
  EXPECT_TRUE(step.state_changed);
  EXPECT_EQ(writer_->state(), LogState::kFailed);
  EXPECT_FALSE(writer_->cause().ok());
  // The disk works again, which proves nothing about the pages that the failed sync lost.
  Take();
  step = Run(/*sync_wanted=*/true);
  EXPECT_FALSE(step.durable_moved);
  EXPECT_EQ(durable(), 1u);
  EXPECT_EQ(counters_.dropped_frames.value(), 1u);
  EXPECT_FALSE(writer_->Finish().ok());
}

TEST_F(LogWriterTest, FailedWriteIsFinal) {
  Open(FsyncPolicy::kAlways);
  disk_.FailWrite(1);
  Take();
  EXPECT_TRUE(Run().state_changed);
  EXPECT_EQ(writer_->state(), LogState::kFailed);
  EXPECT_EQ(durable(), 0u);
}

TEST_F(LogWriterTest, FullDiskKeepsWhatItTookAndMendsItself) {
  Open(FsyncPolicy::kAlways);
  Take();
  Run();
  disk_.set_capacity_bytes(4096);  // The segment that there is, and no more.
  Take(1, std::string(6000, 'x'));
  Take();
  clock_.AdvanceMillis(10);
  LogWriter::Step step = Run();
  EXPECT_TRUE(step.state_changed);
  EXPECT_EQ(writer_->state(), LogState::kDiskFull);
  EXPECT_EQ(step.wait_ns, LogWriter::kRetryNanos);
  clock_.AdvanceMillis(100);
  EXPECT_FALSE(Run().state_changed);
  EXPECT_EQ(counters_.disk_full.value(), 1u);
  EXPECT_EQ(counters_.write_retries.value(), 1u);
  disk_.set_capacity_bytes(1 << 20);
  EXPECT_EQ(durable(), 1u);
  clock_.AdvanceMillis(100);
  step = Run();
  EXPECT_TRUE(step.state_changed && step.durable_moved);
  EXPECT_EQ(writer_->state(), LogState::kWriting);
  EXPECT_TRUE(writer_->cause().ok());
  EXPECT_EQ(durable(), 3u);
  EXPECT_TRUE(writer_->Finish().ok());
}

TEST_F(LogWriterTest, FrameLargerThanASegmentGetsOneOfItsOwn) {
  Open(FsyncPolicy::kAlways);
  Take();
  Take(1, std::string(20'000, 'x'));
  Take();
  Run();
  EXPECT_EQ(writer_->current_segment(), 3u);
  EXPECT_EQ(durable(), 3u);
}

TEST_F(LogWriterTest, HoleIsFinal) {
  Open(FsyncPolicy::kAlways);
  writer_->Fail(absl::DataLossError("lost"));
  EXPECT_TRUE(Run().state_changed);
  EXPECT_EQ(writer_->state(), LogState::kFailed);
}

TEST_F(LogWriterTest, PolicyChangesLive) {
  Open(FsyncPolicy::kNever);
  Take();
  Run();
  writer_->set_fsync(FsyncPolicy::kAlways, 100);
  Run();
  EXPECT_EQ(durable(), 1u);
}

TEST_F(LogWriterTest, FinishSealsAndEndsWithinNoTransaction) {
  Open(FsyncPolicy::kNever);
  Take();
  writer_->Take(one_.MakeTransaction(1, {ShardId(0), ShardId(1)}, 1));
  EXPECT_EQ(writer_->Finish().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LogWriterTest, CompressedFramesAreWrittenSmaller) {
  options_.zstd = true;
  Open(FsyncPolicy::kAlways);
  Take(1, std::string(3000, 'x'));
  Run();
  EXPECT_LT(counters_.bytes.value(), 1000u);
  EXPECT_GT(counters_.raw_bytes.value(), 3000u);
  EXPECT_TRUE(writer_->Finish().ok());
}

}  // namespace
}  // namespace tidemark::wal
