// Replicas on a real log: from segments and from the tail, across the end of a history, and what is
// kept for them. The disk is simulated, the log's thread is not.

#include "server/log_archive.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "wal/disk/simulated_disk.h"
#include "wal/test_stream.h"

namespace tidemark::server {
namespace {

constexpr HistoryId kOld{3}, kNew{4};
constexpr auto kDeadline = std::chrono::seconds(60);

class LogArchiveTest : public testing::Test {
 protected:
  LogArchiveTest() : directory_(*wal::DataDirectory::Open(disk_, "/data", wal::DirectoryId(5))) {
    options_.fsync = wal::FsyncPolicy::kAlways;
    options_.segment_bytes = 4096;
    options_.tail_bytes = 1;
    Begin(kOld, {}, wal::Positions(2), 1);
  }
  ~LogArchiveTest() override { archive_.reset(); }

  // A process and its history, which goes on from `begin`.
  void Begin(HistoryId history, wal::Positions fork, const wal::Positions& begin,
             uint64_t next_segment) {
    archive_.reset();
    log_.reset();
    wal::Manifest manifest = directory_->manifest();
    manifest.Add({.id = history,
                  .shard_count = 2,
                  .born_ms = 1,
                  .parent = fork.empty() ? HistoryId() : kOld,
                  .fork = std::move(fork)});
    ASSERT_TRUE(directory_->Save(manifest).ok());
    streams_.clear();
    for (size_t shard = 0; shard < begin.size(); ++shard) {
      streams_.emplace_back(history, ShardId(static_cast<uint16_t>(shard)), uint16_t{2},
                            begin[shard]);
    }
    absl::StatusOr<std::unique_ptr<wal::Log>> log = wal::Log::Open(
        *directory_, {.history = history, .positions = begin, .next_segment = next_segment},
        options_);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    log_->AddListener([this] {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    archive_ = std::make_unique<LogArchive>(*directory_, log_, retention_, kRetainBytes);
  }

  // Frames of two records each, by turns; waits until they are durable.
  void Write(int frames) {
    for (int i = 0; i < frames; ++i) {
      FrameRef frame = streams_[static_cast<size_t>(i) % 2].Make(2, std::string(300, 'v'));
      wal::ShardLog& door = log_->shard(frame->shard());
      door.Append(std::move(frame));
      door.OnTurnEnd();
    }
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(
        lock, kDeadline, [&] { return log_->DurableCut() == wal::SequencesOf(Positions()); }));
  }
  wal::Positions Positions() const { return {streams_[0].position(), streams_[1].position()}; }

  static replication::ReplicaPosition At(HistoryId history, const wal::Positions& positions) {
    replication::ReplicaPosition at{.history = history, .shards = {}};
    for (const wal::ShardPosition& shard : positions) {
      at.shards.push_back({shard.sequence, shard.digest});
    }
    return at;
  }

  // Reads all that follows `position` and checks that it continues that, shard by shard, as frames
  // of the newest history; the positions at the end.
  wal::Positions Follow(HistoryId history, wal::Positions at) {
    auto reader = archive_->Open(At(history, at));
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!reader.ok()) return at;
    while (true) {
      const replication::ArchiveBatch batch = (*reader)->Read(1'000);
      EXPECT_TRUE(batch.status.ok()) << batch.status;
      if (batch.frames.empty()) return at;
      for (const FrameRef& frame : batch.frames) {
        wal::ShardPosition& shard = at[frame->shard().value()];
        if (frame->last_sequence() <= shard.sequence) continue;
        EXPECT_EQ(frame->history(), log_->history());
        EXPECT_EQ(frame->first_sequence(), Next(shard.sequence));
        EXPECT_EQ(frame->stream_digest(), StreamDigest(shard.digest, frame->payload()));
        shard = {frame->last_sequence(), frame->stream_digest()};
      }
    }
  }
  uint64_t LowestKept() const { return retention_.LowestNeeded(); }

  static constexpr uint64_t kRetainBytes = 20'000;
  static constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

  wal::SimulatedDisk disk_{1};
  std::unique_ptr<wal::DataDirectory> directory_;
  wal::Log::Options options_;
  wal::Retention retention_;
  std::deque<wal::TestStream> streams_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<wal::Log> log_;
  std::unique_ptr<LogArchive> archive_;
};

TEST_F(LogArchiveTest, GoesOnFromAnyPosition) {
  std::vector<wal::Positions> reached = {wal::Positions(2)};
  for (int i = 0; i < 10; ++i) {
    Write(3);
    reached.push_back(Positions());
  }
  for (const wal::Positions& at : reached) EXPECT_EQ(Follow(kOld, at), Positions());
}

TEST_F(LogArchiveTest, GoesOnAcrossTheEndOfAHistoryUnderTheNewName) {
  Write(10);
  const wal::Positions early = Positions();
  Write(10);
  const wal::Positions fork = Positions();
  const uint64_t next = log_->current_segment() + 1;
  Begin(kNew, fork, fork, next);
  Write(10);
  EXPECT_EQ(Follow(kOld, early), Positions()) << "a replica that knows the old history";
  EXPECT_EQ(Follow(kNew, early), Positions()) << "one that was told of the new, and was cut again";
  EXPECT_EQ(Follow(kNew, {fork[0], early[1]}), Positions()) << "past the fork in one shard only";
  EXPECT_EQ(Follow(kNew, Positions()), Positions());
}

TEST_F(LogArchiveTest, WhatTheOldHistoryHadBeyondItsEndIsNotShown) {
  Write(10);
  const wal::Positions before = Positions();
  Write(1);  // Two records, of which the fork keeps none.
  const uint64_t next = log_->current_segment() + 1;
  Begin(kNew, before, before, next);
  Write(4);
  EXPECT_EQ(Follow(kOld, wal::Positions(2)), Positions());
}

TEST_F(LogArchiveTest, PrunedPositionIsNotFound) {
  Write(40);
  ASSERT_GT(log_->current_segment(), 3u);
  ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(1)).ok());
  const auto reader = archive_->Open(At(kOld, wal::Positions(2)));
  EXPECT_TRUE(absl::IsNotFound(reader.status())) << reader.status();
}

TEST_F(LogArchiveTest, KeepsTheSegmentsThatAReplicaLacks) {
  archive_->Keep("a", kOld, Watermarks(2));
  EXPECT_EQ(LowestKept(), 1u);
  Write(40);
  const wal::Positions half = Positions();
  Write(40);
  archive_->Keep("a", kOld, wal::SequencesOf(half));
  archive_->Keep("b", kOld, wal::SequencesOf(Positions()));
  const uint64_t lowest = LowestKept();  // The slower one decides.
  EXPECT_GT(lowest, 2u);
  for (uint64_t number = 1; number < lowest; ++number) {
    ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(number)).ok());
  }
  EXPECT_EQ(Follow(kOld, half), Positions());
  archive_->Forget("a");
  EXPECT_GT(LowestKept(), lowest);
  archive_->Forget("b");
  EXPECT_EQ(LowestKept(), kNone);
}

TEST_F(LogArchiveTest, ReplicaBeyondItsCapIsLostUntilItIsBack) {
  archive_->Keep("a", kOld, Watermarks(2));
  Write(40);
  const std::vector<wal::SegmentSize> segments = {{.number = 1, .bytes = kRetainBytes + 1}};
  EXPECT_EQ(retention_.Settle(segments, 2), 2u);
  EXPECT_TRUE(archive_->Lost("a"));
  archive_->Keep("a", kOld, wal::SequencesOf(Positions()));
  EXPECT_FALSE(archive_->Lost("a"));
}

}  // namespace
}  // namespace tidemark::server
