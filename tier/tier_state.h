// TierState is what the tier's writer tells everyone: whether demotions are welcome, and what it
// has done.
//
// Threading: written by the writer's thread, read by any.

#ifndef TIDEMARK_TIER_TIER_STATE_H_
#define TIDEMARK_TIER_TIER_STATE_H_

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "base/metrics/metrics.h"

namespace tidemark::tier {

struct TierState {
  std::atomic<bool> full{false};     // No room for demotions.
  std::atomic<bool> down{false};     // The disk refused a write a moment ago.
  std::atomic<bool> stopped{false};  // By ValueTier::Stop().

  // The writer's counters.
  Counter raw_bytes;
  Counter stored_bytes;
  Counter written_bytes;
  Counter writes;
  Counter reclaimed_segments;
  Counter reclaimed_bytes;
  Counter write_errors;
  Counter disk_full;
  Counter reclaim_read_errors;
  Counter reclaim_damaged;

  void CountWriteError(const absl::Status& status) {
    (absl::IsResourceExhausted(status) ? disk_full : write_errors).Add();
  }
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_TIER_STATE_H_
