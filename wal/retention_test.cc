#include "wal/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace tidemark::wal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

class RetentionTest : public testing::Test {
 protected:
  std::unique_ptr<Retention::Hold> Register(const std::string& name, uint64_t cap_bytes,
                                            uint64_t segment) {
    return retention.Register({.name = name,
                               .cap_bytes = cap_bytes,
                               .on_lost =
                                   [this](const Retention::LostReader& reader) {
                                     lost.push_back(reader.name + "@" +
                                                    std::to_string(reader.segment) + ":" +
                                                    std::to_string(reader.kept_bytes));
                                   }},
                              segment);
  }

  Retention retention;
  std::vector<std::string> lost;
  // 1 to 6, a hundred bytes each.
  std::vector<SegmentSize> segments = {{1, 100}, {2, 100}, {3, 100}, {4, 100}, {5, 100}, {6, 100}};
};

TEST_F(RetentionTest, WithoutReadersTheFloorDecides) {
  EXPECT_EQ(retention.Settle(segments, 4), 4u);
  EXPECT_EQ(retention.LowestNeeded(), kNone);
}

TEST_F(RetentionTest, KeepsForTheSlowestAndLetsGoAsItMovesOn) {
  const auto slow = Register("slow", 1000, 2);
  auto slower = Register("slower", 1000, 1);
  EXPECT_EQ(retention.LowestNeeded(), 1u);
  EXPECT_EQ(retention.Settle(segments, 4), 1u);
  slower->Set(3);
  EXPECT_EQ(retention.Settle(segments, 4), 2u);
  slow->Set(9);
  EXPECT_EQ(retention.Settle(segments, 4), 3u);
  slower->Set(1);  // Never back: what is below may be gone.
  EXPECT_EQ(slower->segment(), 3u);
  slower.reset();
  EXPECT_EQ(retention.Settle(segments, 4), 4u);
  EXPECT_THAT(lost, IsEmpty());
}

TEST_F(RetentionTest, BeyondItsCapAReaderIsLostOnceAndLoudly) {
  const auto reader = Register("r", 250, 2);
  EXPECT_EQ(retention.Settle(segments, 4), 2u);
  EXPECT_FALSE(reader->lost());
  EXPECT_EQ(retention.Settle(segments, 5), 5u);  // 2, 3 and 4: 300 bytes.
  EXPECT_TRUE(reader->lost());
  EXPECT_THAT(lost, ElementsAre("r@2:300"));
  EXPECT_EQ(retention.lost_total(), 1u);
  EXPECT_EQ(retention.LowestNeeded(), kNone);
  reader->Set(6);
  EXPECT_EQ(retention.Settle(segments, 7), 7u);
  EXPECT_TRUE(reader->lost());
  EXPECT_THAT(lost, testing::SizeIs(1));
}

TEST_F(RetentionTest, WhatSnapshotsNeedAnywayCountsForNobody) {
  const auto reader = Register("r", 0, 1);
  EXPECT_EQ(retention.Settle(segments, 1), 1u);
  EXPECT_FALSE(reader->lost());
}

TEST_F(RetentionTest, ShowsItsReaders) {
  const auto one = Register("one", 1000, 2), two = Register("two", 10, 1);
  retention.Settle(segments, 4);
  const auto readers = retention.Readers();
  ASSERT_EQ(readers.size(), 2u);
  EXPECT_EQ(readers[0].name, "one");
  EXPECT_EQ(readers[0].kept_bytes, 200u);
  EXPECT_FALSE(readers[0].lost);
  EXPECT_EQ(readers[1].cap_bytes, 10u);
  EXPECT_TRUE(readers[1].lost);
}

TEST(RetentionThreadsTest, ReadersComeMoveAndGoWhileThePrunerWorks) {
  Retention retention;
  const std::vector<SegmentSize> segments = {{1, 1}, {2, 1}, {3, 1}};
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      for (uint64_t n = 0; !stop; ++n) {
        const auto hold = retention.Register({.name = "r", .cap_bytes = 1, .on_lost = nullptr}, 1);
        hold->Set(1 + n % 3);
        EXPECT_LE(hold->segment(), 3u);
      }
    });
  }
  for (int i = 0; i < 2000; ++i) {
    const uint64_t floor = retention.Settle(segments, 3);
    EXPECT_TRUE(floor >= 1 && floor <= 3);
    retention.Readers();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(retention.LowestNeeded(), kNone);
}

}  // namespace
}  // namespace tidemark::wal
