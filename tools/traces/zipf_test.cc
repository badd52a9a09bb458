#include "tools/traces/zipf.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace tidemark::traces {
namespace {

TEST(ZipfTest, RanksComeAsOftenAsTheLawSays) {
  const Zipf zipf(1000, 0.99);
  Random random(7);
  constexpr int kDraws = 1'000'000;
  std::vector<int> drawn(1000);
  for (int i = 0; i < kDraws; ++i) ++drawn[zipf.Draw(random)];
  double sum = 0;
  for (int rank = 1; rank <= 1000; ++rank) sum += std::pow(rank, -0.99);
  for (const int rank : {1, 2, 3, 10, 100}) {
    const double expected = kDraws * std::pow(rank, -0.99) / sum;
    // Six standard deviations.
    EXPECT_NEAR(drawn[rank - 1], expected, 6 * std::sqrt(expected)) << "rank " << rank;
  }
}

TEST(ZipfTest, ExponentZeroIsUniform) {
  const Zipf zipf(4, 0);
  EXPECT_DOUBLE_EQ(zipf.ShareBelow(0), 0);
  EXPECT_DOUBLE_EQ(zipf.ShareBelow(1), 0.25);
  EXPECT_DOUBLE_EQ(zipf.ShareBelow(4), 1);
  EXPECT_DOUBLE_EQ(zipf.ShareBelow(5), 1);
}

TEST(ZipfTest, DrawsEveryRankAndNoOther) {
  const Zipf zipf(3, 1);
  Random random(1);
  std::vector<int> drawn(3);
  for (int i = 0; i < 1000; ++i) ++drawn.at(zipf.Draw(random));
  for (const int each : drawn) EXPECT_GT(each, 0);
}

TEST(RandomTest, IsTheDocumentedSequence) {
  // SplitMix64 of seed 1234567, from its authors' reference program.
  Random random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
  EXPECT_EQ(random.Next(), 9817491932198370423u);
}

}  // namespace
}  // namespace tidemark::traces
