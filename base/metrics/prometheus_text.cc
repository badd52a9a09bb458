#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>

#include "base/metrics/metric_registry.h"

namespace tidemark {
namespace {

// From 1 us to 1 s, each four times the one before.
constexpr int64_t kFirstBoundNanos = 1 << 10;
constexpr int64_t kLastBoundNanos = 1 << 30;

prometheus::ClientMetric::Histogram ToHistogram(const LatencySnapshot& latency) {
  prometheus::ClientMetric::Histogram histogram;
  for (int64_t bound = kFirstBoundNanos; bound <= kLastBoundNanos; bound *= 4) {
    histogram.bucket.push_back({.cumulative_count = latency.CountBelow(bound),
                                .upper_bound = static_cast<double>(bound) / 1e9});
  }
  histogram.bucket.push_back({.cumulative_count = latency.count(),
                              .upper_bound = std::numeric_limits<double>::infinity()});
  histogram.sample_count = latency.count();
  histogram.sample_sum = static_cast<double>(latency.sum_nanos()) / 1e9;
  return histogram;
}

prometheus::ClientMetric ToMetric(const MetricSample& sample, MetricKind kind) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : sample.labels) {
    metric.label.push_back({.name = name, .value = value});
  }
  switch (kind) {
    case MetricKind::kCounter:
      metric.counter.value = sample.value;
      break;
    case MetricKind::kGauge:
      metric.gauge.value = sample.value;
      break;
    case MetricKind::kHistogram:
      metric.histogram = ToHistogram(sample.latency);
      break;
  }
  return metric;
}

prometheus::MetricType ToType(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return prometheus::MetricType::Counter;
    case MetricKind::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

}  // namespace

std::string PrometheusText(const std::vector<MetricFamilySample>& families) {
  std::vector<prometheus::MetricFamily> out;
  for (const MetricFamilySample& family : families) {
    prometheus::MetricFamily& made = out.emplace_back();
    made.name = family.name;
    made.help = family.help;
    made.type = ToType(family.kind);
    for (const MetricSample& sample : family.samples) {
      made.metric.push_back(ToMetric(sample, family.kind));
    }
  }
  return prometheus::TextSerializer().Serialize(out);
}

}  // namespace tidemark
