// The tier with its threads: a shard is a thread that runs what is posted to it.

#include "tier/value_tier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/eventually.h"
#include "tier/tier_test_util.h"
#include "wal/disk/simulated_disk.h"

namespace tidemark::tier {
namespace {

using wal::SimulatedDisk;

class ShardThread {
 public:
  ShardThread() : thread_([this] { Run(); }) {}
  ~ShardThread() { Stop(); }

  void Post(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }
  void Call(const std::function<void()>& task) {
    std::promise<void> done;
    Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  // What was not run is dropped.
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    tasks_.clear();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
      if (stopped_) return;
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopped_ = false;
  std::thread thread_;  // Last: it uses all of the above.
};

class ValueTierTest : public testing::Test {
 protected:
  void Start(TierOptions options) {
    for (int i = 0; i < options.shards; ++i) shards_.push_back(std::make_unique<ShardThread>());
    auto tier =
        ValueTier::Open(disk_, "/tier", options, [this](ShardId shard, std::function<void()> task) {
          shards_[shard.value()]->Post(std::move(task));
        });
    ASSERT_TRUE(tier.ok()) << tier.status();
    tier_ = *std::move(tier);
    for (size_t i = 0; i < shards_.size(); ++i) {
      shards_[i]->Call([&] {
        owners_.push_back(
            std::make_unique<ModelOwner>(tier_->front(ShardId(static_cast<uint16_t>(i)))));
      });
    }
  }
  void TearDown() override {
    if (tier_ != nullptr) tier_->Stop();
    for (auto& shard : shards_) shard->Stop();
  }
  bool IsCold(size_t shard, const std::string& key) {
    bool cold = false;
    shards_[shard]->Call([&] { cold = owners_[shard]->IsCold(key); });
    return cold;
  }

