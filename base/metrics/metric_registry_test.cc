#include "base/metrics/metric_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace tidemark {
namespace {

using testing::HasSubstr;

TEST(MetricRegistryTest, CellsOfOneNameAreShownAsTheirSum) {
  MetricRegistry registry;
  Counter& first = registry.AddCounter({"hits_total", "Reads that found their key."});
  Counter& second = registry.AddCounter({"hits_total", "Reads that found their key."});
  first.Add(3);
  second.Add();
  EXPECT_EQ(registry.Sum("hits_total"), 4);
  ASSERT_EQ(registry.Collect().size(), 1u);
  EXPECT_EQ(registry.Collect()[0].samples.size(), 1u);
}

TEST(MetricRegistryTest, LabelsKeepMetricsApart) {
  MetricRegistry registry;
  registry.AddGauge({"depth", "Frames that wait.", {{"shard", "0"}}}).Set(5);
  registry.AddGauge({"depth", "Frames that wait.", {{"shard", "1"}}}).Add(-2);
  EXPECT_EQ(registry.Sum("depth"), 3);
  EXPECT_EQ(registry.Collect()[0].samples.size(), 2u);
}

TEST(MetricRegistryTest, AnUnknownNameSumsToNothing) {
  EXPECT_EQ(MetricRegistry().Sum("nothing"), 0);
}

TEST(MetricRegistryTest, ShowsPrometheusText) {
  MetricRegistry registry;
  registry.AddCounter({"hits_total", "Reads that found their key.", {{"shard", "0\"\n"}}}).Add(7);
  registry.AddGaugeFunction({"rss_bytes", "Resident memory."}, [] { return 1.5; });
  LatencyHistogram& latency =
      registry.AddHistogram({"command_seconds", "Duration of commands.", {{"command", "get"}}});
  latency.Record(1000);
  latency.Record(2'000'000'000);
  const std::string text = PrometheusText(registry.Collect());
  EXPECT_THAT(text, HasSubstr("# HELP hits_total Reads that found their key.\n"
                              "# TYPE hits_total counter\n"
                              "hits_total{shard=\"0\\\"\\n\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE rss_bytes gauge\nrss_bytes 1.5\n"));
  EXPECT_THAT(text, HasSubstr("command_seconds_count{command=\"get\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("command_seconds_bucket{command=\"get\",le=\"1.024e-06\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("command_seconds_bucket{command=\"get\",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("command_seconds_sum{command=\"get\"} 2.000001\n"));
}

TEST(MetricRegistryTest, CellsAreWrittenAndAddedWhileOthersCollect) {
  constexpr int kThreads = 4;
  constexpr int kAdds = 5'000;
  MetricRegistry registry;
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&registry] {
      Counter& counter = registry.AddCounter({"work_total", "Work."});
      LatencyHistogram& latency = registry.AddHistogram({"work_seconds", "Work."});
      for (int i = 0; i < kAdds; ++i) {
        counter.Add();
        latency.Record(i);
      }
    });
  }
  for (double seen = 0; seen < kThreads * kAdds;) {
    const double now = registry.Sum("work_total");
    ASSERT_GE(now, seen);
    seen = now;
    (void)PrometheusText(registry.Collect());
  }
  for (std::thread& writer : writers) writer.join();
  for (const MetricFamilySample& family : registry.Collect()) {
    if (family.kind != MetricKind::kHistogram) continue;
    EXPECT_EQ(family.samples[0].latency.count(), uint64_t{kThreads} * kAdds);
  }
}

}  // namespace
}  // namespace tidemark
