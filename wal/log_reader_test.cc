#include "wal/log_reader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "wal/disk/simulated_disk.h"
#include "wal/log.h"
#include "wal/test_stream.h"

namespace tidemark::wal {
namespace {

constexpr HistoryId kOld{3}, kNew{4};
constexpr auto kDeadline = std::chrono::seconds(60);

class LogReaderTest : public testing::Test {
 protected:
  LogReaderTest() : directory_(*DataDirectory::Open(disk_, "/data", DirectoryId(5))) {
    options_.fsync = FsyncPolicy::kAlways;
    options_.segment_bytes = 4096;
    AddHistory(kOld, 2, {});
  }

  void AddHistory(HistoryId id, uint16_t shards, Positions fork) {
    Manifest manifest = directory_->manifest();
    manifest.Add({.id = id,
                  .shard_count = shards,
                  .born_ms = 1,
                  .parent = fork.empty() ? HistoryId() : kOld,
                  .fork = std::move(fork)});
    ASSERT_TRUE(directory_->Save(manifest).ok());
  }

  void OpenLog(HistoryId history, Positions positions, uint64_t next_segment) {
    history_ = history;
    streams_.clear();
    for (size_t shard = 0; shard < positions.size(); ++shard) {
      streams_.emplace_back(history, ShardId(static_cast<uint16_t>(shard)),
                            static_cast<uint16_t>(positions.size()), positions[shard]);
    }
    absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(
        *directory_,
        {.history = history, .positions = std::move(positions), .next_segment = next_segment},
        options_);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    log_->AddListener([this] {
      std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
  }

  void Append(FrameRef frame) {
    ShardLog& door = log_->shard(frame->shard());
    door.Append(std::move(frame));
    door.OnTurnEnd();
  }
  // `frames` of two records each, by turns, and waits until they are durable.
  void Write(int frames, size_t value_bytes = 300) {
    for (int i = 0; i < frames; ++i) {
      Append(streams_[static_cast<size_t>(i) % streams_.size()].Make(
          2, std::string(value_bytes, 'v')));
      if (i % 8 == 7) AwaitDurable();
    }
    AwaitDurable();
  }
  Watermarks Written() const {
    Watermarks written;
    for (const TestStream& stream : streams_) written.push_back(stream.position().sequence);
    return written;
  }
  void AwaitDurable() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(
        changed_.wait_for(lock, kDeadline, [&] { return log_->DurableCut() == Written(); }));
  }

  std::unique_ptr<LogReader> OpenReader(HistoryId history, Watermarks after) {
    auto reader = LogReader::Open(*directory_, log_.get(), history, std::move(after));
    EXPECT_TRUE(reader.ok()) << reader.status();
    return reader.ok() ? *std::move(reader) : nullptr;
  }

  // How many frames there are until no more is durable; -1 after an error.
  int Drain(LogReader& reader) {
    for (int frames = 0;; ++frames) {
      const auto item = reader.Next();
      EXPECT_TRUE(item.ok()) << item.status();
      if (!item.ok()) return -1;
      if (!item->has_value()) return frames;
    }
  }

  SimulatedDisk disk_{1};
  std::unique_ptr<DataDirectory> directory_;
  Log::Options options_;
  HistoryId history_;
  std::deque<TestStream> streams_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Log> log_;
};

TEST_F(LogReaderTest, ReadsEverythingFromTheBeginning) {
  OpenLog(kOld, Positions(2), 1);
  Write(40);
  const auto reader = OpenReader(kOld, Watermarks(2));
  EXPECT_EQ(Drain(*reader), 40);
  EXPECT_EQ(reader->position(), Written());
  Write(10);
  EXPECT_EQ(Drain(*reader), 10);
}

TEST_F(LogReaderTest, ReadsSegmentsWhereTheTailNoLongerReaches) {
  options_.tail_bytes = 1;
  OpenLog(kOld, Positions(2), 1);
  Write(40);
  ASSERT_GT(log_->current_segment(), 2u);
  const auto reader = OpenReader(kOld, Watermarks(2));
  EXPECT_EQ(Drain(*reader), 40);
  // Again and again past what the tail holds, within a growing segment and over its end.
  for (const int more : {1, 3, 2, 30, 1}) {
    Write(more);
    EXPECT_EQ(Drain(*reader), more);
  }
  EXPECT_EQ(reader->position(), Written());
  EXPECT_EQ(reader->segment(), log_->current_segment());
}

TEST_F(LogReaderTest, GoesOnFromAnyPosition) {
  OpenLog(kOld, Positions(2), 1);
  Write(30);
  const Watermarks end = Written();
  // From the tail of the log that runs, then from the files that it left.
  for (const bool live : {true, false}) {
    if (!live) {
      ASSERT_TRUE(log_->Stop().ok());
      log_.reset();
    }
    for (uint64_t zero = 0; zero <= 30; zero += 3) {
      for (uint64_t one = 0; one <= 30; one += 5) {
        Watermarks at{Sequence(zero), Sequence(one)};
        const auto reader = OpenReader(kOld, at);
        while (true) {
          const auto item = reader->Next();
          ASSERT_TRUE(item.ok()) << item.status();
          if (!item->has_value()) break;
          // Exactly what lacks: the first frame may begin before the position, and says so.
          Sequence& position = at[(*item)->frame->shard().value()];
          EXPECT_EQ((*item)->after, position);
          EXPECT_GE(Next((*item)->after), (*item)->frame->first_sequence());
          position = (*item)->through;
        }
        EXPECT_EQ(at, end);
      }
    }
  }
}

TEST_F(LogReaderTest, ShowsNothingBeyondDurable) {
  options_.fsync = FsyncPolicy::kNever;
  OpenLog(kOld, Positions(2), 1);
  Append(streams_[0].Make(2));
  while (log_->written(ShardId(0)) < Sequence(2)) std::this_thread::yield();
  const auto reader = OpenReader(kOld, Watermarks(2));
  EXPECT_EQ(Drain(*reader), 0);
  log_->SyncThrough(Written(), [](absl::Status) {});
  AwaitDurable();
  EXPECT_EQ(Drain(*reader), 1);
}

TEST_F(LogReaderTest, ReplicasAreShownWhatIsWritten) {
  options_.fsync = FsyncPolicy::kNever;
  OpenLog(kOld, Positions(2), 1);
  Append(streams_[0].Make(2));
  while (log_->written(ShardId(0)) < Sequence(2)) std::this_thread::yield();
  ASSERT_EQ(log_->durable(ShardId(0)), Sequence(0));
  // Shard 1 has been further, live, than the log is.
  const auto reader = *LogReader::Open(*directory_, log_.get(), kOld, {Sequence(0), Sequence(5)},
                                       nullptr, LogReader::Shows::kWritten);
  EXPECT_EQ(Drain(*reader), 1);
}

TEST_F(LogReaderTest, FrameWaitsWithinWhichDurableEnds) {
  OpenLog(kOld, Positions(2), 1);
  const std::vector<ShardId> both = {ShardId(0), ShardId(1)};
  Append(streams_[0].MakeTransaction(1, both, 1, /*before=*/2));
  std::unique_lock lock(mutex_);
  ASSERT_TRUE(
      changed_.wait_for(lock, kDeadline, [&] { return log_->durable(ShardId(0)) == Sequence(2); }));
  lock.unlock();
  const auto reader = OpenReader(kOld, Watermarks(2));
  EXPECT_EQ(Drain(*reader), 0);
  Append(streams_[1].MakeTransaction(1, both, 1));
  AwaitDurable();
  EXPECT_EQ(Drain(*reader), 2);
}

TEST_F(LogReaderTest, PrunedPositionNamesShardsAndSequences) {
  options_.tail_bytes = 1;
  OpenLog(kOld, Positions(2), 1);
  for (int i = 0; i < 20; ++i) Write(2);  // In turn: either shard in every segment.
  ASSERT_GT(log_->current_segment(), 3u);
  ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(1)).ok());
  std::vector<LostRecords> lost;
  const auto reader =
      LogReader::Open(*directory_, log_.get(), kOld, {Sequence(1), Sequence(2)}, &lost);
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kNotFound) << reader.status();
  EXPECT_NE(reader.status().message().find("shard 0: 2 to "), std::string::npos) << reader.status();
  ASSERT_EQ(lost.size(), 2u);
  EXPECT_EQ(lost[0].first, Sequence(2));
  EXPECT_EQ(lost[1].first, Sequence(3));
  // Behind the gap there is a way on.
  EXPECT_NE(OpenReader(kOld, {lost[0].last, lost[1].last}), nullptr);
}

