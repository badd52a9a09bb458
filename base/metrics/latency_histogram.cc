#include "base/metrics/latency_histogram.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace tidemark {

int64_t LatencySnapshot::PercentileNanos(double percent) const {
  DCHECK(percent > 0 && percent <= 100);
  if (count_ == 0) return 0;
  const auto wanted = std::max<uint64_t>(
      1, static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted) return LatencyBuckets::HighestIn(i);
  }
  return max_nanos_;  // percent / 100 rounded up past the last one.
}

uint64_t LatencySnapshot::CountBelow(int64_t nanos) const {
  DCHECK(nanos > 0 && std::has_single_bit(static_cast<uint64_t>(nanos)));
  if (nanos > LatencyBuckets::kMaxNanos) return count_;
  uint64_t seen = 0;
  const size_t end = std::min(counts_.size(), LatencyBuckets::IndexOf(nanos));
  for (size_t i = 0; i < end; ++i) seen += counts_[i];
  return seen;
}

std::vector<std::pair<int64_t, uint64_t>> LatencySnapshot::CumulativeMicros() const {
  std::vector<std::pair<int64_t, uint64_t>> rows;
  uint64_t before = 0;
  for (int64_t bound = 1024; before < count_; bound *= 2) {
    const uint64_t below = CountBelow(bound);
    if (below > before) {
      // Redis labels a row with the top of the bucket that begins at the bound, 1/128 wide.
      rows.emplace_back((bound + bound / 128 - 1) / 1000, below);
    }
    before = below;
  }
  return rows;
}

LatencyHistogram::Cells* LatencyHistogram::MakeCells() {
  auto* cells = new Cells;
  // Release: a reader that finds the cells finds them zeroed.
  cells_.store(cells, std::memory_order_release);
  return cells;
}

void LatencyHistogram::Reset() {
  Cells* cells = cells_.load(std::memory_order_relaxed);
  if (cells == nullptr) return;
  for (auto& count : cells->counts) count.store(0, std::memory_order_relaxed);
  cells->sum_nanos.store(0, std::memory_order_relaxed);
}

void LatencyHistogram::AddTo(LatencySnapshot& snapshot) const {
  const Cells* cells = cells_.load(std::memory_order_acquire);
  if (cells == nullptr) return;
  snapshot.counts_.resize(LatencyBuckets::kCount);
  for (size_t i = 0; i < LatencyBuckets::kCount; ++i) {
    const uint64_t count = cells->counts[i].load(std::memory_order_relaxed);
    if (count == 0) continue;
    snapshot.counts_[i] += count;
    snapshot.count_ += count;
    snapshot.max_nanos_ = std::max(snapshot.max_nanos_, LatencyBuckets::HighestIn(i));
  }
  snapshot.sum_nanos_ += static_cast<int64_t>(cells->sum_nanos.load(std::memory_order_relaxed));
}

}  // namespace tidemark
