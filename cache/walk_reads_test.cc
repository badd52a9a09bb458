#include "cache/walk_reads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/fake_tier.h"

namespace tidemark::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class WalkReadsTest : public testing::Test {
 protected:
  ~WalkReadsTest() override {
    reads_.reset();
    tier_.FinishAll();
    for (const tier::ValueLocation& at : held_) tier_.Free(at);
    EXPECT_EQ(tier_.kept(), 0u) << "a pin was left";
  }

  static OwnedEntry Cold(const std::string& key, const std::string& value,
                         const tier::ValueLocation& at) {
    const OwnedEntry warm(Entry::Create(key, value, kNoExpiry));
    return OwnedEntry(Entry::CloneCold(*warm, at));
  }
  tier::ValueLocation Put(const std::string& key, const std::string& value) {
    held_.push_back(tier_.Put(key, value));
    return held_.back();
  }
  // Reads a value of 100 bytes, whose entry is gone when this returns.
  tier::ValueLocation Begin(const std::string& key, OwnedEntry earlier = nullptr) {
    const std::string value(100, key[0]);
    const tier::ValueLocation at = Put(key, value);
    reads_->Begin(*Cold(key, value, at), std::move(earlier));
    return at;
  }
  // What has arrived since the last call: "key=v" with the value's first letter, or "key: why".
  std::vector<std::string> Arrived() { return std::exchange(arrived_, {}); }

  FakeTier tier_;
  std::vector<tier::ValueLocation> held_;  // To be freed.
  std::vector<std::string> arrived_;
  OwnedEntry earlier_;  // As it came with the latest.
  std::unique_ptr<WalkReads> reads_ = std::make_unique<WalkReads>(
      &tier_,
      [this](const Entry& entry, absl::StatusOr<tier::ReadValue> value, OwnedEntry earlier) {
        EXPECT_TRUE(entry.cold());
        arrived_.push_back(std::string(entry.key()) +
                           (value.ok() ? "=" + std::string(value->bytes.substr(0, 1))
                                       : ": " + absl::StatusCodeToString(value.status().code())));
        earlier_ = std::move(earlier);
      });
};

TEST_F(WalkReadsTest, EachIsShownWhenItsValueComes) {
  Begin("a");
  Begin("b");
  EXPECT_FALSE(reads_->empty());
  EXPECT_THAT(arrived_, IsEmpty());
  tier_.FinishRead(1);
  EXPECT_THAT(Arrived(), ElementsAre("b=b"));
  tier_.FinishRead();
  EXPECT_THAT(Arrived(), ElementsAre("a=a"));
  EXPECT_TRUE(reads_->empty());
}

// The front's own read pins it as well, so this is about a read that the front has not taken yet.
TEST_F(WalkReadsTest, AValueThatIsFreedMeanwhileIsShownAllTheSame) {
  tier_.set_max_reads(0);
  Begin("a");
  tier_.Free(held_.back());
  held_.clear();
  EXPECT_EQ(tier_.kept(), 1u);
  tier_.set_max_reads(1);
  EXPECT_FALSE(reads_->RetryWaiting());
  tier_.FinishRead();
  EXPECT_THAT(Arrived(), ElementsAre("a=a"));
  EXPECT_EQ(tier_.kept(), 0u);
}

TEST_F(WalkReadsTest, WhatCameWithAnEntryIsGivenBackWithIt) {
  Begin("a", OwnedEntry(Entry::Create("a", "as it was", kNoExpiry)));
  tier_.FinishRead();
  ASSERT_NE(earlier_, nullptr);
  EXPECT_EQ(earlier_->value(), "as it was");
  Begin("b");
  tier_.FinishRead();
  EXPECT_EQ(earlier_, nullptr);
}

TEST_F(WalkReadsTest, AValueThatCannotBeReadIsToldWithTheReason) {
  tier_.Damage(Begin("a"));
  tier_.FinishRead();
  EXPECT_THAT(Arrived(), ElementsAre("a: DATA_LOSS"));
}

TEST_F(WalkReadsTest, AValueOfAnotherLengthIsNotTheEntrys) {
  const tier::ValueLocation at = Put("a", std::string(99, 'a'));
  reads_->Begin(*Cold("a", std::string(100, 'a'), at));
  tier_.FinishRead();
  EXPECT_THAT(Arrived(), ElementsAre("a: DATA_LOSS"));
}

// The keyspace may be in the middle of a change when it begins one.
TEST_F(WalkReadsTest, AValueThatWasLostBeforeIsToldFromRetryOnly) {
  reads_->Begin(*Cold("a", "long gone", tier::ValueLocation()));
  EXPECT_THAT(Arrived(), IsEmpty());
  EXPECT_TRUE(reads_->waits_for_front());
  EXPECT_FALSE(reads_->RetryWaiting());
  EXPECT_THAT(Arrived(), ElementsAre("a: DATA_LOSS"));
  EXPECT_TRUE(reads_->empty());
}

TEST_F(WalkReadsTest, WhatTheFrontHasNoRoomForWaitsInItsOrder) {
  tier_.set_max_reads(1);
  Begin("a");
  Begin("b");
  EXPECT_TRUE(reads_->waits_for_front());
  EXPECT_TRUE(reads_->full()) << "a walk must not add to what waits";
  EXPECT_TRUE(reads_->RetryWaiting());
  tier_.FinishRead();
  // There is room, but not for one that came later.
  Begin("c");
  EXPECT_EQ(tier_.reads_under_way(), 0u);
  EXPECT_TRUE(reads_->RetryWaiting());
  tier_.FinishRead();
  EXPECT_FALSE(reads_->RetryWaiting());
  tier_.FinishRead();
  EXPECT_THAT(Arrived(), ElementsAre("a=a", "b=b", "c=c"));
  EXPECT_FALSE(reads_->waits_for_front());
}

TEST_F(WalkReadsTest, IsFullOfManyReads) {
  for (size_t n = 0; n < WalkReads::kMaxReads; ++n) {
    EXPECT_FALSE(reads_->full()) << n;
    Begin(std::string(1, static_cast<char>('A' + n)));
  }
  EXPECT_TRUE(reads_->full());
  tier_.FinishRead();
  EXPECT_FALSE(reads_->full());
}

TEST_F(WalkReadsTest, IsFullOfManyBytes) {
  const std::string half(WalkReads::kMaxBytes / 2, 'x');
  for (const char* const key : {"a", "b"}) {
    EXPECT_FALSE(reads_->full());
    reads_->Begin(*Cold(key, half, Put(key, half)));
  }
  EXPECT_TRUE(reads_->full());
  tier_.FinishRead();
  EXPECT_FALSE(reads_->full());
}

TEST_F(WalkReadsTest, AWalkThatHasEndedIsToldNothing) {
  Begin("a");
  tier_.set_max_reads(1);
  Begin("waits");
  reads_.reset();
  tier_.FinishAll();
  EXPECT_THAT(Arrived(), IsEmpty());
}

}  // namespace
}  // namespace tidemark::cache
