// Scenario is one run of the simulation as data: what the cluster looks like, and what happens to
// it when. Drawn from a seed; shrunk by leaving steps out, which changes nothing about the others:
// each carries its own randomness.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_SCENARIO_H_
#define TIDEMARK_INTEGRATION_SIMULATION_SCENARIO_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "wal/fsync_policy.h"

namespace tidemark::simulation {

inline constexpr size_t kReplicas = 3;

enum class StepKind : uint8_t {
  kWrites,  // A few commands of several clients.
  kBurst,   // Many, with large values.
  kSnapshot,
  // The primary.
  kKillPrimary,     // kill -9: what was written is in the system's cache and survives.
  kPowerCut,        // What was not synced may be lost, torn or kept; nobody hears of it.
  kCrashAtPoint,    // A power cut at one of the log's crash points.
  kStopPrimary,     // In good order.
  kReshardPrimary,  // In good order, and back with another number of shards.
  kFreezePrimary,   // SIGSTOP, then SIGCONT.
  kPromote,         // The primary is lost in some way, and the best replica takes its place.
  kDiskFull,
  kDiskSlow,
  kSyncFails,
  kWriteFails,
  // A replica.
  kCrashReplica,
  kWipeReplica,  // And its disk is gone.
  kFreezeReplica,
  kSnapshotReplica,
  // The connection of a replica.
  kCut,
  kHalfOpen,  // Nothing arrives any more, and nobody hears of it.
  kOneWay,    // As above, in one direction.
  kCorrupt,   // One bit.
  kSlowLink,
  kDuplicate,  // A second connection that says it is the same node.
  kPartition,  // The primary cannot be reached by anybody for a while.
  // The change feed.
  kCrashConsumer,
  kFreezeConsumer,
  kCutConsumer,
  // Clocks.
  kStepClock,
};
std::string_view NameOf(StepKind kind);

struct Step {
  int64_t at_us = 0;  // Since the beginning.
  StepKind kind = StepKind::kWrites;
  size_t replica = 0;  // Where it concerns one.
  int64_t amount = 0;  // How long in microseconds, how many, or how far; by kind.
  uint64_t salt = 0;   // Its own randomness.

  std::string Text() const;
};

struct Config {
  int primary_shards = 1;
  int replica_shards[kReplicas] = {1, 1, 1};
  size_t backlog_bytes = 0;
  size_t queue_frames = 0;  // Of a subscriber, in each shard.
  size_t queue_bytes = 0;
  size_t max_pending_bytes = 0;  // Of a replica.
  size_t max_step_bytes = 0;
  size_t max_steps_under_way = 1;
  uint32_t max_batch_records = 0;
  wal::FsyncPolicy fsync = wal::FsyncPolicy::kAlways;
  uint64_t segment_bytes = 0;
  uint64_t export_retain_bytes = 0;
  uint64_t replica_retain_bytes = 0;
  bool replica_logs = true;  // Replicas have data directories. Otherwise nobody is promoted.
  bool zstd = false;
};

struct Scenario {
  uint64_t seed = 0;
  Config config;
  std::vector<Step> steps;  // By time.

  static constexpr int64_t kStepsUntilUs = 1'200'000;
};

Scenario DrawScenario(uint64_t seed);

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_SCENARIO_H_
