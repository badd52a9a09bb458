#include "tier/segment_ledger.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace tidemark::tier {
namespace {

constexpr uint64_t kHeader = 24;

// A ledger of segments of 1000 bytes, and verbs.
class SegmentLedgerTest : public testing::Test {
 protected:
  explicit SegmentLedgerTest(uint64_t segments = 8)
      : ledger_({.max_bytes = segments * 1000, .segment_bytes = 1000}) {}

  // Puts a record of `bytes` at the lane's end, in a new segment if need be.
  std::optional<ValueLocation> Put(Lane lane, uint64_t bytes) {
    if (!ledger_.Fits(lane, 0, bytes)) {
      if (!ledger_.MayCreate(lane)) return std::nullopt;
      if (ledger_.EndOf(lane)) ledger_.Seal(lane);
      ledger_.Create(lane, kHeader);
    }
    const auto end = ledger_.EndOf(lane);
    ledger_.Commit(lane, bytes, 1);
    return ValueLocation{end->segment, end->offset, static_cast<uint32_t>(bytes)};
  }
  // A sealed segment of nine records of 100 bytes, `live` of them live.
  uint32_t SealedWithLive(size_t live) {
    std::vector<ValueLocation> put;
    for (int i = 0; i < 9; ++i) put.push_back(*Put(Lane::kDemotions, 100));
    ledger_.Seal(Lane::kDemotions);
    for (size_t i = live; i < put.size(); ++i) ledger_.Free(put[i]);
    return put[0].segment;
  }

