#include "base/metrics/metric_registry.h"

#include "base/check.h"

namespace tidemark {

double MetricRegistry::Metric::Value() const {
  double sum = 0;
  for (const Counter* counter : counters) sum += static_cast<double>(counter->value());
  for (const Gauge* gauge : gauges) sum += static_cast<double>(gauge->value());
  for (const auto& read : functions) sum += read();
  return sum;
}

MetricRegistry::Metric& MetricRegistry::Find(const MetricName& name, MetricKind kind) {
  Family& family =
      families_.try_emplace(name.name, Family{.help = name.help, .kind = kind, .metrics = {}})
          .first->second;
  CHECK(family.kind == kind);
  return family.metrics[name.labels];
}

Counter& MetricRegistry::AddCounter(const MetricName& name) {
  std::lock_guard lock(mutex_);
  Counter& cell = counters_.emplace_back().cell;
  Find(name, MetricKind::kCounter).counters.push_back(&cell);
  return cell;
}

Gauge& MetricRegistry::AddGauge(const MetricName& name) {
  std::lock_guard lock(mutex_);
  Gauge& cell = gauges_.emplace_back().cell;
  Find(name, MetricKind::kGauge).gauges.push_back(&cell);
  return cell;
}

LatencyHistogram& MetricRegistry::AddHistogram(const MetricName& name) {
  std::lock_guard lock(mutex_);
  LatencyHistogram& cell = histograms_.emplace_back().cell;
  Find(name, MetricKind::kHistogram).histograms.push_back(&cell);
  return cell;
}

void MetricRegistry::AddGaugeFunction(const MetricName& name, std::function<double()> read) {
  std::lock_guard lock(mutex_);
  Find(name, MetricKind::kGauge).functions.push_back(std::move(read));
}

std::vector<MetricFamilySample> MetricRegistry::Collect() const {
  std::lock_guard lock(mutex_);
  std::vector<MetricFamilySample> families;
  for (const auto& [name, family] : families_) {
    MetricFamilySample& sample = families.emplace_back(
        MetricFamilySample{.name = name, .help = family.help, .kind = family.kind, .samples = {}});
    for (const auto& [labels, metric] : family.metrics) {
      LatencySnapshot latency;
      for (const LatencyHistogram* histogram : metric.histograms) histogram->AddTo(latency);
      sample.samples.push_back(
          {.labels = labels, .value = metric.Value(), .latency = std::move(latency)});
    }
  }
  return families;
}

double MetricRegistry::Sum(std::string_view name) const {
  std::lock_guard lock(mutex_);
  const auto family = families_.find(name);
  if (family == families_.end()) return 0;
  double sum = 0;
  for (const auto& [labels, metric] : family->second.metrics) sum += metric.Value();
  return sum;
}

}  // namespace tidemark
