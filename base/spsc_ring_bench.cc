// What does a message cost? In time per message: pushed and popped by one thread in batches, the
// cost of the code alone; and from one thread to another, the cost with the lines that travel
// between cores.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/spsc_ring.h"

namespace tidemark {
namespace {

void BM_OneThread(benchmark::State& state) {
  SpscRing<uint64_t> ring(1024);
  const uint64_t batch = static_cast<uint64_t>(state.range(0));
  uint64_t value = 0;
  for (auto _ : state) {
    for (uint64_t i = 0; i < batch; ++i) ring.TryPush(uint64_t{i});
    while (ring.TryPop(value)) benchmark::DoNotOptimize(value);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_OneThread)->Arg(1)->Arg(64);

void BM_TwoThreads(benchmark::State& state) {
  SpscRing<uint64_t> ring(1024);
  std::atomic<bool> stop{false};
  std::thread consumer([&] {
    uint64_t value = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      if (!ring.TryPop(value)) std::this_thread::yield();
    }
  });
  for (auto _ : state) {
    while (!ring.TryPush(1)) std::this_thread::yield();
  }
  stop.store(true);
  consumer.join();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TwoThreads)->UseRealTime();

}  // namespace
}  // namespace tidemark
