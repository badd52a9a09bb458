#include "wal/log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

#include "wal/disk/simulated_disk.h"
#include "wal/segment_reader.h"
#include "wal/test_stream.h"

namespace tidemark::wal {
namespace {

constexpr HistoryId kHistory{3};
constexpr auto kDeadline = std::chrono::seconds(60);

class LogTest : public testing::Test {
 protected:
  LogTest() : directory_(*DataDirectory::Open(disk_, "/data", DirectoryId(5))) {
    options_.fsync = FsyncPolicy::kAlways;
    options_.segment_bytes = 64 << 10;
    options_.wake_shard = [this](ShardId shard) {
      std::lock_guard lock(mutex_);
      ++wakes_[shard];
      changed_.notify_all();
    };
  }
  ~LogTest() override { log_.reset(); }

  void Open(uint16_t shards) {
    absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(
        *directory_, {.history = kHistory, .positions = Positions(shards), .next_segment = 1},
        options_);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    log_->AddListener([this] {
      std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
  }

  template <typename Condition>
  bool Await(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, condition);
  }
  bool AwaitDurable(ShardId shard, Sequence sequence) {
    return Await([&] { return log_->durable(shard) >= sequence; });
  }

  static void Append(ShardLog& door, FrameRef frame) {
    door.Append(std::move(frame));
    door.OnTurnEnd();
  }

  // What SyncThrough() answers.
  absl::Status SyncThrough(Watermarks target) {
    std::optional<absl::Status> answer;
    log_->SyncThrough(std::move(target), [&](absl::Status status) {
      std::lock_guard lock(mutex_);
      answer = std::move(status);
      changed_.notify_all();
    });
    EXPECT_TRUE(Await([&] { return answer.has_value(); }));
    return answer.value_or(absl::DeadlineExceededError("no answer"));
  }

  // Frames of all segments, which are sealed; -1: something is wrong with them.
  int64_t ReadBack() {
    int64_t frames = 0;
    const std::vector<uint64_t> numbers = *directory_->ListSegments();
    for (const uint64_t number : numbers) {
      auto reader = SegmentReader::Open(disk_, directory_->SegmentPath(number),
                                        {.directory = DirectoryId(5),
                                         .number = number,
                                         .tail = SegmentTail::kSealed,
                                         .limit_bytes = std::numeric_limits<uint64_t>::max()});
      if (!reader.ok()) return -1;
      while (true) {
        const auto item = (*reader)->Next();
        if (!item.ok()) return -1;
        if (!item->has_value()) break;
        ++frames;
      }
    }
    return frames;
  }

  SimulatedDisk disk_{1};
  std::unique_ptr<DataDirectory> directory_;
  Log::Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<ShardId, int> wakes_;  // Guarded by mutex_.
  std::unique_ptr<Log> log_;
};

TEST_F(LogTest, WhatShardsAppendBecomesDurable) {
  constexpr int kFrames = 2000;
  Open(3);
  std::vector<std::thread> shards;
  for (uint16_t id = 0; id < 3; ++id) {
    shards.emplace_back([this, id] {
      TestStream stream(kHistory, ShardId(id), 3);
      for (int i = 0; i < kFrames; ++i) Append(log_->shard(ShardId(id)), stream.Make(2));
    });
  }
  for (std::thread& shard : shards) shard.join();
  for (uint16_t id = 0; id < 3; ++id) {
    EXPECT_TRUE(AwaitDurable(ShardId(id), Sequence(2 * kFrames)));
    EXPECT_EQ(log_->shard(ShardId(id)).utilisation_percent(), 0);
  }
  EXPECT_TRUE(log_->Stop().ok());
  EXPECT_EQ(log_->final_positions()[2].sequence, Sequence(2 * kFrames));
  EXPECT_EQ(ReadBack(), 3 * kFrames);
  EXPECT_GT(log_->counters().segments.value(), 1u);
}

TEST_F(LogTest, ShardThatAskedIsWokenWhenDurableMoves) {
  Open(2);
  // The discipline of a shard with held replies: ask, look once more, sleep until woken.
  TestStream stream(kHistory, ShardId(0), 2);
  ShardLog& door = log_->shard(ShardId(0));
  for (int i = 0; i < 200; ++i) {
    Append(door, stream.Make(1));
    const Sequence want = stream.position().sequence;
    while (true) {
      int before;
      {
        std::lock_guard lock(mutex_);
        before = wakes_[ShardId(0)];
      }
      door.NotifyWhenDurable();
      if (log_->durable(ShardId(0)) >= want) break;
      ASSERT_TRUE(Await([&] { return wakes_[ShardId(0)] > before; })) << "write " << i;
    }
  }
  std::lock_guard lock(mutex_);
  EXPECT_EQ(wakes_[ShardId(1)], 0);
}

TEST_F(LogTest, FullRingSpillsAndItsShardIsWokenForTheRest) {
  std::mutex gate;
  gate.lock();
  Open(1);
  disk_.set_sync_hook([&](const std::string&) { std::lock_guard wait(gate); });
  TestStream stream(kHistory, ShardId(0), 1);
  ShardLog& door = log_->shard(ShardId(0));
  // Two rings' worth while the first sync stands still.
  for (int i = 0; i < 9000; ++i) door.Append(stream.Make(1));
  door.OnTurnEnd();
  EXPECT_GT(door.queued_bytes(), 0u);
  gate.unlock();
  while (log_->durable(ShardId(0)) < stream.position().sequence) {
    int before;
    {
      std::lock_guard lock(mutex_);
      before = wakes_[ShardId(0)];
    }
    door.NotifyWhenDurable();
    door.OnTurnEnd();
    if (log_->durable(ShardId(0)) >= stream.position().sequence) break;
    ASSERT_TRUE(Await([&] { return wakes_[ShardId(0)] > before; }));
  }
  EXPECT_TRUE(log_->Stop().ok());
  EXPECT_EQ(ReadBack(), 9000);
}

TEST_F(LogTest, StopTakesWhatSpilled) {
  Open(1);
  TestStream stream(kHistory, ShardId(0), 1);
  for (int i = 0; i < 9000; ++i) log_->shard(ShardId(0)).Append(stream.Make(1));
  EXPECT_TRUE(log_->Stop().ok());
  EXPECT_EQ(log_->durable(ShardId(0)), Sequence(9000));
  EXPECT_EQ(ReadBack(), 9000);
}

TEST_F(LogTest, SyncThroughSyncsWhateverThePolicy) {
  options_.fsync = FsyncPolicy::kNever;
  Open(2);
  TestStream stream(kHistory, ShardId(1), 2);
  Append(log_->shard(ShardId(1)), stream.Make(5));
  EXPECT_TRUE(SyncThrough({Sequence(), Sequence(5)}).ok());
  EXPECT_EQ(log_->durable(ShardId(1)), Sequence(5));
  EXPECT_EQ(log_->DurableCut(), (Watermarks{Sequence(), Sequence(5)}));
}

TEST_F(LogTest, SyncThroughIsCancelledByTheEnd) {
  options_.fsync = FsyncPolicy::kNever;
  Open(1);
  std::optional<absl::Status> answer;
  log_->SyncThrough({Sequence(1)}, [&](absl::Status status) { answer = std::move(status); });
  EXPECT_TRUE(log_->Stop().ok());
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(absl::IsCancelled(*answer));
  answer.reset();
  log_->SyncThrough({Sequence(1)}, [&](absl::Status status) { answer = std::move(status); });
  EXPECT_TRUE(answer.has_value());
}

TEST_F(LogTest, FailedSyncStopsDurableAndTellsEverybody) {
  Open(1);
  TestStream stream(kHistory, ShardId(0), 1);
  ShardLog& door = log_->shard(ShardId(0));
  Append(door, stream.Make(1));
  ASSERT_TRUE(AwaitDurable(ShardId(0), Sequence(1)));
  disk_.FailSync(1);
  door.NotifyWhenDurable();
  Append(door, stream.Make(1));
  EXPECT_TRUE(Await([&] { return log_->state() == Log::State::kFailed; }));
  EXPECT_TRUE(Await([&] { return wakes_[ShardId(0)] > 0; }));
  EXPECT_NE(log_->cause(), "");
  EXPECT_FALSE(SyncThrough({Sequence(2)}).ok());
  EXPECT_FALSE(log_->Stop().ok());
  EXPECT_EQ(log_->durable(ShardId(0)), Sequence(1));
}

TEST_F(LogTest, FullDiskMendsItself) {
  options_.segment_bytes = 4096;
  Open(1);
  disk_.set_capacity_bytes(4096);
  TestStream stream(kHistory, ShardId(0), 1);
  ShardLog& door = log_->shard(ShardId(0));
  for (int i = 0; i < 10; ++i) Append(door, stream.Make(1, std::string(1000, 'x')));
  EXPECT_TRUE(Await([&] { return log_->state() == Log::State::kDiskFull; }));
  EXPECT_GT(door.queued_bytes(), 0u);
  disk_.set_capacity_bytes(1 << 20);
  EXPECT_TRUE(AwaitDurable(ShardId(0), Sequence(10)));
  EXPECT_TRUE(Await([&] { return log_->state() == Log::State::kWriting; }));
  EXPECT_EQ(log_->cause(), "");
  EXPECT_TRUE(log_->Stop().ok());
  EXPECT_EQ(ReadBack(), 10);
}

TEST_F(LogTest, FullDiskTakesNothingFromALogThatIsToStop) {
  options_.segment_bytes = 4096;
  Open(1);
  disk_.set_capacity_bytes(4096);
  TestStream stream(kHistory, ShardId(0), 1);
  ShardLog& door = log_->shard(ShardId(0));
  for (int i = 0; i < 5; ++i) door.Append(stream.Make(1, std::string(1000, 'x')));
  EXPECT_TRUE(absl::IsResourceExhausted(log_->StopIfRoom()));
  EXPECT_EQ(log_->state(), Log::State::kDiskFull);
  for (int i = 0; i < 5; ++i) Append(door, stream.Make(1, std::string(1000, 'x')));
  EXPECT_TRUE(absl::IsResourceExhausted(log_->StopIfRoom()));
  disk_.set_capacity_bytes(1 << 20);
  EXPECT_TRUE(log_->StopIfRoom().ok());
  EXPECT_EQ(log_->durable(ShardId(0)), Sequence(10));
  EXPECT_EQ(log_->final_positions()[0].sequence, Sequence(10));
  EXPECT_TRUE(log_->StopIfRoom().ok()) << "again";
  EXPECT_EQ(ReadBack(), 10);
}

TEST_F(LogTest, HoleFailsTheLog) {
  Open(1);
  log_->shard(ShardId(0)).OnHole(Sequence(3));
  EXPECT_TRUE(Await([&] { return log_->state() == Log::State::kFailed; }));
  EXPECT_NE(log_->cause().find("sequence 3"), std::string::npos) << log_->cause();
}

TEST_F(LogTest, PolicyChangesLive) {
  options_.fsync = FsyncPolicy::kNever;
  Open(1);
  TestStream stream(kHistory, ShardId(0), 1);
  Append(log_->shard(ShardId(0)), stream.Make(1));
  log_->set_fsync(FsyncPolicy::kInterval, 1);
  EXPECT_TRUE(AwaitDurable(ShardId(0), Sequence(1)));
}

TEST_F(LogTest, IdleLogDoesNothing) {
  Open(2);
  TestStream stream(kHistory, ShardId(0), 2);
  Append(log_->shard(ShardId(0)), stream.Make(1));
  ASSERT_TRUE(AwaitDurable(ShardId(0), Sequence(1)));
  const SimulatedDisk::Counts before = disk_.counts();
  EXPECT_TRUE(SyncThrough({Sequence(1), Sequence()}).ok());
  EXPECT_EQ(disk_.counts().syncs, before.syncs);
  EXPECT_EQ(disk_.counts().writes, before.writes);
}

}  // namespace
}  // namespace tidemark::wal
