#include "wal/snapshot_schedule.h"

#include <algorithm>

#include "base/check.h"

namespace tidemark::wal {

SnapshotSchedule::SnapshotSchedule(const Options& options, int64_t now_ms, uint64_t writes_covered)
    : options_(options), last_begun_ms_(now_ms), writes_covered_(writes_covered) {}

bool SnapshotSchedule::Due(int64_t now_ms, uint64_t writes, Pressure pressure) {
  if (running_) return false;
  if (asked_) return true;
  if (asked_gently_) return !PutOff(now_ms, pressure);
  const int64_t next_ms = failures_ > 0 ? not_before_ms_ : last_begun_ms_ + options_.every_ms;
  const bool due =
      options_.every_ms > 0 && now_ms >= next_ms && Uncovered(writes) >= options_.min_writes;
  if (!due) {
    putting_off_ = false;
    return false;
  }
  return !PutOff(now_ms, pressure);
}

bool SnapshotSchedule::PutOff(int64_t now_ms, Pressure pressure) {
  if (pressure == Pressure::kNormal) {
    putting_off_ = false;
    return false;
  }
  if (!putting_off_) {
    putting_off_ = true;
    due_since_ms_ = now_ms;
    ++deferrals_;
  }
  return now_ms - due_since_ms_ < options_.max_deferral_ms;
}

void SnapshotSchedule::OnBegun(int64_t now_ms, uint64_t writes) {
  CHECK(!running_);
  running_ = true;
  asked_ = false;
  asked_gently_ = false;
  putting_off_ = false;
  last_begun_ms_ = now_ms;
  writes_at_begin_ = writes;
}

void SnapshotSchedule::OnSucceeded() {
  CHECK(running_);
  running_ = false;
  failures_ = 0;
  writes_covered_ = writes_at_begin_;
}

void SnapshotSchedule::OnFailed(int64_t now_ms) {
  CHECK(running_);
  running_ = false;
  ++failures_;
  not_before_ms_ = now_ms + backoff_ms();
}

int64_t SnapshotSchedule::backoff_ms() const {
  if (failures_ == 0) return 0;
  // Shifted no further than the bound can be reached, or the number would overflow.
  const int doublings = std::min(failures_ - 1, 30);
  return std::min(options_.max_backoff_ms, options_.first_backoff_ms << doublings);
}

}  // namespace tidemark::wal