  SegmentLedger ledger_;
};

TEST_F(SegmentLedgerTest, PlacesFollowEachOtherAndNumbersGrow) {
  EXPECT_EQ(*Put(Lane::kDemotions, 500), (ValueLocation{1, 24, 500}));
  EXPECT_EQ(*Put(Lane::kDemotions, 400), (ValueLocation{1, 524, 400}));
  EXPECT_EQ(*Put(Lane::kDemotions, 100), (ValueLocation{2, 24, 100}));
  EXPECT_EQ(*Put(Lane::kSurvivors, 100), (ValueLocation{3, 24, 100}));
}

TEST_F(SegmentLedgerTest, ANumberIsNeverUsedAgain) {
  const uint32_t first = SealedWithLive(0);
  EXPECT_EQ(ledger_.FindEmpty(), first);
  ledger_.ReleaseBytes(ledger_.Remove(first));
  EXPECT_FALSE(ledger_.Contains(first));
  EXPECT_EQ(Put(Lane::kDemotions, 100)->segment, first + 1);
}

TEST_F(SegmentLedgerTest, AnOpenSegmentIsNeitherEmptyNorAVictim) {
  const ValueLocation only = *Put(Lane::kDemotions, 100);
  EXPECT_FALSE(ledger_.Free(only));
  EXPECT_EQ(ledger_.FindEmpty(), std::nullopt);
  EXPECT_EQ(ledger_.FindVictim(), std::nullopt);
  ledger_.Seal(Lane::kDemotions);
  EXPECT_EQ(ledger_.FindEmpty(), only.segment);
}

TEST_F(SegmentLedgerTest, DemotionsLeaveRoomForSurvivors) {
  int demoted = 0;
  while (Put(Lane::kDemotions, 900)) ++demoted;
  EXPECT_EQ(demoted, 6);
  EXPECT_TRUE(ledger_.MayCreate(Lane::kSurvivors));
  EXPECT_TRUE(Put(Lane::kSurvivors, 900));
  EXPECT_TRUE(Put(Lane::kSurvivors, 900));
  EXPECT_FALSE(Put(Lane::kSurvivors, 900));
  EXPECT_LE(ledger_.totals().file_bytes, 8000u);
}

TEST_F(SegmentLedgerTest, WhatIsRemovedTakesItsRoomUntilItIsReleased) {
  std::vector<ValueLocation> put;
  while (const auto at = Put(Lane::kDemotions, 900)) put.push_back(*at);
  for (int i = 0; i < 2; ++i) ledger_.Free(put[static_cast<size_t>(i)]);
  const uint64_t bytes = ledger_.Remove(put[0].segment);
  EXPECT_FALSE(ledger_.MayCreate(Lane::kDemotions));
  ledger_.ReleaseBytes(bytes);
  ledger_.ReleaseBytes(ledger_.Remove(put[1].segment));
  EXPECT_TRUE(ledger_.MayCreate(Lane::kDemotions));
}

TEST_F(SegmentLedgerTest, TheVictimIsTheOneWithTheLeastLive) {
  SealedWithLive(2);
  const uint32_t least = SealedWithLive(1);
  SealedWithLive(9);
  EXPECT_EQ(ledger_.FindVictim(), least);
}

TEST_F(SegmentLedgerTest, WithRoomLeftOnlyGarbageIsWorthCopying) {
  SealedWithLive(5);
  EXPECT_EQ(ledger_.FindVictim(), std::nullopt);
  EXPECT_EQ(ledger_.totals().reclaim_debt_bytes, 0u);
  for (int i = 0; i < 4; ++i) SealedWithLive(9);  // The log fills up.
  EXPECT_EQ(ledger_.FindVictim(), 1u);
  EXPECT_EQ(ledger_.totals().reclaim_debt_bytes, 500u);
}

TEST_F(SegmentLedgerTest, FreeTellsOnceThatASegmentIsDueAndOnceThatItIsEmpty) {
  std::vector<ValueLocation> put;
  for (int i = 0; i < 9; ++i) put.push_back(*Put(Lane::kDemotions, 100));
  ledger_.Seal(Lane::kDemotions);
  std::vector<bool> told;
  for (const ValueLocation& at : put) told.push_back(ledger_.Free(at));
  // 100 of 924 bytes are the first share below 20 %.
  EXPECT_EQ(told, (std::vector<bool>{false, false, false, false, false, false, false, true, true}));
}

TEST_F(SegmentLedgerTest, WhatWasGivenUpIsNoVictimUntilItIsReconsidered) {
  const uint32_t later = SealedWithLive(1);
  const uint32_t never = SealedWithLive(1);
  ledger_.GiveUp(later, false);
  ledger_.GiveUp(never, true);
  EXPECT_EQ(ledger_.FindVictim(), std::nullopt);
  EXPECT_EQ(ledger_.totals().damaged_segments, 1u);
  ledger_.Reconsider();
  EXPECT_EQ(ledger_.FindVictim(), later);
}

TEST_F(SegmentLedgerTest, TheFullerTheMoreMayBeLive) {
  uint64_t before = 0;
  for (uint64_t fill = 0; fill <= 120; ++fill) {
    EXPECT_GE(MaxLivePercent(fill), before);
    before = MaxLivePercent(fill);
    EXPECT_LT(before, 100u);
  }
}

TEST(SegmentLedgerDeathTest, FreeingWhatIsNotLiveIsABug) {
  SegmentLedger ledger({.max_bytes = 8000, .segment_bytes = 1000});
  EXPECT_DEATH(ledger.Free({1, 24, 100}), "CHECK");
}

// A log that is written for ever under random deaths of its values, with reclaim carried out as the
// ledger says: the bound holds at every step, and there is always room for the survivors of
// whatever segment is to be reclaimed.
class SegmentLedgerRunTest : public testing::TestWithParam<uint64_t> {};

TEST_P(SegmentLedgerRunTest, ReclaimIsNeverStuck) {
  std::mt19937_64 random(GetParam());
  constexpr uint64_t kSegments = 12;
  SegmentLedger ledger({.max_bytes = kSegments * 1000, .segment_bytes = 1000});
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> live;  // Location to length.
  uint64_t live_bytes = 0;
  uint64_t demoted = 0;

  const auto put = [&](Lane lane, uint32_t bytes) {
    if (!ledger.Fits(lane, 0, bytes)) {
      if (!ledger.MayCreate(lane)) return false;
      if (ledger.EndOf(lane)) ledger.Seal(lane);
      ledger.Create(lane, kHeader);
    }
    const auto end = ledger.EndOf(lane);
    ledger.Commit(lane, bytes, 1);
    live[{end->segment, end->offset}] = bytes;
    live_bytes += bytes;
    return true;
  };
  const auto free = [&](auto at) {
    ledger.Free({at->first.first, at->first.second, at->second});
    live_bytes -= at->second;
    live.erase(at);
  };
  const auto remove_empty = [&] {
    while (const auto empty = ledger.FindEmpty()) ledger.ReleaseBytes(ledger.Remove(*empty));
  };

  for (int step = 0; step < 20'000; ++step) {
    // Up to 97 % of what demotions may use is live.
    if (live_bytes < (kSegments - 2) * 970) {
      if (put(Lane::kDemotions, 50 + static_cast<uint32_t>(random() % 200))) ++demoted;
    }
    if (!live.empty() && random() % 2 == 0) {
      auto at =
          live.lower_bound({static_cast<uint32_t>(random() % (live.rbegin()->first.first + 1)),
                            static_cast<uint32_t>(random() % 1000)});
      free(at == live.end() ? live.begin() : at);
    }
    remove_empty();
    if (const auto victim = ledger.FindVictim()) {
      for (auto at = live.lower_bound({*victim, 0}); at != live.end();
           at = live.lower_bound({*victim, 0})) {
        if (at->first.first != *victim) break;
        ASSERT_TRUE(put(Lane::kSurvivors, at->second)) << "no room to reclaim, step " << step;
        free(live.lower_bound({*victim, 0}));
      }
      remove_empty();
      ASSERT_FALSE(ledger.Contains(*victim));
    }
    const SegmentLedger::Totals totals = ledger.totals();
    ASSERT_LE(totals.file_bytes, kSegments * 1000);
    ASSERT_EQ(totals.live_bytes, live_bytes);
    ASSERT_EQ(totals.live_values, live.size());
  }
  EXPECT_GT(demoted, 8'000u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SegmentLedgerRunTest, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace tidemark::tier
