// CommandStats counts one shard's commands: how many, how long, how many failed, and the
// distribution of their times. INFO commandstats, INFO latencystats and LATENCY HISTOGRAM come from
// it.
//
// Threading: confined to the shard's thread. Whoever wants the sum over all shards copies each on
// its thread (Engine::PostToAll) and merges the copies.

#ifndef TIDEMARK_CACHE_COMMAND_STATS_H_
#define TIDEMARK_CACHE_COMMAND_STATS_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidemark::cache {

// Counts durations in buckets of an eighth of an octave: a quantile is right to within 12.5 %.
class LatencyHistogram {
 public:
  void Add(uint64_t nanos) {
    if (counts_.empty()) counts_.resize(kBuckets);
    ++counts_[BucketOf(nanos)];
  }
  void Merge(const LatencyHistogram& other);
  void Clear() { counts_.clear(); }

  // The duration that `fraction` (0 to 1) of the samples do not exceed, in ns; 0 without samples.
  uint64_t QuantileNanos(double fraction) const;

  struct Point {
    uint64_t usec = 0;   // Upper bound.
    uint64_t count = 0;  // Samples at or below it.
  };
  // One point for each power of two of 1.024 us that has samples of its own, labelled as LATENCY
  // HISTOGRAM labels them.
  std::vector<Point> CumulativeByPowerOfTwo() const;

 private:
  // Bucket 0 holds what is below 2^kFirstOctave ns, the last one what is at or above 2^kLastOctave
  // ns (17 s).
  static constexpr int kFirstOctave = 6;
  static constexpr int kLastOctave = 34;
  static constexpr int kStepBits = 3;
  static constexpr size_t kBuckets = ((kLastOctave - kFirstOctave) << kStepBits) + 2;

  static size_t BucketOf(uint64_t nanos) {
    const int octave = std::bit_width(nanos) - 1;
    if (octave < kFirstOctave) return 0;
    if (octave >= kLastOctave) return kBuckets - 1;
    const size_t step = (nanos >> (octave - kStepBits)) & ((1u << kStepBits) - 1);
    return 1 + (static_cast<size_t>(octave - kFirstOctave) << kStepBits) + step;
  }
  // The smallest duration above `bucket`.
  static uint64_t EndOf(size_t bucket);

  std::vector<uint64_t> counts_;  // Empty until the first sample.
};

class CommandStats {
 public:
  struct Row {
    uint64_t calls = 0;   // Run, whatever they answered.
    uint64_t failed = 0;  // Of those, answered an error.
    uint64_t rejected =
        0;  // Refused before they ran (arity, authentication, memory, read-only replica).
    uint64_t nanos = 0;  // Sum over calls.
    LatencyHistogram latency;
  };

  // Rows 0 to commands - 1, as CommandSpec::id.
  explicit CommandStats(int commands) : rows_(static_cast<size_t>(commands)) {}

  void Record(int id, uint64_t nanos, uint64_t failed) {
    Row& row = rows_[static_cast<size_t>(id)];
    ++row.calls;
    row.failed += failed;
    row.nanos += nanos;
    row.latency.Add(nanos);
  }
  void Reject(int id) { ++rows_[static_cast<size_t>(id)].rejected; }

  int size() const { return static_cast<int>(rows_.size()); }
  const Row& row(int id) const { return rows_[static_cast<size_t>(id)]; }

  // Adds the rows of a shard of the same engine.
  void Merge(const CommandStats& other);
  void Reset();               // CONFIG RESETSTAT.
  void ResetLatency(int id);  // LATENCY RESET, LATENCY HISTOGRAM's source alone.

 private:
  std::vector<Row> rows_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMAND_STATS_H_
