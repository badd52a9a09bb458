#include "replication/backlog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "replication/encoded_batch_builder.h"

namespace tidemark::replication {
namespace {

using Kind = Backlog::CatchUp::Kind;

// A shard's stream of frames of one record or more.
class Stream {
 public:
  FrameRef Frame(int records, size_t value_bytes) {
    for (int i = 0; i < records; ++i) builder_.Set("k", std::string(value_bytes, 'x'), 0);
    return builder_.Seal(HistoryId(1), 1, 0);
  }
  void Skip(int mutations) {
    for (int i = 0; i < mutations; ++i) builder_.Skip();
  }
  Sequence last() const { return builder_.last_sequence(); }
  uint64_t digest() const { return builder_.digest(); }

 private:
  EncodedBatchBuilder builder_{ShardId(0), {}};
};

TEST(BacklogTest, ReaderGetsTheFramesAfterItsPosition) {
  BacklogBudget budget(1 << 20, 1);
  Backlog backlog(&budget);
  Stream stream;
  stream.Skip(10);
  backlog.Activate(stream.last(), stream.digest());
  EXPECT_EQ(backlog.Since(Sequence(10), 0).kind, Kind::kNothing);
  EXPECT_EQ(backlog.Since(Sequence(9), std::nullopt).kind, Kind::kEvicted);

  const FrameRef a = stream.Frame(3, 10), b = stream.Frame(2, 10);  // 11 to 13, 14 to 15.
  backlog.Append(a);
  backlog.Append(b);
  EXPECT_THAT(backlog.Since(Sequence(10), 0).frames, testing::ElementsAre(a, b));
  EXPECT_THAT(backlog.Since(Sequence(13), a->stream_digest()).frames, testing::ElementsAre(b));
  EXPECT_EQ(backlog.Since(Sequence(15), b->stream_digest()).kind, Kind::kNothing);
  EXPECT_EQ(backlog.Since(Sequence(15), std::nullopt).kind, Kind::kNothing);
}

TEST(BacklogTest, PositionInsideAFrameGetsItWholeUnlessADigestSaysOtherwise) {
  BacklogBudget budget(1 << 20, 1);
  Backlog backlog(&budget);
  Stream stream;
  backlog.Activate(Sequence(0), 0);
  const FrameRef frame = stream.Frame(3, 10);
  backlog.Append(frame);
  EXPECT_THAT(backlog.Since(Sequence(2), std::nullopt).frames, testing::ElementsAre(frame));
  EXPECT_EQ(backlog.Since(Sequence(2), 0).kind, Kind::kNotOurs);
}

TEST(BacklogTest, DivergedReaderIsNotOurs) {
  BacklogBudget budget(1 << 20, 1);
  Backlog backlog(&budget);
  Stream stream;
  backlog.Activate(Sequence(0), 0);
  const FrameRef a = stream.Frame(1, 10), b = stream.Frame(1, 10);
  backlog.Append(a);
  backlog.Append(b);
  EXPECT_EQ(backlog.Since(Sequence(3), std::nullopt).kind, Kind::kNotOurs) << "ahead of us";
  EXPECT_EQ(backlog.Since(Sequence(0), 1).kind, Kind::kNotOurs);
  EXPECT_EQ(backlog.Since(Sequence(1), b->stream_digest()).kind, Kind::kNotOurs);
  EXPECT_EQ(backlog.Since(Sequence(2), a->stream_digest()).kind, Kind::kNotOurs);
}

TEST(BacklogTest, FrameLargerThanTheBudgetEvictsItself) {
  BacklogBudget budget(1000, 1);
  Backlog backlog(&budget);
  Stream stream;
  backlog.Activate(Sequence(0), 0);
  backlog.Append(stream.Frame(1, 5000));
  EXPECT_EQ(backlog.frames(), 0u);
  EXPECT_EQ(backlog.bytes(), 0u);
  EXPECT_EQ(budget.used_bytes(), 0u);
  EXPECT_EQ(backlog.high(), Sequence(1));
  EXPECT_EQ(backlog.Since(Sequence(0), std::nullopt).kind, Kind::kEvicted);
  EXPECT_EQ(backlog.Since(Sequence(1), stream.digest()).kind, Kind::kNothing);
}

TEST(BacklogTest, ActivatingAnewForgetsWhatWasBeforeTheHole) {
  BacklogBudget budget(1 << 20, 1);
  Backlog backlog(&budget);
  Stream stream;
  backlog.Activate(Sequence(0), 0);
  backlog.Append(stream.Frame(3, 10));
  backlog.Activate(Sequence(5), stream.digest());
  EXPECT_EQ(budget.used_bytes(), 0u);
  EXPECT_EQ(backlog.Since(Sequence(3), std::nullopt).kind, Kind::kEvicted);
  EXPECT_EQ(backlog.Since(Sequence(5), stream.digest()).kind, Kind::kNothing);
}

TEST(BacklogDeathTest, GapIsFatal) {
  BacklogBudget budget(1 << 20, 1);
  Backlog backlog(&budget);
  Stream stream;
  backlog.Activate(Sequence(0), 0);
  stream.Frame(1, 10);
  EXPECT_DEATH(backlog.Append(stream.Frame(1, 10)), "first_sequence");
}

// Random appends against a plain list of all frames ever.
TEST(BacklogTest, AgreesWithAModelThatForgetsNothing) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    BacklogBudget budget(20'000, 1);
    Backlog backlog(&budget);
    Stream stream;
    stream.Skip(static_cast<int>(random() % 5));
    backlog.Activate(stream.last(), stream.digest());
    const Sequence base = stream.last();
    std::vector<FrameRef> all;
    for (int i = 0; i < 200; ++i) {
      all.push_back(stream.Frame(static_cast<int>(1 + random() % 4), random() % 1500));
      backlog.Append(all.back());
      EXPECT_LE(budget.used_bytes(), budget.max_bytes());

      size_t kept = 0, kept_bytes = 0;  // The longest tail that fits.
      while (kept < all.size() &&
             kept_bytes + all[all.size() - 1 - kept]->memory_bytes() <= budget.max_bytes()) {
        kept_bytes += all[all.size() - 1 - kept]->memory_bytes();
        ++kept;
      }
      EXPECT_EQ(backlog.frames(), kept);
      EXPECT_EQ(backlog.bytes(), kept_bytes);

      const auto position = Sequence(random() % (stream.last().value() + 3));
      size_t first = 0;  // That ends after the position.
      while (first < all.size() && all[first]->last_sequence() <= position) ++first;
      const size_t oldest = all.size() - kept;
      const Sequence low = oldest == 0 ? base : all[oldest - 1]->last_sequence();
      const Backlog::CatchUp got = backlog.Since(position, std::nullopt);
      if (position < low) {
        EXPECT_EQ(got.kind, Kind::kEvicted);
      } else if (position > stream.last()) {
        EXPECT_EQ(got.kind, Kind::kNotOurs);
      } else if (first == all.size()) {
        EXPECT_EQ(got.kind, Kind::kNothing);
      } else {
        EXPECT_EQ(got.kind, Kind::kFrames);
        EXPECT_EQ(got.frames,
                  std::vector<FrameRef>(all.begin() + static_cast<ptrdiff_t>(first), all.end()));
      }
    }
  }
}

TEST(BacklogBudgetTest, SilentShardGivesItsExcessBackToOneThatWrites) {
  BacklogBudget budget(10'000, 2);
  Backlog idle(&budget), busy(&budget);
  Stream idle_stream, busy_stream;
  idle.Activate(Sequence(0), 0);
  busy.Activate(Sequence(0), 0);
  for (int i = 0; i < 20; ++i) idle.Append(idle_stream.Frame(1, 500));
  EXPECT_GT(idle.bytes(), 9'000u) << "alone, a shard has the whole budget";

  for (int i = 0; i < 20; ++i) {
    busy.Append(busy_stream.Frame(1, 500));
    EXPECT_LE(budget.used_bytes(), budget.max_bytes());
    idle.YieldToClaims();
    busy.YieldToClaims();
  }
  EXPECT_LE(idle.bytes(), budget.fair_share_bytes());
  EXPECT_GT(idle.bytes(), budget.fair_share_bytes() - 1'000);
  EXPECT_GT(busy.bytes(), budget.fair_share_bytes() - 1'000);
}

TEST(BacklogBudgetTest, BoundHoldsWithinAFrameAShardAcrossThreads) {
  constexpr int kThreads = 3;
  constexpr size_t kFrameBytes = 700;  // More than one frame holds.
  BacklogBudget budget(20'000, kThreads);
  std::atomic<size_t> most{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        Backlog backlog(&budget);
        Stream stream;
        backlog.Activate(Sequence(0), 0);
        for (int i = 0; i < 2'000; ++i) {
          backlog.Append(stream.Frame(1, 500));
          const size_t used = budget.used_bytes();
          size_t high = most;
          while (used > high && !most.compare_exchange_weak(high, used)) {
          }
          backlog.YieldToClaims();
        }
      });
    }
  }
  EXPECT_LE(most.load(), budget.max_bytes() + kThreads * kFrameBytes);
  EXPECT_EQ(budget.used_bytes(), 0u) << "what a backlog held is given back with it";
}

}  // namespace
}  // namespace tidemark::replication