  SimulatedDisk disk_{1};
  std::vector<std::unique_ptr<ShardThread>> shards_;
  std::unique_ptr<ValueTier> tier_;
  std::vector<std::unique_ptr<ModelOwner>> owners_;
};

TEST_F(ValueTierTest, AValueGoesDownAndComesBack) {
  Start({.shards = 2, .max_bytes = 1 << 20, .segment_bytes = 64 << 10});
  shards_[1]->Call([&] {
    owners_[1]->Set("k", "value");
    ASSERT_EQ(owners_[1]->Demote("k"), WriteOutcome::kQueued);
  });
  ASSERT_TRUE(Eventually([&] { return IsCold(1, "k"); }));
  std::promise<std::string> got;
  shards_[1]->Call([&] {
    ASSERT_TRUE(tier_->front(ShardId(1))
                    .Read("k", owners_[1]->LocationOf("k"),
                          [&](ValueLocation, absl::StatusOr<ReadValue> value) {
                            got.set_value(std::string(value->bytes));
                          })
                    .ok());
  });
  EXPECT_EQ(got.get_future().get(), "value");
  ASSERT_TRUE(Eventually([&] { return tier_->stats().queued_reads == 0; }));
  const TierStats stats = tier_->stats();
  EXPECT_EQ(stats.demotions_queued, 1u);
  EXPECT_EQ(stats.demotions_written, 1u);
  EXPECT_EQ(stats.live_values, 1u);
  EXPECT_EQ(stats.reads, 1u);
  EXPECT_EQ(stats.read_latency.count(), 1u);
  EXPECT_EQ(stats.read_bytes, stats.live_bytes);
}

TEST_F(ValueTierTest, StopAnswersTheReadsThatWait) {
  Start({.shards = 1, .max_bytes = 1 << 20, .segment_bytes = 64 << 10, .readers = 1});
  shards_[0]->Call([&] {
    owners_[0]->Set("k", "value");
    owners_[0]->Demote("k", /*urgent=*/true);
  });
  ASSERT_TRUE(Eventually([&] { return IsCold(0, "k"); }));
  std::atomic<int> answers = 0;
  std::atomic<int> asked = 0;
  shards_[0]->Call([&] {
    const ValueLocation at = owners_[0]->LocationOf("k");
    // Each is a read of its own: a location that nobody shares, most of them of nothing.
    for (uint32_t i = 0; i < 200; ++i) {
      const ValueLocation other = {at.segment, at.offset + i, at.bytes};
      if (tier_->front(ShardId(0)).Read("k", other, [&](auto, auto) { ++answers; }).ok()) ++asked;
    }
  });
  tier_->Stop();
  EXPECT_TRUE(Eventually([&] { return answers.load() == asked.load(); }));
  shards_[0]->Call([&] {
    EXPECT_FALSE(
        tier_->front(ShardId(0)).Read("k", owners_[0]->LocationOf("k"), [](auto, auto) {}).ok());
    owners_[0]->Set("j", "value");
    EXPECT_EQ(owners_[0]->Demote("j"), WriteOutcome::kDown);
  });
  tier_->Stop();
}

TEST_F(ValueTierTest, StopWithEverythingUnderWay) {
  for (int round = 0; round < 5; ++round) {
    Start({.shards = 2, .max_bytes = 1 << 20, .segment_bytes = 16 << 10});
    for (size_t s = 0; s < 2; ++s) {
      shards_[s]->Call([&] {
        for (int i = 0; i < 100; ++i) {
          owners_[s]->Set(std::to_string(i), std::string(500, 'v'));
          owners_[s]->Demote(std::to_string(i));
        }
      });
    }
    if (round % 2 == 0) tier_->Stop();
    // With odd rounds the shards end first, and the tier posts to nobody.
    for (auto& shard : shards_) shard->Stop();
    tier_ = nullptr;
    owners_.clear();
    shards_.clear();
  }
}

TEST_F(ValueTierTest, ReclaimWorksWhileNobodyElseDoes) {
  Start({.shards = 2, .max_bytes = 128 << 10, .segment_bytes = 16 << 10});
  const auto key = [](int i) { return "key:" + std::to_string(i); };
  for (int i = 0; i < 80; ++i) {
    shards_[0]->Call([&] {
      owners_[0]->Set(key(i), std::string(1000, 'v'));
      ASSERT_EQ(owners_[0]->Demote(key(i), /*urgent=*/true), WriteOutcome::kQueued);
    });
    ASSERT_TRUE(Eventually([&] { return IsCold(0, key(i)); }));
  }
  shards_[0]->Call([&] {
    for (int i = 0; i < 80; ++i) {
      if (i % 5 != 0) owners_[0]->Delete(key(i));
    }
  });
  // 16 values of 1 KiB fit two segments; five were full.
  ASSERT_TRUE(Eventually([&] { return tier_->stats().segments <= 3; }));
  const TierStats stats = tier_->stats();
  EXPECT_EQ(stats.live_values, 16u);
  EXPECT_GT(stats.reclaimed_segments, 0u);
}

TEST_F(ValueTierTest, ATierThatHoldsNothingIsRefused) {
  const auto tier = ValueTier::Open(disk_, "/tier", {.max_bytes = 1000, .segment_bytes = 300},
                                    [](ShardId, std::function<void()>) {});
  EXPECT_TRUE(absl::IsInvalidArgument(tier.status()));
}

TEST_F(ValueTierTest, SegmentsGrowWithTheTier) {
  EXPECT_EQ(SegmentBytesFor(uint64_t{4} << 20), uint64_t{1} << 20);
  EXPECT_EQ(SegmentBytesFor(uint64_t{4} << 30), uint64_t{64} << 20);
  EXPECT_EQ(SegmentBytesFor(uint64_t{1} << 45), uint64_t{1} << 30);
}

// Two shards, four readers, other threads that read at once, a small log under constant reclaim:
// every value that is read is the one that was written.
TEST_F(ValueTierTest, ReadsAreRightWhileEverythingMoves) {
  Start({.shards = 2, .max_bytes = 256 << 10, .segment_bytes = 16 << 10, .compress = true});
  struct Known {
    std::string key;
    ValueLocation location;
    TierPin pin;
    std::string value;
  };
  std::mutex known_mutex;
  std::vector<Known> known;  // Of shard 0; pinned, so that they may be read whatever happens.
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> wrong = 0;
  std::thread promoter([&] {
    while (!stop.load()) {
      Known one;
      {
        const std::lock_guard lock(known_mutex);
        if (known.empty()) continue;
        one = std::move(known.back());
        known.pop_back();
      }
      const auto value = tier_->front(ShardId(0)).ReadNow(one.key, one.location);
      if (!value.ok() || value->bytes != one.value) wrong.fetch_add(1);
    }
  });

  std::atomic<uint64_t> reads = 0;
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    const size_t s = random() % 2;
    const uint64_t dice = random();
    shards_[s]->Post([&, s, dice] {
      ModelOwner& owner = *owners_[s];
      const std::string key = std::to_string(dice % 60);
      if (!owner.Has(key) || dice % 3 == 0) {
        owner.Set(key, std::string(500 + dice % 2000, static_cast<char>('a' + dice % 26)));
        owner.Demote(key, dice % 16 == 0);
      } else if (owner.IsCold(key)) {
        const std::string wanted = owner.ValueOf(key);
        const absl::Status asked =
            tier_->front(ShardId(static_cast<uint16_t>(s)))
                .Read(key, owner.LocationOf(key),
                      [&, wanted](ValueLocation, absl::StatusOr<ReadValue> value) {
                        reads.fetch_add(1);
                        if (!value.ok() || value->bytes != wanted) wrong.fetch_add(1);
                      });
        if (!asked.ok()) wrong.fetch_add(1);
        if (s == 0) {
          const std::lock_guard lock(known_mutex);
          known.push_back({key, owner.LocationOf(key),
                           tier_->front(ShardId(0)).Pin(owner.LocationOf(key)), wanted});
          if (known.size() > 8) known.erase(known.begin());
        }
      } else {
        owner.Demote(key);
      }
    });
    if (round % 100 == 0) shards_[s]->Call([] {});  // The feeder does not run away.
    // Values go down in batches: without this the feeder could be done before any was cold.
    if (round % 500 == 499) {
      EXPECT_TRUE(Eventually([&] {
        for (auto& shard : shards_) shard->Call([] {});
        return tier_->stats().queued_write_bytes == 0;
      }));
    }
  }
  EXPECT_TRUE(Eventually([&] {
    for (auto& shard : shards_) shard->Call([] {});
    const TierStats stats = tier_->stats();
    return stats.queued_reads == 0 && stats.queued_write_bytes == 0;
  }));
  stop.store(true);
  promoter.join();
  known.clear();
  EXPECT_EQ(wrong.load(), 0u);
  const TierStats stats = tier_->stats();
  EXPECT_GT(reads.load(), 0u);
  EXPECT_EQ(stats.reads, reads.load());
  EXPECT_EQ(stats.damaged + stats.read_errors + stats.missing, 0u);
  EXPECT_EQ(stats.demotions_queued,
            stats.demotions_written + stats.demotions_stale + stats.demotions_failed);
  EXPECT_LE(stats.file_bytes, stats.max_bytes);
}

}  // namespace
}  // namespace tidemark::tier
