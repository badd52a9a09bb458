#include "base/backpressure.h"

#include <fmt/format.h>

#include "base/check.h"

namespace tidemark {
namespace {

uint32_t Pack(const PressureThresholds& t) {
  const auto byte = [](int percent) { return static_cast<uint32_t>(percent); };
  return byte(t.throttle_enter) | byte(t.throttle_exit) << 8 | byte(t.suspend_enter) << 16 |
         byte(t.suspend_exit) << 24;
}

PressureThresholds Unpack(uint32_t packed) {
  const auto percent = [packed](int shift) { return static_cast<int>(packed >> shift & 0xff); };
  return {.throttle_enter = percent(0),
          .throttle_exit = percent(8),
          .suspend_enter = percent(16),
          .suspend_exit = percent(24)};
}

}  // namespace

Pressure PressureFromRaw(uint8_t raw) {
  return raw <= static_cast<uint8_t>(Pressure::kSuspended) ? static_cast<Pressure>(raw)
                                                           : Pressure::kSuspended;
}

std::string_view ToString(Pressure pressure) {
  switch (pressure) {
    case Pressure::kNormal:
      return "normal";
    case Pressure::kThrottled:
      return "throttled";
    case Pressure::kSuspended:
      break;
  }
  return "suspended";
}

absl::Status Validate(const PressureThresholds& t) {
  const auto require = [](bool holds, int left, std::string_view rule, int right) {
    return holds ? absl::OkStatus()
                 : absl::InvalidArgumentError(
                       fmt::format("backpressure thresholds: {} {} {}", left, rule, right));
  };
  for (const absl::Status& status : {
           require(t.throttle_exit >= 0, t.throttle_exit, "(throttle exit) is below", 0),
           require(t.suspend_enter <= 100, t.suspend_enter, "(suspend enter) is above", 100),
           require(t.throttle_exit < t.throttle_enter, t.throttle_exit,
                   "(throttle exit) is not below throttle enter", t.throttle_enter),
           require(t.suspend_exit < t.suspend_enter, t.suspend_exit,
                   "(suspend exit) is not below suspend enter", t.suspend_enter),
           require(t.throttle_enter <= t.suspend_enter, t.throttle_enter,
                   "(throttle enter) is above suspend enter", t.suspend_enter),
           require(t.throttle_exit <= t.suspend_exit, t.throttle_exit,
                   "(throttle exit) is above suspend exit", t.suspend_exit),
       }) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

Pressure NextPressure(Pressure now, int percent, const PressureThresholds& t) {
  if (percent >= (now == Pressure::kSuspended ? t.suspend_exit : t.suspend_enter)) {
    return Pressure::kSuspended;
  }
  // Coming down from kSuspended counts as being throttled already: that state's exit decides.
  if (percent >= (now == Pressure::kNormal ? t.throttle_enter : t.throttle_exit)) {
    return Pressure::kThrottled;
  }
  return Pressure::kNormal;
}

LiveThresholds::LiveThresholds(const PressureThresholds& initial) : packed_(Pack(initial)) {
  CHECK(Validate(initial).ok());
}

PressureThresholds LiveThresholds::Get() const {
  return Unpack(packed_.load(std::memory_order_relaxed));
}

absl::Status LiveThresholds::Set(const PressureThresholds& thresholds) {
  absl::Status status = Validate(thresholds);
  if (status.ok()) packed_.store(Pack(thresholds), std::memory_order_relaxed);
  return status;
}

std::optional<Pressure> BackpressureController::Update(int percent) {
  const PressureThresholds thresholds = thresholds_.Get();
  uint8_t raw = state_.load(std::memory_order_relaxed);
  Pressure next;
  do {
    next = NextPressure(PressureFromRaw(raw), percent, thresholds);
    if (static_cast<uint8_t>(next) == raw) return std::nullopt;
  } while (!state_.compare_exchange_weak(raw, static_cast<uint8_t>(next), std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
  if (next == Pressure::kThrottled) throttled_total_.fetch_add(1, std::memory_order_relaxed);
  if (next == Pressure::kSuspended) suspended_total_.fetch_add(1, std::memory_order_relaxed);
  return next;
}

}  // namespace tidemark
