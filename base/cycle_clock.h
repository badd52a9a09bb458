// CycleClock measures short intervals with one instruction: the processor's time stamp counter
// where it runs at a constant rate ("invariant TSC", Intel SDM volume 3, 18.17), else the system's
// steady clock.
//
// Ticks mean nothing but their difference. Reading is not serialising: an interval of a few
// nanoseconds is not to be trusted.
//
// Threading: immutable; copies are cheap, so a hot path keeps its own.

#ifndef TIDEMARK_BASE_CYCLE_CLOCK_H_
#define TIDEMARK_BASE_CYCLE_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace tidemark {

class CycleClock {
 public:
  // Calibrated against the steady clock on first use, which takes about two milliseconds.
  static const CycleClock& Calibrated();

  uint64_t Now() const {
#if defined(__x86_64__)
    // Not __rdtsc(): its header is 40,000 lines of every file that reads a clock.
    if (counter_is_steady_) return __builtin_ia32_rdtsc();
#endif
    return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }

  uint64_t ToNanos(uint64_t ticks) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(ticks) * nanos_per_tick_q32_) >>
                                 32);
  }

 private:
  CycleClock();

  bool counter_is_steady_ = false;
  uint64_t nanos_per_tick_q32_ = uint64_t{1} << 32;  // Fixed point, 32 bits of fraction.
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_CYCLE_CLOCK_H_
