#include "cache/command_stats.h"

#include <random>

#include "gtest/gtest.h"

namespace tidemark::cache {
namespace {

TEST(LatencyHistogramTest, QuantilesAreRightToAnEighth) {
  LatencyHistogram histogram;
  for (uint64_t us = 1; us <= 1000; ++us) histogram.Add(us * 1000);
  for (double fraction : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    const double exact = fraction * 1'000'000;
    EXPECT_GE(histogram.QuantileNanos(fraction), exact) << fraction;
    EXPECT_LE(histogram.QuantileNanos(fraction), exact * 1.126) << fraction;
  }
}

TEST(LatencyHistogramTest, EverySampleIsCountedWhateverItsSize) {
  LatencyHistogram histogram;
  for (int bit = 0; bit < 64; ++bit) histogram.Add(uint64_t{1} << bit);
  histogram.Add(0);
  histogram.Add(~uint64_t{0});
  EXPECT_EQ(histogram.CumulativeByPowerOfTwo().back().count, 66u);
}

TEST(LatencyHistogramTest, PointsAreLabelledAsRedisLabelsThem) {
  LatencyHistogram histogram;
  // One sample just inside each power of two of 1.024 us.
  for (uint64_t bound = 1024; bound <= 1024 << 10; bound *= 2) histogram.Add(bound - 1);
  std::vector<uint64_t> labels;
  for (const LatencyHistogram::Point& point : histogram.CumulativeByPowerOfTwo()) {
    labels.push_back(point.usec);
    EXPECT_EQ(point.count, labels.size());
  }
  EXPECT_EQ(labels, (std::vector<uint64_t>{1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056}));
}

TEST(LatencyHistogramTest, PowersWithoutSamplesAreLeftOut) {
  LatencyHistogram histogram;
  histogram.Add(100);
  histogram.Add(1'000'000);
  const auto points = histogram.CumulativeByPowerOfTwo();
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].usec, 1u);
  EXPECT_EQ(points[1].count, 2u);
}

TEST(CommandStatsTest, MergeAddsEverything) {
  CommandStats a(2);
  CommandStats b(2);
  a.Record(0, 2000, 0);
  b.Record(0, 3000, 1);
  b.Reject(1);
  a.Merge(b);
  EXPECT_EQ(a.row(0).calls, 2u);
  EXPECT_EQ(a.row(0).failed, 1u);
  EXPECT_EQ(a.row(0).nanos, 5000u);
  EXPECT_EQ(a.row(1).rejected, 1u);
  EXPECT_EQ(a.row(0).latency.CumulativeByPowerOfTwo().back().count, 2u);
}

TEST(CommandStatsTest, ResetLatencyKeepsTheCounters) {
  CommandStats stats(1);
  stats.Record(0, 2000, 0);
  stats.ResetLatency(0);
  EXPECT_EQ(stats.row(0).calls, 1u);
  EXPECT_TRUE(stats.row(0).latency.CumulativeByPowerOfTwo().empty());
  stats.Reset();
  EXPECT_EQ(stats.row(0).calls, 0u);
}

}  // namespace
}  // namespace tidemark::cache
