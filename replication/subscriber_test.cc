#include "replication/subscriber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "replication/encoded_batch_builder.h"

namespace tidemark::replication {
namespace {

using PushResult = Subscriber::PushResult;

class CountingWaker final : public LinkWaker {
 public:
  void Wake() override { ++wakes; }
  void WakeShard(ShardId shard) override { woken.push_back(shard); }

  std::atomic<int> wakes{0};
  std::vector<ShardId> woken;
};

// Frames of one shard, one record each.
class Source {
 public:
  explicit Source(int shard) : builder_(ShardId(static_cast<uint16_t>(shard)), {}) {}
  FrameRef Frame(size_t value_bytes = 10) {
    builder_.Set("k", std::string(value_bytes, 'x'), 0);
    return builder_.Seal(HistoryId(1), 64, 0);
  }

 private:
  EncodedBatchBuilder builder_;
};

ShardId Shard(int number) { return ShardId(static_cast<uint16_t>(number)); }

std::vector<FrameRef> DrainAll(Subscriber& subscriber) {
  std::vector<FrameRef> frames;
  subscriber.BeginDrain();
  while (subscriber.Drain(7, 1 << 20, &frames)) {
  }
  return frames;
}

// "shard:sequence" of each.
std::vector<std::string> Names(const std::vector<FrameRef>& frames) {
  std::vector<std::string> names;
  for (const FrameRef& frame : frames) {
    names.push_back(std::to_string(frame->shard().value()) + ":" +
                    std::to_string(frame->last_sequence().value()));
  }
  return names;
}

TEST(SubscriberTest, FramesHandedOverComeBeforeThosePushed) {
  CountingWaker waker;
  Subscriber subscriber({.max_frames = 2}, &waker);
  Source source(0);
  std::vector<FrameRef> first;
  for (int i = 0; i < 10; ++i) first.push_back(source.Frame());
  subscriber.Open(Shard(0), std::move(first));
  EXPECT_EQ(subscriber.queued_bytes(), 0u) << "they are the backlog's memory";
  EXPECT_EQ(subscriber.Push(Shard(0), source.Frame()), PushResult::kPushed);
  const std::vector<FrameRef> got = DrainAll(subscriber);
  ASSERT_EQ(got.size(), 11u);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i]->last_sequence(), Sequence(i + 1));
}

TEST(SubscriberTest, ShardsAreDrainedInTurns) {
  CountingWaker waker;
  Subscriber subscriber({.shard_count = 3}, &waker);
  Source a(0), c(2);
  for (int s = 0; s < 3; ++s) subscriber.Open(Shard(s), {});
  for (int i = 0; i < 4; ++i) subscriber.Push(Shard(0), a.Frame());
  for (int i = 0; i < 2; ++i) subscriber.Push(Shard(2), c.Frame());
  std::vector<FrameRef> frames;
  EXPECT_TRUE(subscriber.Drain(3, 1 << 20, &frames));
  EXPECT_FALSE(subscriber.Drain(100, 1 << 20, &frames));
  EXPECT_THAT(Names(frames), testing::ElementsAre("0:1", "2:1", "0:2", "2:2", "0:3", "0:4"));
}

TEST(SubscriberTest, DrainStopsAtItsBytes) {
  CountingWaker waker;
  Subscriber subscriber({}, &waker);
  Source source(0);
  subscriber.Open(Shard(0), {});
  for (int i = 0; i < 10; ++i) subscriber.Push(Shard(0), source.Frame(1000));
  std::vector<FrameRef> frames;
  EXPECT_TRUE(subscriber.Drain(100, 2500, &frames));
  EXPECT_EQ(frames.size(), 3u);
}

TEST(SubscriberTest, FullQueueCutsTheSubscriberOnAllShards) {
  CountingWaker waker;
  Subscriber subscriber({.shard_count = 2, .max_frames = 3}, &waker);
  Source a(0), b(1);
  subscriber.Open(Shard(0), {});
  subscriber.Open(Shard(1), {});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(subscriber.Push(Shard(0), a.Frame()), PushResult::kPushed);
  EXPECT_EQ(subscriber.Push(Shard(0), a.Frame()), PushResult::kCutNow);
  EXPECT_EQ(subscriber.cause(), CutCause::kTooManyFrames);
  EXPECT_EQ(subscriber.Push(Shard(0), a.Frame()), PushResult::kCutBefore);
  EXPECT_EQ(subscriber.Push(Shard(1), b.Frame()), PushResult::kCutBefore);
  EXPECT_EQ(waker.wakes, 1) << "the link thread is told";
  EXPECT_TRUE(DrainAll(subscriber).empty());
}

