// Consumers on a real log: through segments, the tail in memory, restarts, crashes, another number
// of shards, snapshots and retention. The disk is simulated, the log's thread is not.

#include "wal/export/log_export_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/format/record.h"
#include "wal/disk/simulated_disk.h"
#include "wal/log.h"
#include "wal/recovery_test_util.h"
#include "wal/test_stream.h"

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using From = ExportStart::From;

class LogExportSourceTest : public testing::Test {
 protected:
  LogExportSourceTest() {
    options_.fsync = FsyncPolicy::kAlways;
    options_.segment_bytes = 64 << 10;
    options_.tail_bytes = 8 << 10;  // So that most is read from the segments.
    Restart(2);
  }
  ~LogExportSourceTest() override {
    source_.reset();
    log_.reset();
  }

  // A process that ends, cleanly or not, and the next one with its recovery.
  void Restart(int shards, bool clean = true) {
    source_.reset();
    retention_.reset();
    if (log_ != nullptr) {
      const absl::Status stopped = log_->Stop();
      if (clean) {
        ASSERT_TRUE(stopped.ok()) << stopped;
        Manifest manifest = directory_->manifest();
        manifest.clean_stop = log_->final_positions();
        ASSERT_TRUE(directory_->Save(std::move(manifest)).ok());
      }
      log_.reset();
    }
    directory_.reset();
    directory_ = *DataDirectory::Open(disk_, kDirectory, DirectoryId(5));
    RecoveryOptions recovery;
    recovery.shard_count = shards;
    recovery.fresh_history = HistoryId(++last_history_);
    MapSink sink;
    absl::StatusOr<Recovered> recovered = Recover(*directory_, recovery, sink);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(*directory_,
                                                         {.history = recovered->history,
                                                          .positions = recovered->positions,
                                                          .next_segment = recovered->next_segment},
                                                         options_);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    log_->AddListener([this] {
      std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    streams_.clear();
    for (size_t i = 0; i < recovered->positions.size(); ++i) {
      streams_.emplace_back(recovered->history, ShardId(static_cast<uint16_t>(i)),
                            static_cast<uint16_t>(shards), recovered->positions[i]);
    }
    retention_ = std::make_unique<Retention>();
    source_ = std::make_unique<LogExportSource>(*directory_, *log_, *retention_, 1 << 20);
  }

  void Write(size_t shard, size_t records, size_t value_bytes = 10) {
    Append(shard, streams_[shard].Make(records, std::string(value_bytes, 'v')));
    AwaitDurable(shard, streams_[shard].position().sequence);
  }
  void Append(size_t shard, FrameRef frame) {
    ShardLog& door = log_->shard(ShardId(static_cast<uint16_t>(shard)));
    door.Append(std::move(frame));
    door.OnTurnEnd();
  }
  void AwaitDurable(size_t shard, Sequence sequence) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] {
      return log_->durable(ShardId(static_cast<uint16_t>(shard))) >= sequence;
    }));
  }

  std::unique_ptr<ExportCursor> Open(From from, ExportPosition position = {}) {
    ExportOpened opened = source_->Open("a", {.from = from, .position = std::move(position)});
    if (auto* fault = std::get_if<ExportFault>(&opened)) {
      ADD_FAILURE() << fault->text;
      return nullptr;
    }
    return std::get<std::unique_ptr<ExportCursor>>(std::move(opened));
  }
  ExportFault FaultOf(From from, ExportPosition position = {}) {
    ExportOpened opened = source_->Open("a", {.from = from, .position = std::move(position)});
    return std::holds_alternative<ExportFault>(opened) ? std::get<ExportFault>(opened)
                                                       : ExportFault{.text = "none", .lost = {}};
  }

  // What comes until it is caught up: "SHARD/FIRST-LAST", "history N", "snapshot" or "fault".
  // Checks that each shard's digests go on.
  std::vector<std::string> Read(ExportCursor& cursor) {
    std::vector<std::string> read;
    while (true) {
      const ExportItem item = cursor.Next();
      if (std::holds_alternative<CaughtUp>(item)) return read;
      if (const auto* fault = std::get_if<ExportFault>(&item)) {
        read.push_back("fault: " + fault->text);
        return read;
      }
      if (std::holds_alternative<SnapshotDone>(item)) read.push_back("snapshot");
      if (const auto* start = std::get_if<HistoryStart>(&item)) {
        read.push_back("history " + std::to_string(start->position.history.value()));
        at_ = start->position;
      }
      if (const auto* frame = std::get_if<FrameRef>(&item)) {
        const Frame& f = **frame;
        read.push_back(std::to_string(f.shard().value()) + "/" +
                       std::to_string(f.first_sequence().value()) + "-" +
                       std::to_string(f.last_sequence().value()));
        if (f.kind() == FrameKind::kMutations) {
          EXPECT_EQ(f.stream_digest(), StreamDigest(digests_[f.shard()], f.payload()));
          digests_[f.shard()] = f.stream_digest();
          if (at_.sequences.empty()) at_ = cursor.begin();
          at_.history = f.history();
          at_.sequences[f.shard().value()] = f.last_sequence();
        }
      }
    }
  }

  SimulatedDisk disk_{1};
  Log::Options options_;
  uint64_t last_history_ = 100;
  std::unique_ptr<DataDirectory> directory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Log> log_;
  std::deque<TestStream> streams_;  // They do not move.
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<LogExportSource> source_;
  std::map<ShardId, uint64_t> digests_;
  ExportPosition at_;  // Where Read() has come to.
};

