#include "cache/entry.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>

namespace tidemark::cache {
namespace {

struct DestroyEntry {
  void operator()(Entry* entry) const { Entry::Destroy(entry); }
};
using EntryPtr = std::unique_ptr<Entry, DestroyEntry>;

EntryPtr Make(std::string_view key, std::string_view value, const Expiry& expiry = kNoExpiry) {
  return EntryPtr(Entry::Create(key, value, expiry));
}

TEST(SizeClassTest, FollowsJemallocsClasses) {
  struct Case {
    size_t bytes, allocated;
  };
  for (const Case c : {Case{1, 16},
                       {16, 16},
                       {17, 32},
                       {92, 96},
                       {96, 96},
                       {97, 112},
                       {128, 128},
                       {129, 160},
                       {160, 160},
                       {161, 192},
                       {256, 256},
                       {257, 320},
                       {1025, 1280},
                       {14336, 14336},
                       {16385, 20480},
                       {1u << 29, 1u << 29}}) {
    EXPECT_EQ(AllocatedBytes(c.bytes), c.allocated) << c.bytes;
  }
}

TEST(EntryTest, HoldsBinaryKeysAndValuesOfAnySize) {
  for (const size_t key_bytes : {0, 1, 7, 300, 70'000}) {
    for (const size_t value_bytes : {0, 1, 64, 16 * 1024 - 1, 16 * 1024, 100'000}) {
      for (const int64_t expire_at_ms :
           {kNoExpiry, int64_t{1}, int64_t{-5}, std::numeric_limits<int64_t>::max()}) {
        const std::string key(key_bytes, '\0');
        const std::string value(value_bytes, '\xff');
        const EntryPtr entry = Make(key, value, expire_at_ms);
        EXPECT_EQ(entry->key(), key);
        EXPECT_EQ(entry->value(), value);
        EXPECT_EQ(entry->expire_at_ms(), expire_at_ms);
        EXPECT_EQ(entry->has_expiry(), expire_at_ms != kNoExpiry);
        EXPECT_EQ(entry->value_buffer().get() != nullptr, value_bytes >= kLargeValueBytes);
        EXPECT_FALSE(entry->appended());
      }
    }
  }
}

TEST(EntryTest, SixteenByteKeyWithSixtyFourByteValueFitsNinetySixBytes) {
  EXPECT_EQ(Make(std::string(16, 'k'), std::string(64, 'v'))->memory_bytes(), 96u);
}

TEST(EntryTest, AssignsInPlaceExactlyWithinTheSizeClass) {
  const EntryPtr entry = Make("key", std::string(40, 'a'));  // 55 bytes, in a class of 64.
  EXPECT_TRUE(entry->TryAssign(std::string(49, 'b'), kNoExpiry));
  EXPECT_EQ(entry->value(), std::string(49, 'b'));
  EXPECT_TRUE(entry->TryAssign(std::string(34, 'c'), kNoExpiry));
  EXPECT_EQ(entry->value(), std::string(34, 'c'));
  EXPECT_FALSE(entry->TryAssign(std::string(50, 'd'), kNoExpiry));
  EXPECT_FALSE(entry->TryAssign(std::string(33, 'd'), kNoExpiry));
  EXPECT_FALSE(entry->TryAssign(std::string(40, 'd'), 1'000));
  EXPECT_EQ(entry->value(), std::string(34, 'c'));
}

TEST(EntryTest, AssigningALargeValueLeavesTheBufferToItsReaders) {
  const EntryPtr entry = Make("key", std::string(20'000, 'a'), 1'000);
  const BufferRef reader = entry->value_buffer();
  EXPECT_TRUE(entry->TryAssign(std::string(30'000, 'b'), 2'000));
  EXPECT_EQ(reader->view(), std::string(20'000, 'a'));
  EXPECT_EQ(entry->value(), std::string(30'000, 'b'));
  EXPECT_EQ(entry->expire_at_ms(), 2'000);
}

TEST(EntryTest, AssignsAPartOfItself) {
  const EntryPtr small = Make("key", "0123456789");
  EXPECT_TRUE(small->TryAssign(small->value().substr(2), kNoExpiry));
  EXPECT_EQ(small->value(), "23456789");
  const EntryPtr large = Make("key", std::string(20'000, 'a') + "end");
  EXPECT_TRUE(large->TryAssign(large->value().substr(1'000), kNoExpiry));
  EXPECT_EQ(large->value(), std::string(19'000, 'a') + "end");
}

TEST(EntryTest, AppendedValuesStayInlineAndGrowWithinTheSizeClass) {
  const EntryPtr entry(Entry::CreateAppended("key", 100'000, kNoExpiry));
  EXPECT_TRUE(entry->appended());
  EXPECT_EQ(entry->value_buffer().get(), nullptr);
  const size_t room = entry->memory_bytes() - sizeof(Entry) - 3;
  EXPECT_TRUE(entry->TryResize(room));
  EXPECT_FALSE(entry->TryResize(room + 1));
  EXPECT_EQ(entry->value().size(), room);
  EXPECT_FALSE(Make("key", std::string(20'000, 'a'))->TryResize(20'001));
}

TEST(EntryTest, AClonesLargeValueIsShared) {
  const EntryPtr entry = Make("key", std::string(20'000, 'a'));
  const EntryPtr clone(Entry::CloneWithExpiry(*entry, 5));
  EXPECT_EQ(clone->value_buffer(), entry->value_buffer());
  EXPECT_EQ(clone->key(), "key");
  EXPECT_EQ(clone->expire_at_ms(), 5);
}

const Expiry kIdle(1'000, {.idle_ms = 10, .stale_ms = 0, .hard_at_ms = 0});
const Expiry kStale(1'000, {.idle_ms = 0, .stale_ms = 400, .hard_at_ms = 600});

TEST(EntryTest, HoldsExtrasBesideValuesOfAnySize) {
  for (const size_t value_bytes : {0, 1, 64, 16 * 1024 - 1, 16 * 1024, 100'000}) {
    const std::string value(value_bytes, 'v');
    const EntryPtr entry = Make("key", value, kStale);
    EXPECT_TRUE(entry->has_extras());
    EXPECT_EQ(entry->expiry(), kStale);
    EXPECT_EQ(entry->expire_at_ms(), 1'000);
    EXPECT_EQ(entry->key(), "key");
    EXPECT_EQ(entry->value(), value);
  }
}

TEST(EntryTest, ExtrasCostOnlyTheEntriesThatHaveThem) {
  const size_t without = Make("key", std::string(45, 'v'), 1'000)->memory_bytes();
  EXPECT_EQ(without, 80u);  // 12 + 8 + 3 + 45 = 68.
  EXPECT_EQ(Make("key", std::string(45, 'v'), kIdle)->memory_bytes(), 112u);  // 32 more.
}

TEST(EntryTest, AssignsInPlaceOnlyToTheSameKindOfExpiry) {
  const EntryPtr entry = Make("key", "value", kIdle);
  EXPECT_FALSE(entry->TryAssign("other", kNoExpiry));
  EXPECT_FALSE(entry->TryAssign("other", 2'000));
  EXPECT_EQ(entry->value(), "value");
  EXPECT_TRUE(entry->TryAssign("longer", kStale));
  EXPECT_EQ(entry->value(), "longer");
  EXPECT_EQ(entry->expiry(), kStale);
  EXPECT_FALSE(Make("key", "value", 1'000)->TryAssign("value", kIdle));
}

TEST(EntryTest, ExtrasStayWhenTheValueGrowsOrShrinks) {
  const EntryPtr entry(Entry::CreateAppended("key", 20, kStale));
  std::memset(entry->mutable_value(), 'a', 20);
  for (const size_t value_bytes : {21, 24, 18}) {
    ASSERT_TRUE(entry->TryResize(value_bytes)) << value_bytes;
    EXPECT_EQ(entry->value().substr(0, 15), std::string(15, 'a'));
    EXPECT_EQ(entry->expiry(), kStale);
  }
}

TEST(EntryTest, AMomentMovesWithoutItsExtras) {
  const EntryPtr entry = Make("key", "value", kIdle);
  entry->ChangeMoment(5'000);
  EXPECT_EQ(entry->expiry(), Expiry(5'000, kIdle.extras));
  entry->ChangeExpiry(kStale);
  EXPECT_EQ(entry->expiry(), kStale);
}

TEST(EntryTest, IsStaleFromItsHardMomentOn) {
  EXPECT_FALSE(Make("key", "value", kStale)->StaleAt(599));
  EXPECT_TRUE(Make("key", "value", kStale)->StaleAt(600));
  EXPECT_FALSE(Make("key", "value", kIdle)->StaleAt(999));
  EXPECT_FALSE(Make("key", "value", 1'000)->StaleAt(2'000));
}

TEST(EntryTest, WhatIsAskedIsForgottenWithAnyChangeButAnotherMoment) {
  const EntryPtr entry(Entry::CreateAppended("key", 20, kStale));
  const auto ask = [&] {
    entry->set_asked_until_ms(700);
    EXPECT_EQ(entry->asked_until_ms(), 700);
    EXPECT_EQ(entry->expiry(), kStale);
  };
  EXPECT_EQ(entry->asked_until_ms(), 0);
  ask();
  entry->ChangeMoment(900);
  EXPECT_EQ(entry->asked_until_ms(), 700);
  entry->ChangeExpiry(kStale);
  EXPECT_EQ(entry->asked_until_ms(), 0);
  ask();
  ASSERT_TRUE(entry->TryResize(21));
  EXPECT_EQ(entry->asked_until_ms(), 0);
  ask();
  const EntryPtr cold(Entry::CloneCold(*entry, tier::ValueLocation()));
  EXPECT_EQ(cold->asked_until_ms(), 700);
  ASSERT_TRUE(entry->TryAssign("value of now, and", kStale));
  EXPECT_EQ(entry->asked_until_ms(), 0);
}

TEST(EntryTest, ExtrasGoToDiskAndBack) {
  for (const size_t value_bytes : {5, 20'000}) {
    const std::string value(value_bytes, 'v');
    const EntryPtr entry = Make("key", value, kStale);
    const EntryPtr cold(Entry::CloneCold(*entry, tier::ValueLocation()));
    EXPECT_EQ(cold->expiry(), kStale);
    const EntryPtr other(Entry::CloneWithExpiry(*cold, kIdle));
    EXPECT_EQ(other->expiry(), kIdle);
    const EntryPtr warm(Entry::CloneWarm(*other, value));
    EXPECT_EQ(warm->expiry(), kIdle);
    EXPECT_EQ(warm->value(), value);
  }
}

TEST(EntryTest, AccessClockCountsSecondsAcrossItsWrap) {
  const EntryPtr entry = Make("key", "value");
  const int64_t before_wrap_ms = ((int64_t{1} << 24) - 3) * 1000;
  entry->set_use(Entry::AccessClock(before_wrap_ms));
  EXPECT_EQ(entry->IdleSeconds(before_wrap_ms + 999), 0u);
  EXPECT_EQ(entry->IdleSeconds(before_wrap_ms + 5'000), 5u);
}

}  // namespace
}  // namespace tidemark::cache
