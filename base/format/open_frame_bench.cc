// Is it cheaper to copy a payload into a frame of its own, or to give its memory away and begin
// with new? Bytes per second sealed, by the payload's size; open_frame.cc copies up to kCopyBytes.

#include <benchmark/benchmark.h>

#include <cstring>
#include <deque>
#include <string>

#include "base/format/open_frame.h"

namespace tidemark {
namespace {

// Written as records come, 84 bytes at a time, and kept as a backlog of 16 MiB does.
void BM_FillAndSeal(benchmark::State& state) {
  const auto payload_bytes = static_cast<size_t>(state.range(0));
  const size_t kept_frames = (size_t{16} << 20) / payload_bytes;
  const std::string record(84, 'r');
  OpenFrame open;
  std::deque<FrameRef> kept;
  for (auto _ : state) {
    while (open.payload_bytes() < payload_bytes) {
      char* p = open.Reserve(record.size());
      std::memcpy(p, record.data(), record.size());
      open.Commit(p + record.size());
    }
    kept.push_back(open.Seal({.record_count = 1}));
    if (kept.size() > kept_frames) kept.pop_front();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FillAndSeal)->RangeMultiplier(2)->Range(1 << 10, 1 << 20);

}  // namespace
}  // namespace tidemark
