// MetricRegistry knows every metric by name and labels, and shows them all.
//
//   Counter& hits = registry.AddCounter({"tidemark_keyspace_hits_total", "Reads that found their
//   key."}); hits.Add();                                                   // That shard's thread,
//   from now on. const std::string page = PrometheusText(registry.Collect());  // Any thread.
//
// Every Add...() makes a cell of its own, for one writing thread. Cells of the same name and labels
// are shown as one metric, their sum; so each shard adds the same counter, and what must be seen by
// shard carries a label. Names and labels follow prometheus.io/docs/practices/naming.
//
// Threading: thread-safe; adding and collecting take a lock, writing a cell does not.
// Ownership: owns the cells, which stay until it dies.

#ifndef TIDEMARK_BASE_METRICS_METRIC_REGISTRY_H_
#define TIDEMARK_BASE_METRICS_METRIC_REGISTRY_H_

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics/latency_histogram.h"
#include "base/metrics/metrics.h"

namespace tidemark {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

struct MetricName {
  std::string name;
  std::string help;  // One sentence. The first that is given for a name stands.
  MetricLabels labels = {};
};

enum class MetricKind : uint8_t { kCounter, kGauge, kHistogram };

// What Collect() saw of one metric, all its cells together.
struct MetricSample {
  MetricLabels labels;
  double value = 0;         // Of a counter or gauge.
  LatencySnapshot latency;  // Of a histogram.

  static MetricSample Of(double value, MetricLabels labels = {}) {
    return {.labels = std::move(labels), .value = value, .latency = {}};
  }
};

struct MetricFamilySample {
  std::string name;
  std::string help;
  MetricKind kind = MetricKind::kCounter;
  std::vector<MetricSample> samples;
};

class MetricRegistry {
 public:
  MetricRegistry() = default;
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  // Requires: no other kind of metric has this name.
  Counter& AddCounter(const MetricName& name);
  Gauge& AddGauge(const MetricName& name);
  // `name` ends in "_seconds", the unit in which it is shown.
  LatencyHistogram& AddHistogram(const MetricName& name);
  // A gauge whose value is asked for when it is shown, on the thread of Collect(), which holds the
  // lock.
  void AddGaugeFunction(const MetricName& name, std::function<double()> read);

  std::vector<MetricFamilySample> Collect() const;  // By name, then labels.
  // The sum of a counter's or gauge's cells, whatever their labels; 0 if there are none.
  double Sum(std::string_view name) const;

 private:
  // Cells of several shards in one cache line would slow all their writers.
  template <typename T>
  struct alignas(64) Padded {
    T cell;
  };
  struct Metric {
    std::vector<const Counter*> counters;
    std::vector<const Gauge*> gauges;
    std::vector<const LatencyHistogram*> histograms;
    std::vector<std::function<double()>> functions;

    double Value() const;
  };
  struct Family {
    std::string help;
    MetricKind kind;
    std::map<MetricLabels, Metric> metrics;
  };

  Metric& Find(const MetricName& name, MetricKind kind);  // Requires: mutex_ held.

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;  // Guarded by mutex_, as all below.
  std::deque<Padded<Counter>> counters_;
  std::deque<Padded<Gauge>> gauges_;
  std::deque<Padded<LatencyHistogram>> histograms_;
};

// The samples as Prometheus scrapes them (text format 0.0.4).
std::string PrometheusText(const std::vector<MetricFamilySample>& families);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_METRICS_METRIC_REGISTRY_H_
