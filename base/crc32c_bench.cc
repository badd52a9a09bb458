// How fast is a checksum, by length of input? In bytes per second; the hardware's limit for the
// instruction is eight bytes a cycle.
#include <benchmark/benchmark.h>

#include <string>

#include "base/crc32c.h"

namespace tidemark {
namespace {

using crc32c_internal::PortableCrc32c;

template <uint32_t (*Checksum)(std::string_view, uint32_t)>
void BM_Crc32c(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  uint32_t crc = 0;
  for (auto _ : state) benchmark::DoNotOptimize(crc = Checksum(bytes, crc));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Crc32c<Crc32c>)->Arg(64)->Arg(1 << 10)->Arg(16 << 10)->Arg(1 << 20);
BENCHMARK(BM_Crc32c<PortableCrc32c>)->Arg(64)->Arg(1 << 10)->Arg(16 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace tidemark