TEST_F(LogExportSourceTest, FromTheBeginningThenLive) {
  Write(0, 3);
  Write(1, 2);
  const auto cursor = Open(From::kBeginning);
  EXPECT_THAT(Read(*cursor), ElementsAre("0/1-3", "1/1-2"));
  EXPECT_THAT(Read(*cursor), IsEmpty());
  Write(0, 1);
  EXPECT_THAT(Read(*cursor), ElementsAre("0/4-4"));
}

TEST_F(LogExportSourceTest, FromNow) {
  Write(0, 3);
  const auto cursor = Open(From::kNow);
  EXPECT_EQ(cursor->begin(), source_->Durable());
  EXPECT_THAT(Read(*cursor), IsEmpty());
  Write(1, 1);
  EXPECT_THAT(Read(*cursor), ElementsAre("1/1-1"));
}

TEST_F(LogExportSourceTest, AConsumerGoesOnAfterACleanRestart) {
  Write(0, 3);
  auto cursor = Open(From::kBeginning);
  Read(*cursor);
  const ExportPosition stored = at_;
  Write(0, 2);
  cursor.reset();
  Restart(2);
  Write(1, 1);
  cursor = Open(From::kPosition, stored);
  EXPECT_THAT(Read(*cursor), ElementsAre("0/4-5", "1/1-1"));
}

TEST_F(LogExportSourceTest, ACrashWithinAFrameCutsTheFrame) {
  const HistoryId parent = log_->history();
  Write(0, 2);
  // Of a transaction whose other part never comes: what stands before it in the frame is durable,
  // the rest is not, now or ever.
  Append(0, streams_[0].MakeTransaction(99, {ShardId(0), ShardId(1)}, 2, 3));
  AwaitDurable(0, Sequence(5));
  auto cursor = Open(From::kBeginning);
  EXPECT_THAT(Read(*cursor), ElementsAre("0/1-2"));
  cursor.reset();
  Restart(2, /*clean=*/false);
  ASSERT_NE(log_->history(), parent);
  Write(0, 1);
  cursor = Open(From::kPosition, {.history = parent, .sequences = {Sequence(2), Sequence(0)}});
  EXPECT_THAT(Read(*cursor),
              ElementsAre("0/3-5", "history " + std::to_string(log_->history().value()), "0/6-6"));
  EXPECT_EQ(at_, source_->Durable());
  // Beyond the fork is foreign, whatever its number.
  EXPECT_EQ(
      FaultOf(From::kPosition, {.history = parent, .sequences = {Sequence(6), Sequence(0)}}).kind,
      ExportFault::Kind::kForeignHistory);
}

TEST_F(LogExportSourceTest, AnotherNumberOfShardsIsANewHistory) {
  const HistoryId parent = log_->history();
  Write(0, 2);
  Restart(3);
  digests_.clear();
  Write(2, 4);
  const auto cursor = Open(From::kPosition, {.history = parent, .sequences = Watermarks(2)});
  const std::vector<std::string> read = Read(*cursor);
  EXPECT_THAT(read,
              ElementsAre("0/1-2", "history " + std::to_string(log_->history().value()), "2/1-4"));
}

