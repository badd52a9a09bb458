#include "tier/promotion_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidemark::tier {
namespace {

using testing::ElementsAre;

PromotionRequest Named(std::string key) { return {.key = std::move(key)}; }

std::vector<std::string> Drain(PromotionQueue& queue) {
  std::vector<std::string> keys;
  while (const auto request = queue.Pop()) keys.push_back(request->key);
  return keys;
}

TEST(PromotionQueueTest, KeepsTheNewestInOrderWhenItIsFull) {
  PromotionQueue queue(3, 1024);
  EXPECT_EQ(queue.Push(Named("a")), PromotionOutcome::kQueued);
  EXPECT_EQ(queue.Push(Named("b")), PromotionOutcome::kQueued);
  EXPECT_EQ(queue.Push(Named("c")), PromotionOutcome::kQueued);
  EXPECT_EQ(queue.Push(Named("d")), PromotionOutcome::kQueuedEvictedOldest);
  EXPECT_EQ(queue.counts().evicted, 1u);
  EXPECT_EQ(queue.counts().depth, 3u);
  EXPECT_THAT(Drain(queue), ElementsAre("b", "c", "d"));
}

TEST(PromotionQueueTest, AClosedQueueRefusesAndGivesWhatItHas) {
  PromotionQueue queue(3, 1024);
  queue.Push(Named("a"));
  queue.Close();
  EXPECT_EQ(queue.Push(Named("b")), PromotionOutcome::kRefused);
  EXPECT_EQ(queue.counts().refused, 1u);
  EXPECT_EQ(queue.counts().queued, 1u);
  EXPECT_EQ(queue.counts().dropped(), 1u);
  EXPECT_THAT(Drain(queue), ElementsAre("a"));
}

TEST(PromotionQueueTest, ZeroCapacityCountsAsOne) {
  PromotionQueue queue(0, 1024);
  EXPECT_EQ(queue.capacity(), 1u);
  EXPECT_EQ(queue.Push(Named("a")), PromotionOutcome::kQueued);
}

TEST(PromotionQueueTest, SharesTheReadersBytes) {
  PromotionQueue queue(2, 1024);
  const BufferRef bytes = Buffer::Copy("value");
  queue.Push({.key = "a", .bytes = bytes});
  EXPECT_EQ(queue.counts().carried_bytes, 5u);
  EXPECT_EQ(queue.Pop()->bytes, bytes);
  EXPECT_EQ(queue.counts().carried_bytes, 0u);
}

TEST(PromotionQueueTest, QueuesWithoutTheBytesThatWouldBeTooMany) {
  PromotionQueue queue(2, 8);
  queue.Push({.key = "a", .bytes = Buffer::Copy("12345")});
  EXPECT_EQ(queue.Push({.key = "b", .bytes = Buffer::Copy("1234")}), PromotionOutcome::kQueued);
  EXPECT_EQ(queue.counts().without_bytes, 1u);
  EXPECT_EQ(queue.counts().carried_bytes, 5u);
  // Throws out "a", whose bytes make the room.
  queue.Push({.key = "c", .bytes = Buffer::Copy("12345678")});
  EXPECT_EQ(queue.counts().carried_bytes, 8u);
  EXPECT_EQ(queue.Pop()->bytes, nullptr);
  EXPECT_EQ(queue.Pop()->bytes->view(), "12345678");
}

TEST(PromotionQueueTest, CountsWhatBecameOfThem) {
  PromotionQueue queue(4, 1024);
  queue.Push(Named("a"));
  queue.Push(Named("b"));
  Drain(queue);
  queue.Completed(true);
  queue.Completed(false);
  EXPECT_EQ(queue.counts().completed, 2u);
  EXPECT_EQ(queue.counts().failed, 1u);
}

}  // namespace
}  // namespace tidemark::tier