TEST(SubscriberTest, BytesOfAllShardsAreBoundedTogetherWithinAFrame) {
  CountingWaker waker;
  Subscriber subscriber({.shard_count = 2, .max_bytes = 3000}, &waker);
  Source a(0), b(1);
  subscriber.Open(Shard(0), {});
  subscriber.Open(Shard(1), {});
  EXPECT_EQ(subscriber.Push(Shard(0), a.Frame(2000)), PushResult::kPushed);
  EXPECT_EQ(subscriber.Push(Shard(1), b.Frame(2000)), PushResult::kPushed);
  EXPECT_EQ(subscriber.Push(Shard(0), a.Frame(1)), PushResult::kCutNow);
  EXPECT_EQ(subscriber.cause(), CutCause::kTooManyBytes);
}

TEST(SubscriberTest, FrameLargerThanTheBoundPassesAnEmptyQueue) {
  CountingWaker waker;
  Subscriber subscriber({.max_bytes = 1000}, &waker);
  Source source(0);
  subscriber.Open(Shard(0), {});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(subscriber.Push(Shard(0), source.Frame(50'000)), PushResult::kPushed);
    EXPECT_EQ(DrainAll(subscriber).size(), 1u);
  }
  EXPECT_EQ(subscriber.queued_bytes(), 0u);
  EXPECT_GT(subscriber.high_watermark_bytes(), 50'000u);
}

TEST(SubscriberTest, UncountedBytesTakeRoomButNeverCut) {
  CountingWaker waker;
  Subscriber subscriber({.max_bytes = 1000}, &waker);
  Source source(0);
  subscriber.Open(Shard(0), {});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(subscriber.Push(Shard(0), source.Frame(1000), 0), PushResult::kPushed);
  }
  EXPECT_EQ(subscriber.counted_bytes(), 0u);
  EXPECT_GT(subscriber.queued_bytes(), 5000u);
  EXPECT_FALSE(subscriber.HasRoom(Shard(0)));
  EXPECT_EQ(subscriber.Push(Shard(0), source.Frame(10)), PushResult::kPushed);
}

TEST(SubscriberTest, WalkWaitsWhileItsChunkWaitsButFramesDoNot) {
  CountingWaker waker;
  Subscriber subscriber({.walk_bytes = 1000}, &waker);
  Source source(0);
  subscriber.Open(Shard(0), {});
  subscriber.Push(Shard(0), source.Frame(5000));
  EXPECT_TRUE(subscriber.HasRoom(Shard(0))) << "frames of writes are not the walk's";
  subscriber.Push(Shard(0), source.Frame(1000), 0);
  EXPECT_FALSE(subscriber.HasRoom(Shard(0)));
  EXPECT_EQ(subscriber.Push(Shard(0), source.Frame(5000)), PushResult::kPushed);
  std::vector<FrameRef> frames;
  subscriber.Drain(1, 1 << 20, &frames);
  EXPECT_TRUE(waker.woken.empty()) << "the chunk still waits";
  subscriber.Drain(1, 1 << 20, &frames);
  EXPECT_THAT(waker.woken, testing::ElementsAre(Shard(0)));
}

TEST(SubscriberTest, FirstCauseStays) {
  CountingWaker waker;
  Subscriber subscriber({}, &waker);
  EXPECT_TRUE(subscriber.Cut(CutCause::kStreamBroken));
  EXPECT_FALSE(subscriber.Cut(CutCause::kClosed));
  EXPECT_EQ(subscriber.cause(), CutCause::kStreamBroken);
}

TEST(SubscriberTest, LinkIsWokenOnceUntilItDrains) {
  CountingWaker waker;
  Subscriber subscriber({}, &waker);
  subscriber.Signal();
  subscriber.Signal();
  EXPECT_EQ(waker.wakes, 1);
  subscriber.BeginDrain();
  subscriber.Signal();
  EXPECT_EQ(waker.wakes, 2);
}

TEST(SubscriberTest, ShardThatWaitsForRoomIsWokenOnceThereIs) {
  CountingWaker waker;
  Subscriber subscriber({.shard_count = 2, .max_frames = 8}, &waker);
  Source source(1);
  subscriber.Open(Shard(0), {});
  subscriber.Open(Shard(1), {});
  for (int i = 0; i < 3; ++i) subscriber.Push(Shard(1), source.Frame());
  EXPECT_TRUE(subscriber.HasRoom(Shard(1)));
  for (int i = 0; i < 3; ++i) subscriber.Push(Shard(1), source.Frame());
  EXPECT_FALSE(subscriber.HasRoom(Shard(1)));
  EXPECT_TRUE(subscriber.HasRoom(Shard(0)));
  std::vector<FrameRef> frames;
  subscriber.Drain(2, 1 << 20, &frames);
  EXPECT_TRUE(waker.woken.empty()) << "four of eight are half";
  subscriber.Drain(1, 1 << 20, &frames);
  EXPECT_THAT(waker.woken, testing::ElementsAre(Shard(1)));
  subscriber.Drain(1, 1 << 20, &frames);
  EXPECT_EQ(waker.woken.size(), 1u);
}

TEST(SubscriberTest, DropAllReleasesEveryFrame) {
  CountingWaker waker;
  Subscriber subscriber({.shard_count = 2}, &waker);
  Source a(0), b(1);
  subscriber.Open(Shard(0), {a.Frame(), a.Frame()});
  subscriber.Push(Shard(0), a.Frame());
  subscriber.Cut(CutCause::kClosed);
  subscriber.DropAll();  // Before the other shard has opened its queue.
  EXPECT_EQ(subscriber.queued_bytes(), 0u);
  subscriber.Open(Shard(1), {b.Frame()});
  subscriber.DropAll();
}

TEST(SubscriberTest, FramesThatNobodyDrainedDieWithIt) {
  CountingWaker waker;
  Source source(0);
  {
    Subscriber subscriber({}, &waker);
    subscriber.Open(Shard(0), {source.Frame()});
    subscriber.Push(Shard(0), source.Frame());
  }
}  // The leak sanitizer sees to the rest.

// A link thread that sleeps until it is woken, so that a lost wake hangs the test.
class SleepingLink final : public LinkWaker {
 public:
  void Wake() override {
    const std::lock_guard lock(mutex_);
    awake_ = true;
    changed_.notify_all();
  }
  void WakeShard(ShardId shard) override {
    const std::lock_guard lock(mutex_);
    room_[shard.value()] = true;
    changed_.notify_all();
  }
  void Sleep() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return awake_; });
    awake_ = false;
  }
  void SleepUntilRoom(ShardId shard) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return room_[shard.value()]; });
    room_[shard.value()] = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool awake_ = false;
  bool room_[8] = {};
};

