// Recovery among crashes: processes write logs by seed, with transactions, rotations and snapshots,
// die, and are followed by others with other numbers of shards; recoveries die too, at every change
// that they make on disk. After each, the state must be one that the log went through, with
// everything that was synced, and a recovery that was interrupted must not show in the next one's.

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/log/log.h"
#include "wal/disk/simulated_disk.h"
#include "wal/dying_disk.h"
#include "wal/recovery.h"
#include "wal/recovery_test_util.h"

namespace tidemark::wal {
namespace {

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed), disk_(seed) {}

  void Run() {
    const int lives = 2 + Roll(4);
    for (int life = 0; life < lives && !testing::Test::HasFatalFailure(); ++life) Live();
  }

 private:
  int Roll(int sides) { return static_cast<int>(random_() % static_cast<unsigned>(sides)); }

  // Dies after each change in turn until one attempt comes through.
  Recovered RecoverThroughCrashes(int shards) {
    for (uint64_t changes = 0;; ++changes) {
      directory_.reset();
      dying_ = std::make_unique<DyingDisk>(disk_);
      directory_ = OpenDirectory(*dying_);
      dying_->DieAfter(changes);
      RecoveryOptions options = OptionsFor(shards, ++fresh_history_);
      options.max_window_bytes = static_cast<size_t>(Roll(2) == 0 ? 1 : 1 << 20);
      sink_ = MapSink();
      absl::StatusOr<Recovered> recovered = Recover(*directory_, options, sink_);
      EXPECT_TRUE(recovered.ok() || dying_->dead()) << recovered.status();
      if (!first_state_.has_value()) first_state_ = sink_.state;
      EXPECT_EQ(sink_.state, *first_state_);
      if (testing::Test::HasFailure()) return Recovered();
      // A process may also die right after its recovery.
      if (recovered.ok() && Roll(3) > 0) {
        dying_->DieAfter(std::numeric_limits<uint64_t>::max());
        return *std::move(recovered);
      }
      directory_.reset();
      disk_.Crash();
    }
  }

  void Live() {
    const int shards = 1 + Roll(3);
    first_state_.reset();
    const Recovered recovered = RecoverThroughCrashes(shards);
    if (testing::Test::HasFailure()) return;
    if (log_ != nullptr) CheckAgainst(recovered);
    if (testing::Test::HasFailure()) return;
    log_ = std::make_unique<TestLog>(*directory_, recovered.history, recovered.positions,
                                     recovered.next_segment, sink_.state);
    parts_.clear();
    const int steps = Roll(40);
    for (int i = 0; i < steps; ++i) Step();
    ASSERT_TRUE(log_->status().ok()) << log_->status();
    clean_ = Roll(4) == 0;
    if (clean_) {
      FinishTransactions();
      log_->Seal();
      Manifest manifest = directory_->manifest();
      manifest.clean_stop = log_->positions();
      ASSERT_TRUE(directory_->Save(manifest).ok());
    }
    directory_.reset();
    disk_.Crash(Roll(3) == 0 ? SimulatedDisk::Unsynced::kKeep : SimulatedDisk::Unsynced::kAny);
  }

  void CheckAgainst(const Recovered& recovered) {
    Positions reached = recovered.positions;
    for (const Recovered::Ancestor& ancestor : recovered.ancestors) {
      if (ancestor.history == log_->history()) reached = ancestor.fork;
    }
    ASSERT_EQ(reached.size(), log_->positions().size());
    const Watermarks at = SequencesOf(reached);
    EXPECT_TRUE(log_->IsConsistent(at));
    EXPECT_EQ(sink_.state, log_->StateAt(at));
    if (log_->IsConsistent(SequencesOf(log_->synced()))) {
      for (size_t shard = 0; shard < at.size(); ++shard) {
        EXPECT_GE(at[shard], log_->synced()[shard].sequence);
      }
    }
    if (clean_) {
      EXPECT_EQ(reached, log_->positions());
    }
  }

