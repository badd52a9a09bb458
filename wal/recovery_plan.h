// PlanRecovery decides from what a data directory says of itself (the manifest, the headers of its
// segments, a snapshot's manifest) what is to be replayed, and refuses what cannot be one log.
//
// A core: no I/O. What only the frames can show is recovery.cc's.

#ifndef TIDEMARK_WAL_RECOVERY_PLAN_H_
#define TIDEMARK_WAL_RECOVERY_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "wal/format/segment.h"
#include "wal/manifest.h"
#include "wal/positions.h"

namespace tidemark::wal {

struct SegmentInfo {
  uint64_t number = 0;
  uint64_t file_bytes = 0;
  SegmentHeader header;
};

// What of a snapshot matters here; wal/snapshot_manifest.h has the rest.
struct SnapshotInfo {
  uint64_t number = 0;
  HistoryId history;
  Positions watermark;         // What it holds, by shard.
  Watermarks complete_at;      // A consistent cut at or above; the log was durable up to here.
  uint64_t first_segment = 0;  // Replay starts here.
};

// Segments of one history, in a row.
struct ReplayLeg {
  HistoryId history;
  size_t first = 0;  // Indices into the segments given.
  size_t count = 0;
  Positions begin;               // Before the first of these segments.
  std::optional<Positions> end;  // What is beyond is void. None: the history is open, see base.
  Positions skip_through;        // Already in the snapshot, or `begin`.
  // A consistent cut that the log reaches at least; see ConsistentCut.
  Watermarks base;
};

struct RecoveryPlan {
  std::vector<ReplayLeg> legs;  // In order.
  // Where the newest history stands if it has no segment yet: nothing was ever written in it.
  std::optional<Positions> unused_newest;
};

// Where a history's sequences begin: at its fork, if its parent had as many shards.
Positions BeginOf(const History& history);

// `segments` ascend; those below the snapshot's first are passed over. `snapshot` may be null: the
// log must then reach back to the beginning.
//   DataLoss  segments are missing, or contradict the manifest, the snapshot or each other
absl::StatusOr<RecoveryPlan> PlanRecovery(const Manifest& manifest,
                                          const std::vector<SegmentInfo>& segments,
                                          const SnapshotInfo* snapshot);

std::string SegmentName(uint64_t number);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_RECOVERY_PLAN_H_
