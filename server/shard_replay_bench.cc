// How fast does one shard's keyspace take what a recovery reads, when reading costs nothing? Unit:
// keys per second, of 16 bytes with values of 64. In the order of a log the keys come at random; in
// that of a snapshot they come bucket by bucket, and their number is known.

#include <algorithm>
#include <string>
#include <vector>

#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "base/key_hash.h"
#include "benchmark/benchmark.h"
#include "cache/keyspace.h"
#include "fmt/format.h"
#include "server/shard_replay.h"

namespace tidemark::server {
namespace {

constexpr size_t kFrameBytes = 64 << 10;

// The order in which a walk shows keys: by the hash read backwards.
uint64_t WalkOrder(uint64_t hash) {
  uint64_t reversed = 0;
  for (int bit = 0; bit < 48; ++bit) reversed |= (hash >> bit & 1) << (47 - bit);
  return reversed;
}

std::vector<FrameRef> Frames(FrameKind kind, int keys) {
  std::vector<std::pair<uint64_t, int>> order;
  order.reserve(static_cast<size_t>(keys));
  for (int n = 0; n < keys; ++n) {
    order.emplace_back(WalkOrder(KeyHash(fmt::format("key:{:012}", n))), n);
  }
  if (kind == FrameKind::kSnapshotChunk) std::sort(order.begin(), order.end());
  const std::string value(64, 'v');
  std::vector<FrameRef> frames;
  OpenFrame open;
  FrameHeader header{};
  header.kind = kind;
  for (const auto& [unused, n] : order) {
    const std::string key = fmt::format("key:{:012}", n);
    open.Commit(EncodeSet(open.Reserve(RecordBytesBound(key.size(), value.size())), key, value, 0));
    ++header.record_count;
    if (open.payload_bytes() < kFrameBytes && n != order.back().second) continue;
    header.first_sequence = Next(header.last_sequence);
    header.last_sequence = Sequence(header.last_sequence.value() + header.record_count);
    frames.push_back(open.Seal(header));
    header.record_count = 0;
  }
  return frames;
}

void Replay(benchmark::State& state, FrameKind kind) {
  const int keys = static_cast<int>(state.range(0));
  const std::vector<FrameRef> frames = Frames(kind, keys);
  for (auto _ : state) {
    auto keyspace = std::make_unique<cache::Keyspace>(cache::Keyspace::Options{});
    if (kind == FrameKind::kSnapshotChunk) keyspace->Reserve(static_cast<size_t>(keys));
    ShardReplay replay(keyspace.get(), ShardId(0), 1);
    for (const FrameRef& frame : frames) {
      benchmark::DoNotOptimize(
          replay.Apply(*frame, frame->first_sequence(), frame->last_sequence()).ok());
    }
    state.PauseTiming();
    keyspace.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * keys);
}

void BM_Log(benchmark::State& state) { Replay(state, FrameKind::kMutations); }
void BM_Snapshot(benchmark::State& state) { Replay(state, FrameKind::kSnapshotChunk); }
BENCHMARK(BM_Log)->Arg(5'000'000)->Iterations(1)->Repetitions(2)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Snapshot)
    ->Arg(5'000'000)
    ->Iterations(1)
    ->Repetitions(2)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidemark::server