  std::string KeyOf(int shard) {
    while (true) {
      std::string key = "k" + std::to_string(Roll(60));
      if (ShardOf(key, KeyHash(key), log_->shard_count()).value() == shard) return key;
    }
  }
  TestRecord Random(int shard) {
    switch (Roll(12)) {
      case 0:
        return FlushShard();
      case 1:
      case 2:
        return Erase(KeyOf(shard));
      default:
        return Put(KeyOf(shard), std::to_string(++value_) + std::string(Roll(600), 'x'));
    }
  }

  void Step() {
    const int shards = log_->shard_count();
    const int shard = Roll(shards);
    switch (Roll(10)) {
      case 0:
        log_->Sync();
        break;
      case 1:
        log_->Roll();
        break;
      case 2:
        TakeSnapshot();
        break;
      case 3:
      case 4:
        if (shards == 1) break;
        BeginTransaction();
        break;
      case 5:
      case 6:
        if (!parts_.empty()) WritePart(static_cast<size_t>(Roll(static_cast<int>(parts_.size()))));
        break;
      default: {
        std::vector<TestRecord> records;
        for (int i = Roll(4); i >= 0; --i) records.push_back(Random(shard));
        log_->Write(shard, records);
      }
    }
  }

  struct Part {
    uint64_t id;
    int shard;
    std::vector<int> participants;
  };
  void BeginTransaction() {
    std::vector<int> participants;
    for (int shard = 0; shard < log_->shard_count(); ++shard) {
      if (participants.size() < 2 || Roll(2) == 0) participants.push_back(shard);
    }
    ++transaction_;
    for (const int shard : participants) parts_.push_back({transaction_, shard, participants});
  }
  void WritePart(size_t which) {
    const Part part = parts_[which];
    parts_.erase(parts_.begin() + static_cast<ptrdiff_t>(which));
    log_->Write(part.shard, {Random(part.shard), Transaction(part.id, 2, part.participants),
                             Random(part.shard), Random(part.shard), Random(part.shard)});
  }
  void FinishTransactions() {
    while (!parts_.empty()) WritePart(0);
  }

  void TakeSnapshot() {
    // The writer makes the log durable up to a consistent cut first.
    FinishTransactions();
    const Positions watermark = log_->positions();
    if (Roll(2) == 0) {
      for (int shard = 0; shard < log_->shard_count(); ++shard) {
        log_->Write(shard, {Random(shard)});
      }
    }
    log_->Sync();
    ASSERT_TRUE(log_->status().ok()) << log_->status();
    WriteSnapshot(*directory_, *log_, ++snapshot_, watermark, SequencesOf(log_->positions()));
    if (Roll(2) == 0) return;
    const absl::StatusOr<std::vector<uint64_t>> segments = directory_->ListSegments();
    ASSERT_TRUE(segments.ok());
    for (const uint64_t number : *segments) {
      if (number < log_->segment()) {
        ASSERT_TRUE(disk_.Remove(directory_->SegmentPath(number)).ok());
      }
    }
  }

  std::mt19937_64 random_;
  SimulatedDisk disk_;
  std::unique_ptr<DyingDisk> dying_;  // Over disk_; of the present life.
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<TestLog> log_;  // Of the life before; it borrows directory_ only to write.
  std::vector<Part> parts_;
  MapSink sink_;
  std::optional<KeyMap> first_state_;  // Of this life's first recovery.
  bool clean_ = false;
  uint64_t fresh_history_ = 0;
  uint64_t transaction_ = 0;
  uint64_t snapshot_ = 0;
  int value_ = 0;
};

TEST(RecoverySimulationTest, EveryStateIsOneThatTheLogWentThrough) {
  constexpr uint64_t kSeeds = 100;
  SetLogLevel(LogLevel::kError);  // Every tear would be a line.
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Simulation(seed).Run();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tidemark::wal
