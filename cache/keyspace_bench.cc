// What does one call of the keyspace cost, in nanoseconds, at 1,000,000 keys of 16 bytes with
// values of 64? Hashing is not included, as the caller of a keyspace has done it. For instructions,
// run one of them under `perf stat` or callgrind with two --benchmark_min_time and take the
// difference.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "cache/keyspace.h"

namespace tidemark::cache {
namespace {

constexpr size_t kKeys = 1'000'000;
const std::string kValue(64, 'v');

// Names of 16 bytes in an order that defeats the caches, with their hashes.
class Names {
 public:
  explicit Names(std::string_view prefix) {
    names_.reserve(kKeys);
    for (size_t n = 0; n < kKeys; ++n) names_.push_back(fmt::format("{}:{:012}", prefix, n));
    std::shuffle(names_.begin(), names_.end(), std::mt19937_64(1));
    for (const std::string& name : names_) refs_.push_back(KeyRef::Of(name));
  }
  KeyRef Next() {
    const KeyRef ref = refs_[next_];
    next_ = (next_ + 1) % kKeys;
    return ref;
  }

 private:
  std::vector<std::string> names_;
  std::vector<KeyRef> refs_;
  size_t next_ = 0;
};

struct Filled {
  Filled() {
    // In another order than that of the lookups, so that neighbours in memory are not neighbours in
    // time.
    for (size_t n = 0; n < kKeys; ++n) {
      keyspace.Set(KeyRef::Of(fmt::format("key:{:012}", n)), kValue, kNoExpiry);
    }
  }
  Names present{"key"};
  Keyspace keyspace{Keyspace::Options{}};
};

void FindHit(benchmark::State& state) {
  Filled filled;
  for (auto _ : state) benchmark::DoNotOptimize(filled.keyspace.Find(filled.present.Next()));
}
BENCHMARK(FindHit);

void FindMiss(benchmark::State& state) {
  Filled filled;
  Names absent("nil");
  for (auto _ : state) benchmark::DoNotOptimize(filled.keyspace.Find(absent.Next()));
}
BENCHMARK(FindMiss);

// As a connection's pipeline does: the misses of sixteen keys overlap.
void FindHitPrefetched(benchmark::State& state) {
  constexpr int kBatch = 16;
  Filled filled;
  KeyRef batch[kBatch];
  while (state.KeepRunningBatch(kBatch)) {
    for (KeyRef& ref : batch) {
      ref = filled.present.Next();
      filled.keyspace.PrefetchBucket(ref.hash);
    }
    for (const KeyRef& ref : batch) filled.keyspace.PrefetchEntry(ref.hash);
    for (const KeyRef& ref : batch) benchmark::DoNotOptimize(filled.keyspace.Find(ref));
  }
}
BENCHMARK(FindHitPrefetched);

void Overwrite(benchmark::State& state) {
  Filled filled;
  for (auto _ : state) filled.keyspace.Set(filled.present.Next(), kValue, kNoExpiry);
}
BENCHMARK(Overwrite);

// From an empty keyspace on, so it includes every split; starts anew after a million keys.
void Insert(benchmark::State& state) {
  Names names("key");
  Keyspace keyspace({});
  for (auto _ : state) {
    keyspace.Set(names.Next(), kValue, kNoExpiry);
    if (keyspace.size() < kKeys) continue;
    state.PauseTiming();
    keyspace.Flush();
    while (keyspace.Housekeeping(kKeys)) {
    }
    state.ResumeTiming();
  }
}
BENCHMARK(Insert);

void DeleteAndInsert(benchmark::State& state) {
  Filled filled;
  for (auto _ : state) {
    const KeyRef ref = filled.present.Next();
    filled.keyspace.Delete(ref);
    filled.keyspace.Set(ref, kValue, kNoExpiry);
  }
}
BENCHMARK(DeleteAndInsert);

}  // namespace
}  // namespace tidemark::cache