TEST(SubscriberThreadsTest, EveryFrameArrivesInOrderAndNoWakeIsLost) {
  constexpr int kShards = 2;
  constexpr uint64_t kFrames = 5'000;
  SleepingLink link;
  Subscriber subscriber({.shard_count = kShards, .max_frames = 16, .max_bytes = 4'000}, &link);
  std::vector<std::jthread> shards;
  for (int s = 0; s < kShards; ++s) {
    shards.emplace_back([&, s] {
      Source source(s);
      std::mt19937_64 random(static_cast<uint64_t>(s));
      subscriber.Open(Shard(s), {source.Frame(), source.Frame()});
      for (uint64_t i = 2; i < kFrames; ++i) {
        while (!subscriber.HasRoom(Shard(s))) {
          subscriber.Signal();
          link.SleepUntilRoom(Shard(s));
        }
        ASSERT_EQ(subscriber.Push(Shard(s), source.Frame(random() % 100)), PushResult::kPushed);
        if (random() % 4 == 0) subscriber.Signal();
      }
      subscriber.Signal();
    });
  }
  std::vector<uint64_t> next(kShards, 1);
  uint64_t received = 0;
  while (received < kShards * kFrames) {
    link.Sleep();
    subscriber.BeginDrain();
    std::vector<FrameRef> frames;
    bool more = true;
    while (more) more = subscriber.Drain(8, 1 << 20, &frames);
    for (const FrameRef& frame : frames) {
      ASSERT_EQ(frame->last_sequence().value(), next[frame->shard().value()]++);
    }
    received += frames.size();
  }
  EXPECT_EQ(subscriber.queued_bytes(), 0u);
  EXPECT_TRUE(subscriber.active());
}

TEST(SubscriberThreadsTest, CutWhileShardsPushLeavesNothingBehind) {
  for (int round = 0; round < 50; ++round) {
    SleepingLink link;
    Subscriber subscriber({.shard_count = 2, .max_frames = 64}, &link);
    {
      std::vector<std::jthread> shards;
      for (int s = 0; s < 2; ++s) {
        shards.emplace_back([&, s] {
          Source source(s);
          subscriber.Open(Shard(s), {source.Frame()});
          while (subscriber.Push(Shard(s), source.Frame()) == PushResult::kPushed) {
          }
        });
      }
      if (round % 2 == 0) subscriber.Cut(CutCause::kClosed);
      link.Sleep();
      subscriber.DropAll();
    }
    subscriber.DropAll();
    EXPECT_EQ(subscriber.queued_bytes(), 0u);
    EXPECT_FALSE(subscriber.active());
  }
}

}  // namespace
}  // namespace tidemark::replication
