// LatencyHistogram counts durations in buckets that are linear within each power of two: 32 to a
// doubling, so that a percentile is at most 1/32 too high, from 1 ns to 18 minutes (longer ones
// count as that).
//
//   histogram.Record(elapsed_ns);                         // Its thread.
//
//   LatencySnapshot snapshot;                             // Any thread.
//   for (const LatencyHistogram* h : shards) h->AddTo(snapshot);
//   snapshot.PercentileNanos(99.9);
//
// Source of the layout: HdrHistogram (hdrhistogram.github.io).

#ifndef TIDEMARK_BASE_METRICS_LATENCY_HISTOGRAM_H_
#define TIDEMARK_BASE_METRICS_LATENCY_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tidemark {

// The buckets. Values below 2 * kPerDoubling have a bucket each.
struct LatencyBuckets {
  static constexpr int kSubBits = 5;
  static constexpr int kMaxBits = 40;
  static constexpr int64_t kMaxNanos = (int64_t{1} << kMaxBits) - 1;
  static constexpr size_t kCount = ((kMaxBits - kSubBits) + 1) << kSubBits;

  // Requires: 0 <= nanos <= kMaxNanos.
  static constexpr size_t IndexOf(int64_t nanos) {
    const int bits = 64 - std::countl_zero(static_cast<uint64_t>(nanos));
    const int shift = bits > kSubBits + 1 ? bits - kSubBits - 1 : 0;
    return (static_cast<size_t>(shift) << kSubBits) + static_cast<size_t>(nanos >> shift);
  }
  // The highest value that the bucket counts.
  static constexpr int64_t HighestIn(size_t index) {
    const size_t doubling = index >> kSubBits;
    const int shift = doubling == 0 ? 0 : static_cast<int>(doubling) - 1;
    const int64_t sub = static_cast<int64_t>(index - (static_cast<size_t>(shift) << kSubBits));
    return ((sub + 1) << shift) - 1;
  }
};

// The sum of some histograms at one moment. Not thread-safe.
class LatencySnapshot {
 public:
  uint64_t count() const { return count_; }
  int64_t sum_nanos() const { return sum_nanos_; }
  int64_t max_nanos() const {
    return max_nanos_;
  }  // The top of the highest bucket in use; 0 if empty.

  // The least value that at least `percent` of the durations do not exceed, rounded up to its
  // bucket's top; 0 if there are none. Requires: 0 < percent <= 100.
  int64_t PercentileNanos(double percent) const;
  // How many durations took less than `nanos`, a power of two.
  uint64_t CountBelow(int64_t nanos) const;
  // As LATENCY HISTOGRAM shows it: (microseconds, durations up to that), a row for each power of
  // two times 1.024 us that adds any.
  std::vector<std::pair<int64_t, uint64_t>> CumulativeMicros() const;

 private:
  friend class LatencyHistogram;

  std::vector<uint64_t> counts_;  // LatencyBuckets::kCount, or none yet.
  uint64_t count_ = 0;
  int64_t sum_nanos_ = 0;
  int64_t max_nanos_ = 0;
};

// Threading: Record() and Reset() on its thread; AddTo() on any.
class LatencyHistogram {
 public:
  LatencyHistogram() = default;
  LatencyHistogram(const LatencyHistogram&) = delete;
  LatencyHistogram& operator=(const LatencyHistogram&) = delete;
  ~LatencyHistogram() { delete cells_.load(std::memory_order_relaxed); }

  // A negative duration counts as 0.
  void Record(int64_t nanos) {
    Cells* cells = cells_.load(std::memory_order_relaxed);
    if (cells == nullptr) [[unlikely]]
      cells = MakeCells();
    if (nanos < 0) nanos = 0;
    if (nanos > LatencyBuckets::kMaxNanos) nanos = LatencyBuckets::kMaxNanos;
    Increase(cells->counts[LatencyBuckets::IndexOf(nanos)], 1);
    Increase(cells->sum_nanos, static_cast<uint64_t>(nanos));
  }
  void Reset();
  void AddTo(LatencySnapshot& snapshot) const;

 private:
  struct Cells {
    std::array<std::atomic<uint64_t>, LatencyBuckets::kCount> counts{};
    std::atomic<uint64_t> sum_nanos{0};
  };

  static void Increase(std::atomic<uint64_t>& cell, uint64_t n) {
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  Cells* MakeCells();

  // 9 KiB that come with the first Record(): most commands are never called.
  std::atomic<Cells*> cells_{nullptr};
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_METRICS_LATENCY_HISTOGRAM_H_
