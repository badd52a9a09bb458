// What the tier costs: the shard that demotes, the disk that is written, a read of a cold value, a
// promotion that is scheduled.
//
// Times are a call's (or an item's) unless a rate is shown. The disk is the one that holds
// $TIER_BENCH_DIR, or /tmp; what was just written is in the page cache, so the reads here measure
// the tier and not the disk.

#include <benchmark/benchmark.h>

#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tier/promotion_pool.h"
#include "tier/tier_front.h"
#include "tier/value_record.h"
#include "tier/value_tier.h"
#include "wal/disk/posix_disk.h"

namespace tidemark::tier {
namespace {

// One shard, whose thread is the benchmark's.
class Shard final : public TierOwner {
 public:
  explicit Shard(const TierOptions& options) {
    const char* const directory = std::getenv("TIER_BENCH_DIR");
    auto tier = ValueTier::Open(disk_, std::string(directory ? directory : "/tmp") + "/tier_bench",
                                options, [this](ShardId, std::function<void()> task) {
                                  {
                                    const std::lock_guard lock(mutex_);
                                    tasks_.push_back(std::move(task));
                                  }
                                  wake_.notify_one();
                                });
    CHECK(tier.ok());
    tier_ = *std::move(tier);
    front().Attach(this);
  }
  ~Shard() override { tier_->Stop(); }

  TierFront& front() { return tier_->front(ShardId(0)); }
  // Runs what has been posted; waits for something if there is nothing.
  void RunTasks() {
    std::deque<std::function<void()>> tasks;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !tasks_.empty(); });
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
  }
  const std::vector<std::pair<std::string, ValueLocation>>& cold() const { return cold_; }
  uint64_t answered() const { return answered_; }
  TierStats stats() const { return tier_->stats(); }
  void FreeAll() {
    for (const auto& [key, location] : cold_) front().Free(location);
    cold_.clear();
  }

  bool Written(std::string_view key, WriteTicket, ValueLocation location) override {
    ++answered_;
    cold_.emplace_back(key, location);
    return true;
  }
  void NotWritten(std::string_view, WriteTicket, const absl::Status&) override { ++answered_; }
  bool IsAt(std::string_view, ValueLocation) override { return false; }
  bool Moved(std::string_view, ValueLocation, ValueLocation) override { return false; }

 private:
  wal::PosixDisk disk_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::unique_ptr<ValueTier> tier_;
  std::vector<std::pair<std::string, ValueLocation>> cold_;
  uint64_t answered_ = 0;
};

TierOptions Unpaced(bool sync) {
  TierOptions options;
  options.max_bytes = uint64_t{4} << 30;
  options.sync_writes = sync;
  options.demote_bytes_per_second = 0;
  options.reclaim_bytes_per_second = 0;
  return options;
}

