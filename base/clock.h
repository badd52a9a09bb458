// Clock tells the time to whoever must not ask the system for it. A core takes `now` as a
// parameter; a shell takes a Clock, so that tests and the simulation can give it another.

#ifndef TIDEMARK_BASE_CLOCK_H_
#define TIDEMARK_BASE_CLOCK_H_

#include <cstdint>

namespace tidemark {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time in milliseconds since 1970, as expiry uses it. May step back.
  virtual int64_t UnixMillis() const = 0;
  // A clock for intervals: never steps back; its zero means nothing.
  virtual int64_t MonotonicNanos() const = 0;

  // The machine's clock, for the life of the process.
  static const Clock& System();
};

// A clock that moves when told. Not thread-safe.
class ManualClock final : public Clock {
 public:
  int64_t UnixMillis() const override { return unix_ms_; }
  int64_t MonotonicNanos() const override { return monotonic_ns_; }

  void AdvanceMillis(int64_t ms) {
    unix_ms_ += ms;
    monotonic_ns_ += ms * 1'000'000;
  }
  // Steps wall time alone, as an operator or a time server may.
  void StepWallMillis(int64_t ms) { unix_ms_ += ms; }

 private:
  int64_t unix_ms_ = 1'700'000'000'000;
  int64_t monotonic_ns_ = 1;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_CLOCK_H_