TEST_F(LogReaderTest, ReaderThatIsOvertakenByPruningIsTold) {
  options_.tail_bytes = 1;
  OpenLog(kOld, Positions(2), 1);
  Write(60);
  const auto reader = OpenReader(kOld, Watermarks(2));
  ASSERT_TRUE(reader->Next().ok());
  for (uint64_t number = 1; number < log_->current_segment(); ++number) {
    ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(number)).ok());
  }
  absl::Status status;
  while (status.ok()) {
    const auto item = reader->Next();
    status = item.status();
    if (item.ok() && !item->has_value()) break;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_EQ(reader->Next().status(), status);
}

TEST_F(LogReaderTest, FollowsTheForkAndPassesOverWhatIsVoid) {
  OpenLog(kOld, Positions(2), 1);
  Write(10);
  ASSERT_TRUE(log_->Stop().ok());
  const Watermarks end = Written();
  const uint64_t next = log_->current_segment() + 1;
  log_.reset();
  // A crash: the last record of shard 0's last frame, and all of shard 1's last frame, were void.
  const Positions fork = {{.sequence = Sequence(end[0].value() - 1), .digest = 77},
                          {.sequence = Sequence(end[1].value() - 2), .digest = 78}};
  AddHistory(kNew, 2, fork);
  OpenLog(kNew, fork, next);
  Write(6);
  const auto reader = OpenReader(kOld, Watermarks(2));
  std::vector<uint64_t> through;
  Watermarks at(2);
  while (true) {
    const auto item = reader->Next();
    ASSERT_TRUE(item.ok()) << item.status();
    if (!item->has_value()) break;
    const size_t shard = (*item)->frame->shard().value();
    EXPECT_EQ((*item)->after, at[shard]);
    at[shard] = (*item)->through;
    if ((*item)->frame->history() == kOld) {
      EXPECT_LE((*item)->through, fork[shard].sequence);
    }
  }
  EXPECT_EQ(reader->history(), kNew);
  EXPECT_EQ(at, Written());
  EXPECT_EQ(reader->position(), Written());
}

