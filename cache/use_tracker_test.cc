#include "cache/use_tracker.h"

#include <gtest/gtest.h>

#include <memory>

namespace tidemark::cache {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;
constexpr int64_t kMinute = 60'000;

struct Destroy {
  void operator()(Entry* entry) const { Entry::Destroy(entry); }
};
using EntryPtr = std::unique_ptr<Entry, Destroy>;

EntryPtr NewEntry(const UseTracker& uses, uint32_t known_count = 0) {
  EntryPtr entry(Entry::Create("key", "value", kNoExpiry));
  entry->set_use(uses.Fresh(known_count));
  return entry;
}

UseTracker Tracker(const UseTracker::Options& options) {
  UseTracker uses;
  uses.set_options(options);
  uses.set_now_ms(kNow);
  return uses;
}

TEST(UseTrackerTest, ClockRanksTheLongestUnusedFirst) {
  UseTracker uses = Tracker({.mode = UseMode::kClock});
  const EntryPtr older = NewEntry(uses);
  uses.set_now_ms(kNow + 5'000);
  const EntryPtr newer = NewEntry(uses);
  EXPECT_LT(uses.Rank(older->use()), uses.Rank(newer->use()));
  uses.set_now_ms(kNow + 6'000);
  uses.Touch(older.get());
  EXPECT_GT(uses.Rank(older->use()), uses.Rank(newer->use()));
}

TEST(UseTrackerTest, ClockRanksAcrossTheWrap) {
  UseTracker uses = Tracker({.mode = UseMode::kClock});
  const int64_t wrap_ms = int64_t{1 << 24} * 1000;
  uses.set_now_ms(wrap_ms - 2'000);
  const EntryPtr before = NewEntry(uses);
  uses.set_now_ms(wrap_ms + 2'000);
  const EntryPtr after = NewEntry(uses);
  EXPECT_LT(uses.Rank(before->use()), uses.Rank(after->use()));
}

TEST(UseTrackerTest, LfuBeginsAtFiveAndTheFirstUseAlwaysCounts) {
  UseTracker uses = Tracker({.mode = UseMode::kLfu});
  const EntryPtr entry = NewEntry(uses);
  EXPECT_EQ(uses.Frequency(entry->use()), 5u);
  uses.Touch(entry.get());
  EXPECT_EQ(uses.Frequency(entry->use()), 6u);
}

TEST(UseTrackerTest, LfuCountsLogarithmically) {
  UseTracker uses = Tracker({.mode = UseMode::kLfu, .lfu_log_factor = 10});
  const EntryPtr entry = NewEntry(uses);
  // redis.conf's table: with factor 10 about 10 after 100 hits, 18 after 1000, 142 after 100,000.
  for (int i = 0; i < 100; ++i) uses.Touch(entry.get());
  EXPECT_NEAR(uses.Frequency(entry->use()), 10, 4);
  for (int i = 100; i < 100'000; ++i) uses.Touch(entry.get());
  EXPECT_NEAR(uses.Frequency(entry->use()), 142, 20);
}

TEST(UseTrackerTest, LfuFactorZeroCountsEveryUse) {
  UseTracker uses = Tracker({.mode = UseMode::kLfu, .lfu_log_factor = 0});
  const EntryPtr entry = NewEntry(uses);
  for (int i = 0; i < 300; ++i) uses.Touch(entry.get());
  EXPECT_EQ(uses.Frequency(entry->use()), 255u);
}

TEST(UseTrackerTest, LfuLosesOneEachDecayTime) {
  UseTracker uses = Tracker({.mode = UseMode::kLfu, .lfu_log_factor = 0, .lfu_decay_minutes = 2});
  const EntryPtr entry = NewEntry(uses);
  for (int i = 0; i < 15; ++i) uses.Touch(entry.get());
  EXPECT_EQ(uses.Frequency(entry->use()), 20u);
  uses.set_now_ms(kNow + 10 * kMinute);
  EXPECT_EQ(uses.Frequency(entry->use()), 15u);
  uses.set_now_ms(kNow + 1'000 * kMinute);
  EXPECT_EQ(uses.Frequency(entry->use()), 0u);
  uses.Touch(entry.get());
  EXPECT_EQ(uses.Frequency(entry->use()), 1u);
}

TEST(UseTrackerTest, LfuDecayZeroForgetsNothing) {
  UseTracker uses = Tracker({.mode = UseMode::kLfu, .lfu_decay_minutes = 0});
  const EntryPtr entry = NewEntry(uses);
  uses.set_now_ms(kNow + 1'000 * kMinute);
  EXPECT_EQ(uses.Frequency(entry->use()), 5u);
}

TEST(UseTrackerTest, TinyLfuCountsUpToSeven) {
  UseTracker uses = Tracker({.mode = UseMode::kTinyLfu});
  const EntryPtr entry = NewEntry(uses);
  EXPECT_EQ(uses.Frequency(entry->use()), 1u);
  for (int i = 0; i < 20; ++i) uses.Touch(entry.get());
  EXPECT_EQ(uses.Frequency(entry->use()), tiny_lfu::kMaxCount);
}

TEST(UseTrackerTest, TinyLfuHalvesAsRequestsPass) {
  UseTracker uses = Tracker({.mode = UseMode::kTinyLfu});
  const EntryPtr entry = NewEntry(uses, 5);
  EXPECT_EQ(uses.Frequency(entry->use()), 6u);
  const size_t keys = 100;
  const uint64_t age = keys * tiny_lfu::TicksPerAge(Pace::kSteady);
  uses.Advance(age - 1, keys);
  EXPECT_EQ(uses.Frequency(entry->use()), 6u);
  uses.Advance(1, keys);
  EXPECT_EQ(uses.Frequency(entry->use()), 3u);
  uses.Advance(2 * age, keys);
  EXPECT_EQ(uses.Frequency(entry->use()), 0u);
  uses.Touch(entry.get());
  EXPECT_EQ(uses.Frequency(entry->use()), 1u);
}

TEST(UseTrackerTest, TinyLfuForgetsFasterAtTheMovingPace) {
  UseTracker uses = Tracker({.mode = UseMode::kTinyLfu});
  const EntryPtr entry = NewEntry(uses, 5);
  uses.Advance(100 * tiny_lfu::TicksPerAge(Pace::kMoving), 100);
  EXPECT_EQ(uses.Frequency(entry->use()), 6u);
  uses.set_pace(Pace::kMoving);
  EXPECT_EQ(uses.Frequency(entry->use()), 3u);
}

TEST(UseTrackerTest, TinyLfuRanksByCountThenByThePace) {
  UseTracker uses = Tracker({.mode = UseMode::kTinyLfu});
  const EntryPtr old = NewEntry(uses);
  uses.Advance(300, 100);
  const EntryPtr fresh = NewEntry(uses);
  const EntryPtr used = NewEntry(uses);
  uses.Touch(used.get());
  EXPECT_LT(uses.Rank(fresh->use()), uses.Rank(old->use()));
  EXPECT_LT(uses.Rank(old->use()), uses.Rank(used->use()));
  uses.set_pace(Pace::kMoving);
  EXPECT_LT(uses.Rank(old->use()), uses.Rank(fresh->use()));
  EXPECT_LT(uses.Rank(fresh->use()), uses.Rank(used->use()));
}

TEST(UseTrackerTest, TinyLfuAgesEvenlyAcrossTheWrap) {
  for (const Pace pace : {Pace::kSteady, Pace::kMoving}) {
    const uint32_t before = tiny_lfu::kTickMask;  // The last tick of an age.
    const uint32_t word = tiny_lfu::Word(6, before);
    EXPECT_EQ(tiny_lfu::Count(word, before, pace), 6u);
    EXPECT_EQ(tiny_lfu::Count(word, 0, pace), 3u);
    EXPECT_EQ(tiny_lfu::Count(word, tiny_lfu::TicksPerAge(pace), pace), 1u);
  }
}

}  // namespace
}  // namespace tidemark::cache
