// Random frames of a few shards, some of them parts of transactions, go through LogWriter onto a
// disk that fills up, fails and loses power, all by seed. Whatever happened, what was durable is
// read back, and nothing that was never written.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/sanitizers.h"
#include "wal/data_directory.h"
#include "wal/disk/simulated_disk.h"
#include "wal/log_writer.h"
#include "wal/segment_reader.h"
#include "wal/test_stream.h"

namespace tidemark::wal {
namespace {

// The crash point hook has no argument of ours.
struct PlannedCrash {
  SimulatedDisk* disk = nullptr;
  uint64_t points_left = 0;
  bool happened = false;
};
PlannedCrash planned_crash;

void CrashWhenDue(const char* name) {
  if (planned_crash.points_left == 0 || --planned_crash.points_left > 0) return;
  planned_crash.happened = true;
  planned_crash.disk->Crash();
}

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed), disk_(seed) {
    shards_ = 1 + Below(3);
    for (size_t shard = 0; shard < shards_; ++shard) {
      streams_.emplace_back(kHistory, ShardId(static_cast<uint16_t>(shard)),
                            static_cast<uint16_t>(shards_));
      digests_.emplace_back();
    }
    directory_ = *DataDirectory::Open(disk_, "/data", DirectoryId(5));
    Manifest manifest = directory_->manifest();
    manifest.Add({.id = kHistory,
                  .shard_count = static_cast<uint16_t>(shards_),
                  .born_ms = 1,
                  .parent = HistoryId(),
                  .fork = {}});
    EXPECT_TRUE(directory_->Save(manifest).ok());
    options_.fsync = static_cast<FsyncPolicy>(Below(3));
    options_.fsync_interval_ms = 1 + static_cast<int64_t>(Below(20));
    options_.segment_bytes = 2048 + Below(16) * 1024;
    options_.zero_ahead_bytes = Below(2) * (64 + Below(4096));
    options_.zstd = Below(3) == 0;
    options_.clock = &clock_;
    options_.counters = &counters_;
  }

  void Run() {
    absl::StatusOr<std::unique_ptr<LogWriter>> writer = LogWriter::Open(
        *directory_, {.history = kHistory, .positions = Positions(shards_), .next_segment = 1},
        options_);
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
    PlanTrouble();
    const uint64_t steps = 20 + Below(200);
    for (uint64_t i = 0; i < steps && !planned_crash.happened; ++i) Step();
    EndTrouble();
    if (!planned_crash.happened && Below(2) == 0) FinishAndCheck();
    durable_ = writer_->durable();
    CheckCut();
    writer_.reset();
    if (!planned_crash.happened) disk_.Crash();
    SetCrashPointHook(nullptr);
    ReadBack();
  }

 private:
  static constexpr HistoryId kHistory{7};

  uint64_t Below(uint64_t n) { return random_() % n; }

  void PlanTrouble() {
    planned_crash = {.disk = &disk_, .points_left = 0, .happened = false};
    switch (Below(4)) {
      case 0:
        planned_crash.points_left = 1 + Below(150);
        SetCrashPointHook(&CrashWhenDue);
        break;
      case 1:
        if (Below(2) == 0) disk_.FailSync(1 + Below(40));
        if (Below(2) == 0) disk_.FailWrite(1 + Below(80));
        failures_ = true;
        break;
      case 2:
        small_disk_ = true;
        break;
      default:
        break;
    }
  }

  // Space comes back before the end; failures stay.
  void EndTrouble() {
    disk_.set_capacity_bytes(std::numeric_limits<uint64_t>::max());
    clock_.AdvanceMillis(200);
    RunWriter(false);
  }

