#include "cache/command_stats.h"

#include <cmath>

namespace tidemark::cache {

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.counts_.empty()) return;
  counts_.resize(kBuckets);
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
}

uint64_t LatencyHistogram::EndOf(size_t bucket) {
  if (bucket == 0) return uint64_t{1} << kFirstOctave;
  const size_t steps = bucket;  // Steps of an eighth above the first octave's begin.
  const int octave = kFirstOctave + static_cast<int>(steps >> kStepBits);
  const uint64_t step = steps & ((1u << kStepBits) - 1);
  return (uint64_t{1} << octave) + (step << (octave - kStepBits));
}

uint64_t LatencyHistogram::QuantileNanos(double fraction) const {
  uint64_t total = 0;
  for (uint64_t count : counts_) total += count;
  if (total == 0) return 0;
  const double wanted = std::ceil(fraction * static_cast<double>(total));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen > 0 && static_cast<double>(seen) >= wanted) return EndOf(i);
  }
  return EndOf(kBuckets - 1);
}

std::vector<LatencyHistogram::Point> LatencyHistogram::CumulativeByPowerOfTwo() const {
  std::vector<Point> points;
  uint64_t seen = 0;
  size_t bucket = 0;
  for (uint64_t bound = 1024; bucket < counts_.size(); bound *= 2) {
    const uint64_t before = seen;
    while (bucket < counts_.size() && (EndOf(bucket) <= bound || bucket + 1 == counts_.size())) {
      // What is off the scale belongs to the last point, which the loop reaches at its bound.
      if (bucket + 1 == counts_.size() && bound < EndOf(bucket)) break;
      seen += counts_[bucket++];
    }
    // Redis keeps two significant digits in base two, 7 bits, and shows the highest value that it
    // cannot tell from the bound.
    if (seen > before) points.push_back({(bound + (bound >> 7) - 1) / 1000, seen});
  }
  return points;
}

void CommandStats::Merge(const CommandStats& other) {
  for (size_t i = 0; i < rows_.size() && i < other.rows_.size(); ++i) {
    rows_[i].calls += other.rows_[i].calls;
    rows_[i].failed += other.rows_[i].failed;
    rows_[i].rejected += other.rows_[i].rejected;
    rows_[i].nanos += other.rows_[i].nanos;
    rows_[i].latency.Merge(other.rows_[i].latency);
  }
}

void CommandStats::Reset() { rows_.assign(rows_.size(), Row()); }

void CommandStats::ResetLatency(int id) { rows_[static_cast<size_t>(id)].latency.Clear(); }

}  // namespace tidemark::cache
