// The kinds of metric: counters, gauges and latency histograms that one thread writes and any may
// read.
//
// Writing is a relaxed load and a relaxed store, without lock or locked instruction: a metric
// belongs to one thread, and what several shards count is several cells of one name, summed when
// read (metric_registry.h). A reader sees each number whole; numbers that belong together may be
// one step apart.

#ifndef TIDEMARK_BASE_METRICS_METRICS_H_
#define TIDEMARK_BASE_METRICS_METRICS_H_

#include <atomic>
#include <cstdint>

namespace tidemark {

// A number that only grows, but for Reset(). Threading: Add() and Reset() on its thread.
class Counter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Reset() { value_.store(0, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// A number that goes up and down. Threading: changed on its thread.
class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { Set(value() + n); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_METRICS_METRICS_H_
