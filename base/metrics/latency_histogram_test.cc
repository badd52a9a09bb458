#include "base/metrics/latency_histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

LatencySnapshot SnapshotOf(const LatencyHistogram& histogram) {
  LatencySnapshot snapshot;
  histogram.AddTo(snapshot);
  return snapshot;
}

TEST(LatencyBucketsTest, EveryValueLiesInTheBucketThatEndsJustAboveIt) {
  size_t last = 0;
  for (int64_t value = 0; value < 100'000; ++value) {
    const size_t index = LatencyBuckets::IndexOf(value);
    ASSERT_TRUE(index == last || index == last + 1) << value;
    ASSERT_LE(value, LatencyBuckets::HighestIn(index));
    if (index > 0) {
      ASSERT_GT(value, LatencyBuckets::HighestIn(index - 1));
    }
    last = index;
  }
  EXPECT_EQ(LatencyBuckets::IndexOf(LatencyBuckets::kMaxNanos), LatencyBuckets::kCount - 1);
  EXPECT_EQ(LatencyBuckets::HighestIn(LatencyBuckets::kCount - 1), LatencyBuckets::kMaxNanos);
}

TEST(LatencyHistogramTest, AnEmptyOneHasNoPercentiles) {
  LatencyHistogram histogram;
  EXPECT_EQ(SnapshotOf(histogram).count(), 0u);
  EXPECT_EQ(SnapshotOf(histogram).PercentileNanos(50), 0);
  EXPECT_THAT(SnapshotOf(histogram).CumulativeMicros(), IsEmpty());
}

TEST(LatencyHistogramTest, PercentilesAreWithinOneThirtySecondOfTheSortedValues) {
  std::mt19937_64 random(7);
  LatencyHistogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<int64_t>(random() >> (24 + random() % 36)));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  const LatencySnapshot snapshot = SnapshotOf(histogram);
  for (double percent : {0.1, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<size_t>(std::ceil(percent / 100 * 20'000));
    const int64_t exact = values[rank - 1];
    EXPECT_GE(snapshot.PercentileNanos(percent), exact) << percent;
    EXPECT_LE(snapshot.PercentileNanos(percent), exact + exact / 32 + 1) << percent;
  }
}

TEST(LatencyHistogramTest, DurationsOutsideTheRangeCountAsItsEnds) {
  LatencyHistogram histogram;
  histogram.Record(-5);
  EXPECT_EQ(SnapshotOf(histogram).PercentileNanos(100), 0);
  histogram.Record(INT64_MAX);
  EXPECT_EQ(SnapshotOf(histogram).PercentileNanos(100), LatencyBuckets::kMaxNanos);
  EXPECT_EQ(SnapshotOf(histogram).CumulativeMicros().back().second, 2u);
}

// The labels that redis-server 7.0 answered for commands of these durations.
TEST(LatencyHistogramTest, RowsAreLabelledAsLatencyHistogramLabelsThem) {
  LatencyHistogram histogram;
  for (int64_t us : {0, 1, 3, 3, 30, 60, 120, 1000}) histogram.Record(us * 1000);
  EXPECT_THAT(SnapshotOf(histogram).CumulativeMicros(),
              ElementsAre(Pair(1, 2u), Pair(4, 4u), Pair(33, 5u), Pair(66, 6u), Pair(132, 7u),
                          Pair(1056, 8u)));
}

TEST(LatencyHistogramTest, ResetForgets) {
  LatencyHistogram histogram;
  histogram.Record(100);
  histogram.Reset();
  EXPECT_EQ(SnapshotOf(histogram).count(), 0u);
  EXPECT_EQ(SnapshotOf(histogram).sum_nanos(), 0);
}

TEST(LatencyHistogramTest, IsReadWhileItIsWritten) {
  LatencyHistogram histogram;
  std::thread writer([&] {
    for (int i = 0; i < 20'000; ++i) histogram.Record(i);
  });
  uint64_t last = 0;
  while (last < 20'000) {
    const uint64_t count = SnapshotOf(histogram).count();
    ASSERT_GE(count, last);
    last = count;
  }
  writer.join();
  EXPECT_EQ(SnapshotOf(histogram).sum_nanos(), int64_t{20'000} * 19'999 / 2);
}

}  // namespace
}  // namespace tidemark
