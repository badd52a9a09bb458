// What does it cost to turn a Set of 16 + 64 bytes into its share of a sealed frame? Nanoseconds
// per mutation, by mutations per frame. The frames die at once, or (Kept) wait in a backlog's worth
// of memory.

#include <benchmark/benchmark.h>

#include <deque>
#include <string>

#include "replication/encoded_batch_builder.h"

namespace tidemark::replication {
namespace {

void Run(benchmark::State& state, size_t kept_frames) {
  EncodedBatchBuilder builder(ShardId(0), {});
  const std::string key(16, 'k'), value(64, 'v');
  std::deque<FrameRef> kept;
  int64_t mutations = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0); ++i) builder.Set(key, value, 0);
    mutations += state.range(0);
    kept.push_back(builder.Seal(HistoryId(1), 1, 0));
    if (kept.size() > kept_frames) kept.pop_front();
  }
  state.SetItemsProcessed(mutations);
}

void BM_SetAndSeal(benchmark::State& state) { Run(state, 0); }
void BM_SetAndSealKept(benchmark::State& state) {
  Run(state, (size_t{16} << 20) / (static_cast<size_t>(state.range(0)) * 84 + 100));
}

BENCHMARK(BM_SetAndSeal)->Arg(1)->Arg(8)->Arg(64)->Arg(512)->Arg(4096);
BENCHMARK(BM_SetAndSealKept)->Arg(1)->Arg(8)->Arg(64)->Arg(512)->Arg(4096);

}  // namespace
}  // namespace tidemark::replication