// One shard's void rest may fill whole segments, for another shard's records among it count.
TEST_F(LogReaderTest, SegmentsThatBeginWithinTheVoidAreNoLoss) {
  OpenLog(kOld, Positions(2), 1);
  Write(40);
  ASSERT_TRUE(log_->Stop().ok());
  const Watermarks end = Written();
  const uint64_t next = log_->current_segment() + 1;
  log_.reset();
  const Positions fork = {{.sequence = Sequence(end[0].value() - 20), .digest = 77},
                          {.sequence = end[1], .digest = 78}};
  AddHistory(kNew, 2, fork);
  OpenLog(kNew, fork, next);
  const auto from_the_beginning = OpenReader(kOld, Watermarks(2));
  EXPECT_EQ(Drain(*from_the_beginning), 30);
  EXPECT_EQ(from_the_beginning->history(), kNew);
  const auto within = OpenReader(kOld, {fork[0].sequence, Sequence(end[1].value() - 2)});
  EXPECT_EQ(Drain(*within), 1);
}

TEST_F(LogReaderTest, OtherNumberOfShardsBeginsAtZero) {
  OpenLog(kOld, Positions(2), 1);
  Write(4);
  ASSERT_TRUE(log_->Stop().ok());
  const Positions fork = log_->final_positions();
  const uint64_t next = log_->current_segment() + 1;
  log_.reset();
  AddHistory(kNew, 3, fork);
  OpenLog(kNew, Positions(3), next);
  const auto reader = OpenReader(kOld, Watermarks(2));
  EXPECT_EQ(Drain(*reader), 4);
  EXPECT_EQ(reader->history(), kNew);
  EXPECT_EQ(reader->position(), Watermarks(3));
  Write(6);
  EXPECT_EQ(Drain(*reader), 6);
  EXPECT_EQ(reader->position(), Written());
}

TEST_F(LogReaderTest, RefusesPositionsThatAreNotOfThisLog) {
  OpenLog(kOld, Positions(2), 1);
  Write(4);
  const auto open = [&](HistoryId history, Watermarks after) {
    return LogReader::Open(*directory_, log_.get(), history, std::move(after)).status().code();
  };
  EXPECT_EQ(open(HistoryId(99), Watermarks(2)), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(open(kOld, Watermarks(3)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(open(kOld, {Sequence(1000), Sequence()}), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LogReaderTest, MissingSegmentInTheMiddleIsNotSkipped) {
  OpenLog(kOld, Positions(2), 1);
  Write(40);
  ASSERT_TRUE(log_->Stop().ok());
  ASSERT_GT(log_->current_segment(), 3u);
  log_.reset();
  ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(2)).ok());
  const auto reader = OpenReader(kOld, Watermarks(2));
  absl::Status status;
  while (status.ok()) {
    const auto item = reader->Next();
    status = item.status();
    ASSERT_FALSE(item.ok() && !item->has_value());
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
}

TEST_F(LogReaderTest, KeepsUpWithAWriter) {
  constexpr int kFrames = 3000;
  options_.tail_bytes = 20'000;  // Small: now from memory, now from the disk.
  options_.segment_bytes = 32 << 10;
  OpenLog(kOld, Positions(2), 1);
  std::vector<std::thread> shards;
  for (size_t shard = 0; shard < 2; ++shard) {
    shards.emplace_back([&, shard] {
      for (int i = 0; i < kFrames; ++i) Append(streams_[shard].Make(1, std::string(100, 'v')));
    });
  }
  const auto reader = OpenReader(kOld, Watermarks(2));
  Watermarks at(2);
  int frames = 0;
  while (frames < 2 * kFrames) {
    const Watermarks before = log_->DurableCut();
    const auto item = reader->Next();
    ASSERT_TRUE(item.ok()) << item.status();
    if (item->has_value()) {
      Sequence& position = at[(*item)->frame->shard().value()];
      ASSERT_EQ((*item)->frame->first_sequence(), Next(position));
      position = (*item)->through;
      ASSERT_LE(position, log_->durable((*item)->frame->shard()));
      ++frames;
      continue;
    }
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, kDeadline, [&] { return log_->DurableCut() != before; }));
  }
  for (std::thread& shard : shards) shard.join();
}

}  // namespace
}  // namespace tidemark::wal