TEST_F(LogExportSourceTest, ManySegmentsAreReadAndLetGoOfAsTheyAreAcknowledged) {
  for (int i = 0; i < 100; ++i) Write(i % 2, 5, 1'000);
  ASSERT_GT(log_->current_segment(), 5u);
  const auto cursor = Open(From::kBeginning);
  EXPECT_EQ(retention_->LowestNeeded(), 1u);
  EXPECT_THAT(Read(*cursor), SizeIs(100));
  // What was sent is not yet stored.
  EXPECT_EQ(cursor->Acknowledge(cursor->begin()), 1u);
  ExportPosition half = at_;
  for (Sequence& sequence : half.sequences) sequence = Sequence(sequence.value() / 2);
  const uint64_t middle = cursor->Acknowledge(half);
  EXPECT_GT(middle, 1u);
  EXPECT_LT(middle, log_->current_segment());
  EXPECT_EQ(retention_->LowestNeeded(), middle);
  EXPECT_GE(cursor->Acknowledge(at_), log_->current_segment() - 1);
}

TEST_F(LogExportSourceTest, WhatRetentionTookIsNamed) {
  for (int i = 0; i < 50; ++i) Write(0, 5, 1'000);
  const auto cursor = Open(From::kBeginning);
  source_->Keep("away", 1);
  EXPECT_FALSE(source_->Lost("away"));
  const uint64_t gone = log_->current_segment() - 1;
  // The pruner's part: both are beyond the cap of 1 MiB.
  std::vector<SegmentSize> segments;
  for (uint64_t n = 1; n <= gone; ++n) segments.push_back({.number = n, .bytes = 1 << 20});
  EXPECT_GT(retention_->Settle(segments, gone), 1u);
  for (uint64_t n = 1; n < gone; ++n) {
    ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(n)).ok());
  }
  EXPECT_TRUE(source_->Lost("away"));
  const ExportFault fault =
      FaultOf(From::kPosition, {.history = log_->history(), .sequences = Watermarks(2)});
  EXPECT_EQ(fault.kind, ExportFault::Kind::kPositionLost) << fault.text;
  ASSERT_THAT(fault.lost, SizeIs(1));
  EXPECT_EQ(fault.lost[0].shard, ShardId(0));
  EXPECT_EQ(fault.lost[0].first, Sequence(1));
  EXPECT_EQ(FaultOf(From::kSnapshot).kind, ExportFault::Kind::kNoSnapshot);
}

TEST_F(LogExportSourceTest, ASnapshotThenWhatComesAfterIt) {
  Write(0, 3);
  Write(1, 4);
  auto writer = SnapshotWriter::Create(*directory_,
                                       {.number = 1,
                                        .history = log_->history(),
                                        .shard_count = 2,
                                        .first_segment = log_->current_segment(),
                                        .begun_at_ms = 0},
                                       {});
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (uint16_t shard = 0; shard < 2; ++shard) {
    const ChunkSource source{.history = log_->history(),
                             .shard = ShardId(shard),
                             .shard_count = 2,
                             .watermark = streams_[shard].position()};
    for (const FrameRef& chunk : MakeChunks(source, 3)) {
      ASSERT_TRUE((*writer)->Add(*chunk, source.watermark.sequence).ok());
    }
    digests_[ShardId(shard)] = source.watermark.digest;
  }
  ASSERT_TRUE((*writer)->SyncFiles().ok());
  ASSERT_TRUE((*writer)->Finish(log_->DurableCut(), 1).ok());
  Write(0, 1);

  const auto cursor = Open(From::kSnapshot);
  EXPECT_TRUE(cursor->has_snapshot());
  EXPECT_EQ(cursor->begin().sequences, (Watermarks{Sequence(3), Sequence(4)}));
  EXPECT_THAT(Read(*cursor), ElementsAre("0/3-3", "0/3-3", "1/4-4", "1/4-4", "snapshot", "0/4-4"));
}

TEST_F(LogExportSourceTest, WithoutASnapshotTheLogFromItsBeginningDoes) {
  Write(0, 3);
  const auto cursor = Open(From::kSnapshot);
  EXPECT_FALSE(cursor->has_snapshot());
  EXPECT_THAT(Read(*cursor), ElementsAre("0/1-3"));
}

TEST_F(LogExportSourceTest, PositionsThatCannotBeAreRefused) {
  Write(0, 3);
  const HistoryId history = log_->history();
  using Kind = ExportFault::Kind;
  EXPECT_EQ(FaultOf(From::kPosition, {.history = history, .sequences = Watermarks(3)}).kind,
            Kind::kBadPosition);
  EXPECT_EQ(FaultOf(From::kPosition, {.history = HistoryId(1), .sequences = Watermarks(2)}).kind,
            Kind::kForeignHistory);
  EXPECT_EQ(
      FaultOf(From::kPosition, {.history = history, .sequences = {Sequence(4), Sequence(0)}}).kind,
      Kind::kForeignHistory);
}

}  // namespace
}  // namespace tidemark::wal
