#include "tier/promotion_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tidemark::tier {
namespace {

using testing::ElementsAre;

PromotionRequest Named(std::string key) { return {.key = std::move(key)}; }

// An executor that remembers what it was given, and can be held.
class Recorder {
 public:
  PromotionPool::Executor executor() {
    return [this](const PromotionRequest& request) { return Execute(request); };
  }
  void Hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void LetGo() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  // Until so many executions have begun.
  void WaitBegun(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ >= count; });
  }
  std::vector<std::string> done() {
    const std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  absl::Status Execute(const PromotionRequest& request) {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_; });
    done_.push_back(request.key);
    if (request.key == "bad") return absl::NotFoundError("gone");
    if (request.key == "throws") throw std::runtime_error("thrown");
    return absl::OkStatus();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  size_t begun_ = 0;
  std::vector<std::string> done_;
};

TEST(PromotionPoolTest, TheExecutorSeesTheRequestUnchanged) {
  const BufferRef bytes = Buffer::Copy("....value");
  std::vector<PromotionRequest> seen;
  {
    PromotionPool pool({.worker_count = 1}, [&](const PromotionRequest& request) {
      seen.push_back(request);
      return absl::OkStatus();
    });
    pool.Schedule({.shard = ShardId(3),
                   .key = std::string("k\0y", 3),
                   .location = {7, 8, 9},
                   .value_bytes = 5,
                   .bytes = bytes,
                   .bytes_offset = 4,
                   .policy = PromotionPolicy::kImmediate});
  }
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].shard, ShardId(3));
  EXPECT_EQ(seen[0].key, std::string("k\0y", 3));
  EXPECT_EQ(seen[0].location, (ValueLocation{7, 8, 9}));
  EXPECT_EQ(seen[0].value_bytes, 5u);
  EXPECT_EQ(seen[0].bytes, bytes);
  EXPECT_EQ(seen[0].bytes_offset, 4u);
  EXPECT_EQ(seen[0].policy, PromotionPolicy::kImmediate);
}

TEST(PromotionPoolTest, DropsTheOldestOfThoseThatWait) {
  Recorder recorder;
  recorder.Hold();
  {
    PromotionPool pool({.queue_capacity = 3, .worker_count = 1}, recorder.executor());
    pool.Schedule(Named("first"));
    recorder.WaitBegun(1);  // It left the queue.
    for (const char* key : {"a", "b", "c"}) {
      EXPECT_EQ(pool.Schedule(Named(key)), PromotionOutcome::kQueued);
    }
    EXPECT_EQ(pool.Schedule(Named("d")), PromotionOutcome::kQueuedEvictedOldest);
    EXPECT_EQ(pool.pressure().state(), Pressure::kSuspended);
    recorder.LetGo();
  }
  EXPECT_THAT(recorder.done(), ElementsAre("first", "b", "c", "d"));
}

TEST(PromotionPoolTest, DestroyingItCarriesOutWhatIsQueued) {
  std::atomic<int> executed = 0;
  {
    PromotionPool pool({}, [&](const PromotionRequest&) {
      executed.fetch_add(1);
      return absl::OkStatus();
    });
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(pool.Schedule(Named(std::to_string(i))), PromotionOutcome::kQueued);
    }
  }
  EXPECT_EQ(executed.load(), 20);
}

TEST(PromotionPoolTest, RefusesAfterShutdown) {
  Recorder recorder;
  PromotionPool pool({}, recorder.executor());
  pool.Shutdown();
  EXPECT_EQ(pool.Schedule(Named("late")), PromotionOutcome::kRefused);
  const PromotionCounts counts = pool.counts();
  EXPECT_EQ(counts.refused, 1u);
  EXPECT_EQ(counts.dropped(), 1u);
  EXPECT_EQ(counts.queued, 0u);
  EXPECT_THAT(recorder.done(), ElementsAre());
}

