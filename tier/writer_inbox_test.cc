#include "tier/writer_inbox.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>

namespace tidemark::tier {
namespace {

// A wait that would be in vain ends at once, and one that should end at once would last.
constexpr int64_t kAtOnce = 0;
constexpr int64_t kLongNs = int64_t{3'600'000'000'000};

PendingWrite Write(size_t bytes, bool hurried = false) {
  PendingWrite write;
  write.text = Buffer::Copy(std::string(bytes, 'k'));
  write.key_bytes = bytes;
  write.hurried = hurried;
  return write;
}

TEST(WriterInboxTest, GivesAllThatHasCome) {
  WriterInbox inbox;
  inbox.Push(Write(3));
  inbox.Push(Write(4));
  const auto taken = inbox.Take();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[1].bytes(), 4u);
  EXPECT_TRUE(inbox.Take().empty());
}

// Each of these would hang if nothing ended the wait.
TEST(WriterInboxTest, AWaitEndsWithEnoughBytesOrAHurriedOneOrAKick) {
  WriterInbox inbox;
  inbox.Push(Write(1));
  EXPECT_TRUE(inbox.Wait(kLongNs, 1));
  inbox.Take();
  inbox.Push(Write(60));
  inbox.Push(Write(40));
  EXPECT_TRUE(inbox.Wait(kLongNs, 100));
  inbox.Take();
  inbox.Push(Write(1, /*hurried=*/true));
  EXPECT_TRUE(inbox.Wait(kLongNs, 100));
  inbox.Take();
  inbox.Kick();
  EXPECT_TRUE(inbox.Wait(-1, 100));
}

TEST(WriterInboxTest, AWriterThatGathersIsWokenByEnoughOnly) {
  WriterInbox inbox;
  std::thread writer([&] {
    size_t bytes = 0;
    // Woken for less, it would come back with less.
    EXPECT_TRUE(inbox.Wait(-1, 100));
    for (const PendingWrite& write : inbox.Take()) bytes += write.bytes();
    EXPECT_EQ(bytes, 100u);
  });
  for (int i = 0; i < 10; ++i) inbox.Push(Write(10));
  writer.join();
}

TEST(WriterInboxTest, WhatWasTakenCountsNoMore) {
  WriterInbox inbox;
  inbox.Push(Write(99, /*hurried=*/true));
  inbox.Kick();
  inbox.Take();
  inbox.Push(Write(1));
  inbox.Stop();
  EXPECT_FALSE(inbox.Wait(kAtOnce, 100)) << "stopped";
  EXPECT_EQ(inbox.Take().size(), 1u);
}

}  // namespace
}  // namespace tidemark::tier
