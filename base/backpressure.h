// BackpressureController turns how full one bounded thing is into what its feeders should do: go
// on, slow down, or stop. Each state is entered higher than it is left, so that a level at the edge
// does not make everybody flap. docs/backpressure.md describes it; base/pressure_board.h puts
// several together.
//
//   BackpressureController queue{PressureThresholds()};
//   if (auto now = queue.Update(UtilisationPercent(used, capacity))) Log("queue is {}",
//   ToString(*now));

#ifndef TIDEMARK_BASE_BACKPRESSURE_H_
#define TIDEMARK_BASE_BACKPRESSURE_H_

#include <absl/status/status.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tidemark {

// Ordered by severity. The numbers are what metrics and atomics hold.
enum class Pressure : uint8_t { kNormal = 0, kThrottled = 1, kSuspended = 2 };

// An unknown number reads as kSuspended: whoever misreads a state must err on the side that loses
// nothing.
Pressure PressureFromRaw(uint8_t raw);

// "normal", "throttled", "suspended".
std::string_view ToString(Pressure pressure);

// Percent of capacity. A state is entered at `enter` or above it and left below `exit`.
struct PressureThresholds {
  int throttle_enter = 85;
  int throttle_exit = 75;
  int suspend_enter = 95;
  int suspend_exit = 85;

  friend bool operator==(const PressureThresholds&, const PressureThresholds&) = default;
};

// InvalidArgument, naming the rule that is broken, unless 0 <= exit < enter <= 100 for both states
// and neither threshold of throttling is above that of suspending.
absl::Status Validate(const PressureThresholds& thresholds);

// What follows `now` at `percent`. Requires: Validate(thresholds).ok().
Pressure NextPressure(Pressure now, int percent, const PressureThresholds& thresholds);

// `used` of `capacity` in whole percent, rounded down; 100 for a capacity of 0, and for any excess.
// Requires: used < 2^57.
constexpr int UtilisationPercent(uint64_t used, uint64_t capacity) {
  return used >= capacity ? 100 : static_cast<int>(used * 100 / capacity);
}

// Valid thresholds that may be changed while others read them. Thread-safe.
class LiveThresholds {
 public:
  // Requires: Validate(initial).ok(); what comes from outside goes through Set.
  explicit LiveThresholds(const PressureThresholds& initial);

  PressureThresholds Get() const;
  // InvalidArgument (see Validate) changes nothing.
  absl::Status Set(const PressureThresholds& thresholds);

 private:
  std::atomic<uint32_t> packed_;  // A byte each, so that a change is seen whole or not at all.
};

// Thread-safe. The feeder and the drainer may both update it: every transition is then seen by
// exactly one of them, and the last update decides.
class BackpressureController {
 public:
  // Requires: Validate(thresholds).ok().
  explicit BackpressureController(const PressureThresholds& thresholds) : thresholds_(thresholds) {}

  // Takes the current fill (above 100 counts as full). Answers the new state if this changed it:
  // the caller should log it.
  std::optional<Pressure> Update(int percent);

  // Acquires what the updater did before the update that led to this state.
  Pressure state() const { return PressureFromRaw(state_.load(std::memory_order_acquire)); }

  // Entries into kThrottled, from above as well as from below, and into kSuspended.
  uint64_t throttled_total() const { return throttled_total_.load(std::memory_order_relaxed); }
  uint64_t suspended_total() const { return suspended_total_.load(std::memory_order_relaxed); }

  // A change takes effect at the next Update.
  LiveThresholds& thresholds() { return thresholds_; }

 private:
  LiveThresholds thresholds_;
  std::atomic<uint8_t> state_{0};
  std::atomic<uint64_t> throttled_total_{0};
  std::atomic<uint64_t> suspended_total_{0};
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_BACKPRESSURE_H_