TEST(PromotionPoolTest, ShutdownDoesNotWaitAndLosesNothingThatIsQueued) {
  Recorder recorder;
  recorder.Hold();
  {
    PromotionPool pool({.worker_count = 1}, recorder.executor());
    pool.Schedule(Named("a"));
    pool.Schedule(Named("b"));
    pool.Shutdown();  // Returns although the executor is held.
    recorder.LetGo();
  }
  EXPECT_THAT(recorder.done(), ElementsAre("a", "b"));
}

TEST(PromotionPoolTest, AnExecutorThatFailsOrThrowsIsCountedAndTheNextRuns) {
  Recorder recorder;
  auto pool = std::make_unique<PromotionPool>(PromotionPool::Options{.worker_count = 1},
                                              recorder.executor());
  for (const char* key : {"bad", "throws", "good"}) pool->Schedule(Named(key));
  recorder.WaitBegun(3);
  pool->Shutdown();
  while (pool->counts().completed < 3) std::this_thread::yield();
  EXPECT_EQ(pool->counts().failed, 2u);
  pool.reset();
  EXPECT_THAT(recorder.done(), ElementsAre("bad", "throws", "good"));
}

TEST(PromotionPoolTest, WithoutAnExecutorItCompletesWithoutDoingAnything) {
  PromotionPool pool({.queue_capacity = 0, .worker_count = 0});
  EXPECT_EQ(pool.Schedule(Named("a")), PromotionOutcome::kQueued);
  while (pool.counts().completed < 1) std::this_thread::yield();
  EXPECT_EQ(pool.counts().failed, 0u);
}

// Eight producers, far more requests than the queue holds, and a shutdown in their midst: what the
// callers were told, what the counters say and what the executor saw agree to the last request.
void OutcomesAgreeWithCounters(bool shut_down_midway) {
  constexpr int kProducers = 8;
  constexpr int kEach = 200;
  constexpr size_t kMaxCarriedBytes = 1'000;
  const BufferRef bytes = Buffer::Copy(std::string(100, 'v'));
  std::atomic<uint64_t> executed = 0;
  std::atomic<uint64_t> told_queued = 0;
  std::atomic<uint64_t> told_evicted = 0;
  std::atomic<uint64_t> told_refused = 0;
  PromotionPool pool(
      {.queue_capacity = 64, .worker_count = 2, .max_carried_bytes = kMaxCarriedBytes},
      [&](const PromotionRequest&) {
        executed.fetch_add(1);
        return absl::OkStatus();
      });
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < kEach; ++i) {
        if (shut_down_midway && p == 0 && i == kEach / 2) pool.Shutdown();
        switch (pool.Schedule({.key = "k", .bytes = bytes})) {
          case PromotionOutcome::kQueuedEvictedOldest:
            told_evicted.fetch_add(1);
            [[fallthrough]];
          case PromotionOutcome::kQueued:
            told_queued.fetch_add(1);
            break;
          case PromotionOutcome::kRefused:
            told_refused.fetch_add(1);
        }
        EXPECT_LE(pool.counts().carried_bytes, kMaxCarriedBytes);
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  while (pool.counts().completed + pool.counts().evicted < pool.counts().queued) {
    std::this_thread::yield();
  }
  const PromotionCounts counts = pool.counts();
  EXPECT_EQ(counts.queued + counts.refused, uint64_t{kProducers * kEach});
  EXPECT_EQ(counts.completed + counts.dropped(), counts.queued + counts.refused);
  EXPECT_EQ(counts.depth, 0u);
  EXPECT_EQ(counts.carried_bytes, 0u);
  EXPECT_EQ(counts.queued, told_queued.load());
  EXPECT_EQ(counts.evicted, told_evicted.load());
  EXPECT_EQ(counts.refused, told_refused.load());
  EXPECT_EQ(counts.completed, executed.load());
  EXPECT_TRUE(shut_down_midway || counts.refused == 0);
}

TEST(PromotionPoolTest, OutcomesAgreeWithCountersUnderEightProducers) {
  OutcomesAgreeWithCounters(false);
}

TEST(PromotionPoolTest, OutcomesAgreeWithCountersWhenItIsShutDownMeanwhile) {
  for (int round = 0; round < 20; ++round) OutcomesAgreeWithCounters(true);
}

}  // namespace
}  // namespace tidemark::tier