  void Step() {
    switch (Below(8)) {
      case 0:
      case 1:
      case 2:
        Take(Below(shards_), [&](TestStream& stream) {
          return stream.Make(1 + Below(4), std::string(Below(600), 'v'));
        });
        break;
      case 3:
        BeginTransaction();
        break;
      case 4:
        clock_.AdvanceMillis(static_cast<int64_t>(Below(30)));
        break;
      case 5:
        if (small_disk_) disk_.set_capacity_bytes(Below(60'000));
        break;
      default:
        RunWriter(Below(10) == 0);
        break;
    }
    FinishSomeParts();
  }

  template <typename Make>
  void Take(size_t shard, Make make) {
    FrameRef frame = make(streams_[shard]);
    digests_[shard][frame->last_sequence()] = frame->stream_digest();
    writer_->Take(std::move(frame));
  }

  void RunWriter(bool sync_wanted) {
    const Watermarks before = writer_->durable();
    const LogWriter::Step step = writer_->Run(sync_wanted);
    if (step.synced) writer_->BeginRound();
    for (size_t shard = 0; shard < shards_; ++shard) {
      EXPECT_GE(writer_->durable()[shard], before[shard]);
      EXPECT_LE(writer_->durable()[shard], writer_->written()[shard].sequence);
    }
    EXPECT_EQ(step.durable_moved, writer_->durable() != before);
    if (failed_) {
      EXPECT_EQ(writer_->durable(), before) << "durable moved after the log had failed";
    }
    failed_ = writer_->state() == LogState::kFailed;
  }

  // A transaction's parts come one by one, other frames between them.
  void BeginTransaction() {
    std::vector<ShardId> participants;
    for (size_t shard = 0; shard < shards_; ++shard) {
      if (participants.empty() || Below(2) == 0) {
        participants.push_back(ShardId(static_cast<uint16_t>(shard)));
      }
    }
    transactions_.push_back({.participants = participants, .parts = {}});
    for (size_t i = 0; i < participants.size(); ++i) {
      open_parts_.emplace_back(transactions_.size() - 1, participants[i].value());
    }
  }

  void FinishSomeParts() {
    while (!open_parts_.empty() && Below(3) != 0) {
      const auto [transaction, shard] = open_parts_.front();
      open_parts_.erase(open_parts_.begin());
      const size_t before = Below(3), records = 1 + Below(3);
      const uint64_t first = streams_[shard].position().sequence.value() + before + 1;
      transactions_[transaction].parts.push_back(
          {shard, {Sequence(first), Sequence(first + records)}});
      Take(shard, [&, number = transaction](TestStream& stream) {
        return stream.MakeTransaction(number + 1, transactions_[number].participants, records,
                                      before, Below(3));
      });
    }
  }

  void FinishAndCheck() {
    const bool whole =
        std::all_of(transactions_.begin(), transactions_.end(), [](const Transaction& t) {
          return t.parts.empty() || t.parts.size() == t.participants.size();
        });
    const absl::Status s = writer_->Finish();
    if (!failures_ && !planned_crash.happened) {
      EXPECT_EQ(writer_->state(), LogState::kWriting) << writer_->cause();
      EXPECT_EQ(s.ok(), whole) << s;
    }
    if (!s.ok()) return;
    for (size_t shard = 0; shard < shards_; ++shard) {
      EXPECT_EQ(writer_->durable()[shard], streams_[shard].position().sequence);
    }
  }

  void CheckCut() {
    for (const Transaction& transaction : transactions_) {
      size_t below = 0;
      for (const auto& [shard, span] : transaction.parts) {
        EXPECT_TRUE(durable_[shard] < span.first || durable_[shard] >= span.second);
        if (durable_[shard] >= span.second) ++below;
      }
      EXPECT_TRUE(below == 0 || below == transaction.participants.size());
    }
  }

  void ReadBack() {
    directory_.reset();
    disk_.FailSync(std::numeric_limits<uint64_t>::max());  // One that was planned and never came.
    disk_.FailWrite(std::numeric_limits<uint64_t>::max());
    absl::StatusOr<std::unique_ptr<DataDirectory>> directory =
        DataDirectory::Open(disk_, "/data", DirectoryId(6));
    ASSERT_TRUE(directory.ok()) << directory.status();
    const std::vector<uint64_t> numbers = *(*directory)->ListSegments();
    Watermarks read(shards_);
    for (size_t i = 0; i < numbers.size(); ++i) {
      EXPECT_EQ(numbers[i], i + 1);
      const bool newest = i + 1 == numbers.size();
      absl::StatusOr<std::unique_ptr<SegmentReader>> reader =
          SegmentReader::Open(disk_, (*directory)->SegmentPath(numbers[i]),
                              {.directory = DirectoryId(5),
                               .number = numbers[i],
                               .tail = newest ? SegmentTail::kMayBeTorn : SegmentTail::kSealed,
                               .limit_bytes = std::numeric_limits<uint64_t>::max()});
      ASSERT_TRUE(reader.ok()) << reader.status();
      while (true) {
        const auto item = (*reader)->Next();
        ASSERT_TRUE(item.ok()) << item.status();
        if (!item->has_value()) break;
        const Frame& frame = *(*item)->frame;
        const size_t shard = frame.shard().value();
        EXPECT_EQ(frame.first_sequence(), Next(read[shard]));
        EXPECT_EQ(frame.stream_digest(), digests_[shard][frame.last_sequence()]);
        read[shard] = frame.last_sequence();
      }
    }
    for (size_t shard = 0; shard < shards_; ++shard) {
      EXPECT_GE(read[shard], durable_[shard]) << "shard " << shard << ": durable records are gone";
    }
  }

  struct Transaction {
    std::vector<ShardId> participants;
    std::vector<std::pair<size_t, std::pair<Sequence, Sequence>>> parts;  // Marker to last.
  };

  std::mt19937_64 random_;
  SimulatedDisk disk_;
  ManualClock clock_;
  LogCounters counters_;
  LogWriter::Options options_;
  size_t shards_ = 0;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<LogWriter> writer_;
  std::deque<TestStream> streams_;
  std::vector<std::map<Sequence, uint64_t>> digests_;  // By the last sequence of a frame.
  std::vector<Transaction> transactions_;
  std::vector<std::pair<size_t, size_t>> open_parts_;  // Transaction, shard.
  bool failures_ = false;
  bool small_disk_ = false;
  bool failed_ = false;
  Watermarks durable_;
};

TEST(LogWriterSimulationTest, WhatWasDurableIsReadBackWhateverHappens) {
  for (uint64_t seed = 1; seed <= Scaled(4'000u, 1'500u); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Simulation(seed).Run();
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace tidemark::wal
