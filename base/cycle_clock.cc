#include "base/cycle_clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace tidemark {
namespace {

#if defined(__x86_64__)
bool HasInvariantCounter() {
  constexpr unsigned kAdvancedPowerManagement = 0x80000007;
  constexpr unsigned kInvariantBit = 1u << 8;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(kAdvancedPowerManagement, &eax, &ebx, &ecx, &edx) != 0 &&
         (edx & kInvariantBit) != 0;
}

// Nanoseconds per tick with 32 bits of fraction; 0 if the counter stood still.
uint64_t MeasureNanosPerTick() {
  using std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kWindow(2);
  const auto start = steady_clock::now();
  const uint64_t first = __builtin_ia32_rdtsc();
  auto end = start;
  while (end - start < kWindow) end = steady_clock::now();
  const uint64_t ticks = __builtin_ia32_rdtsc() - first;
  if (ticks == 0) return 0;
  const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count();
  return static_cast<uint64_t>((static_cast<unsigned __int128>(nanos) << 32) / ticks);
}
#endif

}  // namespace

CycleClock::CycleClock() {
#if defined(__x86_64__)
  if (!HasInvariantCounter()) return;
  const uint64_t nanos_per_tick = MeasureNanosPerTick();
  if (nanos_per_tick == 0) return;
  nanos_per_tick_q32_ = nanos_per_tick;
  counter_is_steady_ = true;
#endif
}

const CycleClock& CycleClock::Calibrated() {
  static const CycleClock clock;
  return clock;
}

}  // namespace tidemark
