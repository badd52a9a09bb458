#include "integration/simulation/scenario.h"

#include <algorithm>

#include "fmt/format.h"

namespace tidemark::simulation {
namespace {

// What a step of a kind is called, how often it is drawn, and between what its amount lies.
struct KindRow {
  StepKind kind;
  std::string_view name;
  int weight;
  int64_t least;
  int64_t most;
};

// Times of absence lie on both sides of the links' time-outs (200 ms).
constexpr KindRow kFaults[] = {
    {StepKind::kBurst, "burst", 9, 5, 40},
    {StepKind::kSnapshot, "snapshot", 16, 0, 0},
    {StepKind::kKillPrimary, "kill-primary", 4, 1'000, 300'000},
    {StepKind::kPowerCut, "power-cut", 5, 1'000, 300'000},
    {StepKind::kCrashAtPoint, "crash-at-point", 3, 1, 60},
    {StepKind::kStopPrimary, "stop-primary", 3, 1'000, 100'000},
    {StepKind::kReshardPrimary, "reshard-primary", 1, 1'000, 100'000},
    {StepKind::kFreezePrimary, "freeze-primary", 4, 20'000, 500'000},
    {StepKind::kPromote, "promote", 12, 1'000, 300'000},
    {StepKind::kDiskFull, "disk-full", 5, 20'000, 400'000},
    {StepKind::kDiskSlow, "disk-slow", 5, 20'000, 400'000},
    {StepKind::kSyncFails, "sync-fails", 2, 1, 20},
    {StepKind::kWriteFails, "write-fails", 2, 1, 30},
    {StepKind::kCrashReplica, "crash-replica", 7, 1'000, 200'000},
    {StepKind::kWipeReplica, "wipe-replica", 2, 1'000, 200'000},
    {StepKind::kSnapshotReplica, "snapshot-replica", 8, 0, 0},
    {StepKind::kFreezeReplica, "freeze-replica", 7, 20'000, 500'000},
    {StepKind::kCut, "cut", 14, 0, 0},
    {StepKind::kHalfOpen, "half-open", 6, 0, 0},
    {StepKind::kOneWay, "one-way", 6, 0, 1},
    {StepKind::kCorrupt, "corrupt", 8, 0, 1},
    {StepKind::kSlowLink, "slow-link", 12, 10'000, 150'000},
    {StepKind::kDuplicate, "duplicate", 5, 1'000, 300'000},
    {StepKind::kPartition, "partition", 5, 1'000, 400'000},
    {StepKind::kCrashConsumer, "crash-consumer", 4, 0, 0},
    {StepKind::kFreezeConsumer, "freeze-consumer", 4, 20'000, 500'000},
    {StepKind::kCutConsumer, "cut-consumer", 6, 0, 0},
    {StepKind::kStepClock, "step-clock", 4, -10'000, 10'000},
};

class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}

  // Uniform, both ends included.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
  }
  size_t Kilobytes(int64_t low, int64_t high) {
    return static_cast<size_t>(Between(low, high)) << 10;
  }
  uint64_t Salt() { return random_(); }

  const KindRow& Fault() {
    int total = 0;
    for (const KindRow& row : kFaults) total += row.weight;
    int64_t at = Between(0, total - 1);
    for (const KindRow& row : kFaults) {
      if ((at -= row.weight) < 0) return row;
    }
    return kFaults[0];
  }

 private:
  std::mt19937_64 random_;
};

Config DrawConfig(Draw& draw) {
  Config config;
  config.primary_shards = static_cast<int>(draw.Between(1, 3));
  for (int& shards : config.replica_shards) shards = static_cast<int>(draw.Between(1, 3));
  config.backlog_bytes = draw.Kilobytes(1, 48);
  config.queue_frames = static_cast<size_t>(draw.Between(4, 48));
  config.queue_bytes = draw.Kilobytes(2, 32);
  config.max_pending_bytes = draw.Kilobytes(2, 32);
  config.max_step_bytes = draw.Kilobytes(1, 8);
  config.max_steps_under_way = static_cast<size_t>(draw.Between(1, 3));
  config.max_batch_records = static_cast<uint32_t>(draw.Between(1, 16));
  config.fsync = draw.Between(0, 2) > 0 ? wal::FsyncPolicy::kAlways
                                        : static_cast<wal::FsyncPolicy>(draw.Between(0, 2));
  config.segment_bytes = draw.Kilobytes(4, 32);
  config.export_retain_bytes = draw.Kilobytes(1, 64);
  config.replica_retain_bytes = draw.Between(0, 3) == 0 ? 0 : draw.Kilobytes(4, 256);
  config.replica_logs = draw.Between(0, 5) > 0;
  config.zstd = draw.Between(0, 3) == 0;
  return config;
}

}  // namespace

std::string_view NameOf(StepKind kind) {
  for (const KindRow& row : kFaults) {
    if (row.kind == kind) return row.name;
  }
  return "writes";
}

std::string Step::Text() const {
  return fmt::format("{:9.6f} {:<16} replica {} amount {}", static_cast<double>(at_us) / 1e6,
                     NameOf(kind), replica, amount);
}

Scenario DrawScenario(uint64_t seed) {
  Draw draw(seed);
  Scenario scenario{.seed = seed, .config = DrawConfig(draw), .steps = {}};
  const auto add = [&](const KindRow& row) {
    scenario.steps.push_back(
        {.at_us = draw.Between(0, Scenario::kStepsUntilUs),
         .kind = row.kind,
         .replica = static_cast<size_t>(draw.Between(0, static_cast<int64_t>(kReplicas) - 1)),
         .amount = draw.Between(row.least, row.most),
         .salt = draw.Salt()});
  };
  constexpr KindRow kWrites = {StepKind::kWrites, "writes", 0, 1, 5};
  const int64_t writes = draw.Between(100, 260);
  for (int64_t i = 0; i < writes; ++i) add(kWrites);
  const int64_t faults = draw.Between(2, 24);
  for (int64_t i = 0; i < faults; ++i) add(draw.Fault());
  std::stable_sort(scenario.steps.begin(), scenario.steps.end(),
                   [](const Step& a, const Step& b) { return a.at_us < b.at_us; });
  return scenario;
}

}  // namespace tidemark::simulation
