#include "base/spsc_ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <thread>

namespace tidemark {
namespace {

// A value that can only be moved, cannot be made from nothing, and counts how many of it live.
class Parcel {
 public:
  Parcel(int number, int* alive) : number_(number), alive_(alive) { ++*alive_; }
  Parcel(Parcel&& other) noexcept : number_(other.number_), alive_(other.alive_) { ++*alive_; }
  Parcel& operator=(Parcel&& other) noexcept {
    number_ = other.number_;
    return *this;
  }
  ~Parcel() { --*alive_; }
  int number() const { return number_; }

 private:
  int number_;
  int* alive_;
};

TEST(SpscRingTest, KeepsTheOrder) {
  SpscRing<int> ring(4);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.TryPush(int{i}));
  int value = -1;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(ring.TryPop(value));
    EXPECT_EQ(value, i);
  }
}

TEST(SpscRingTest, HoldsExactlyItsCapacity) {
  for (size_t capacity : {1, 2, 8}) {
    SpscRing<size_t> ring(capacity);
    EXPECT_EQ(ring.capacity(), capacity);
    for (size_t i = 0; i < capacity; ++i) {
      EXPECT_EQ(ring.size_approx(), i);
      EXPECT_TRUE(ring.TryPush(size_t{i}));
    }
    EXPECT_FALSE(ring.TryPush(99));
    size_t value = 0;
    EXPECT_TRUE(ring.TryPop(value));
    EXPECT_TRUE(ring.TryPush(99));
    EXPECT_EQ(ring.size_approx(), capacity);
  }
}

TEST(SpscRingTest, APushThatFailsLeavesTheValue) {
  SpscRing<std::unique_ptr<int>> ring(1);
  ASSERT_TRUE(ring.TryPush(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(ring.TryPush(std::move(second)));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, 2);
}

TEST(SpscRingTest, APopThatFailsLeavesTheValue) {
  SpscRing<int> ring(2);
  int value = 7;
  EXPECT_FALSE(ring.TryPop(value));
  EXPECT_EQ(value, 7);
}

TEST(SpscRingTest, DestroysWhatIsPoppedAtOnceAndTheRestAtItsEnd) {
  int alive = 0;
  {
    SpscRing<Parcel> ring(4);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.TryPush(Parcel(i, &alive)));
    EXPECT_EQ(alive, 3);
    {
      Parcel popped(-1, &alive);
      ASSERT_TRUE(ring.TryPop(popped));
      EXPECT_EQ(popped.number(), 0);
    }
    EXPECT_EQ(alive, 2);
  }
  EXPECT_EQ(alive, 0);
}

TEST(SpscRingTest, BehavesAsADequeThroughRandomCalls) {
  std::mt19937 random(30);
  SpscRing<int> ring(8);
  std::deque<int> model;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      ASSERT_EQ(ring.TryPush(int{step}), model.size() < 8);
      if (model.size() < 8) model.push_back(step);
    } else {
      int value = -1;
      ASSERT_EQ(ring.TryPop(value), !model.empty());
      if (!model.empty()) {
        ASSERT_EQ(value, model.front());
        model.pop_front();
      }
    }
    ASSERT_EQ(ring.size_approx(), model.size());
  }
}

TEST(SpscRingDeathTest, RefusesACapacityThatIsNoPowerOfTwo) {
  EXPECT_DEATH(SpscRing<int>(3), "CHECK failed");
  EXPECT_DEATH(SpscRing<int>(0), "CHECK failed");
}

// A small ring, so that both sides run into its ends all the time.
TEST(SpscRingTest, TwoThreadsLoseNothingAndSeeWholeValues) {
  constexpr int kValues = 200'000;
  SpscRing<std::unique_ptr<int>> ring(4);
  std::thread producer([&] {
    for (int i = 0; i < kValues; ++i) {
      auto value = std::make_unique<int>(i);
      while (!ring.TryPush(std::move(value))) std::this_thread::yield();
    }
  });
  std::unique_ptr<int> value;
  for (int i = 0; i < kValues; ++i) {
    while (!ring.TryPop(value)) std::this_thread::yield();
    ASSERT_EQ(*value, i);
    ASSERT_LE(ring.size_approx(), ring.capacity());
  }
  producer.join();
  EXPECT_FALSE(ring.TryPop(value));
}

}  // namespace
}  // namespace tidemark