// How many values of so many bytes get to disk in a second, as fast as one shard may hand them
// over.
void BM_Demote(benchmark::State& state) {
  Shard shard(Unpaced(state.range(1) != 0));
  const std::string value(static_cast<size_t>(state.range(0)), 'v');
  uint64_t written = 0;
  for (auto _ : state) {
    const std::string key = "key:" + std::to_string(written++);
    while (!shard.front().Write({.key = key, .value = value}).queued()) shard.RunTasks();
    if (shard.cold().size() > 100'000) shard.FreeAll();
  }
  while (shard.answered() < written) shard.RunTasks();
  state.SetBytesProcessed(static_cast<int64_t>(written) * state.range(0));
  state.SetItemsProcessed(static_cast<int64_t>(written));
  state.counters["values_a_write"] =
      static_cast<double>(written) / static_cast<double>(shard.stats().writes);
}
BENCHMARK(BM_Demote)
    ->ArgNames({"bytes", "sync"})
    ->ArgsProduct({{64, 1024, 16384}, {0, 1}})
    ->UseRealTime();

// What a Write() takes of the shard's own time.
void BM_ShardWrite(benchmark::State& state) {
  TierOptions options = Unpaced(false);
  options.max_queued_write_bytes = size_t{1} << 30;
  Shard shard(options);
  const std::string value(static_cast<size_t>(state.range(0)), 'v');
  for (auto _ : state) {
    benchmark::DoNotOptimize(shard.front().Write({.key = "key:123456", .value = value}));
  }
}
BENCHMARK(BM_ShardWrite)->ArgName("bytes")->Arg(1024)->Iterations(100'000)->UseRealTime();

// From Read() to the value, with so many reads under way at a time.
void BM_Read(benchmark::State& state) {
  Shard shard(Unpaced(false));
  const std::string value(1024, 'v');
  constexpr uint64_t kValues = 50'000;
  for (uint64_t i = 0; i < kValues;) {
    if (shard.front().Write({.key = "key:" + std::to_string(i), .value = value}).queued()) {
      ++i;
    } else {
      shard.RunTasks();
    }
  }
  while (shard.answered() < kValues) shard.RunTasks();
  int64_t under_way = 0;
  size_t next = 0;
  for (auto _ : state) {
    while (under_way >= state.range(0)) shard.RunTasks();
    next = (next + 7919) % kValues;
    const auto& [key, location] = shard.cold()[next];
    const absl::Status asked =
        shard.front().Read(key, location, [&](ValueLocation, absl::StatusOr<ReadValue> read) {
          CHECK(read.ok());
          --under_way;
        });
    CHECK(asked.ok());
    ++under_way;
  }
  while (under_way > 0) shard.RunTasks();
  state.SetItemsProcessed(state.iterations());
  state.counters["p50_us"] =
      static_cast<double>(shard.stats().read_latency.PercentileNanos(50)) / 1e3;
  state.counters["p99_us"] =
      static_cast<double>(shard.stats().read_latency.PercentileNanos(99)) / 1e3;
}
BENCHMARK(BM_Read)->ArgName("under_way")->Arg(1)->Arg(16)->Arg(256)->UseRealTime();

// The same without another thread.
void BM_ReadNow(benchmark::State& state) {
  Shard shard(Unpaced(false));
  const std::string value(static_cast<size_t>(state.range(0)), 'v');
  shard.front().Write({.key = "k", .value = value, .owner = {}, .urgent = true});
  while (shard.answered() < 1) shard.RunTasks();
  for (auto _ : state) {
    const auto read = shard.front().ReadNow("k", shard.cold()[0].second);
    CHECK(read.ok());
    benchmark::DoNotOptimize(read);
  }
}
BENCHMARK(BM_ReadNow)->ArgName("bytes")->Arg(64)->Arg(1024)->Arg(16384);

// Checking a record that has been read.
void BM_DecodeRecord(benchmark::State& state) {
  const std::string key = "key:123456";
  const std::string value(static_cast<size_t>(state.range(0)), 'v');
  std::string record(kRecordHeaderBytes, '\0');
  EncodeRecordHeader({.body_crc32c = RecordBodyCrc32c(key, value),
                      .key_bytes = static_cast<uint32_t>(key.size()),
                      .stored_bytes = static_cast<uint32_t>(value.size()),
                      .value_bytes = static_cast<uint32_t>(value.size()),
                      .shard = ShardId(0),
                      .flags = 0},
                     1, 24, record.data());
  record += key + value;
  const ValueLocation location = {1, 24, static_cast<uint32_t>(record.size())};
  for (auto _ : state) benchmark::DoNotOptimize(DecodeRecord(record, location));
}
BENCHMARK(BM_DecodeRecord)->ArgName("bytes")->Arg(64)->Arg(1024)->Arg(16384);

// What scheduling a promotion takes of a shard's time, with workers that keep up or do not.
void BM_Schedule(benchmark::State& state) {
  PromotionPool pool({}, [](const PromotionRequest&) { return absl::OkStatus(); });
  const BufferRef bytes = Buffer::Copy(std::string(1024, 'v'));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        pool.Schedule({.key = "key:123456", .location = {1, 24, 1058}, .bytes = bytes}));
  }
  state.counters["evicted_percent"] = 100.0 * static_cast<double>(pool.counts().evicted) /
                                      static_cast<double>(pool.counts().queued);
}
BENCHMARK(BM_Schedule)->UseRealTime();

}  // namespace
}  // namespace tidemark::tier
