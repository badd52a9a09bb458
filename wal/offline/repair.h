// PlanRepair decides what can be saved of a damaged data directory, and Repair does it. Nothing is
// thrown away: what is taken out of use goes to lost/.
//
// Two kinds of damage:
//   - in segments or snapshots that a whole newer snapshot makes unnecessary: they are set aside,
//     and no write is lost; readers of the log that were still before it are.
//   - where the log is needed: it ends at the largest consistent cut before the first damage, in
//     all shards, and a new history begins there. The rest is set aside, and `discarded` names it.
// What no snapshot and log lead up to cannot be repaired: restore a backup.
//
// Order, for a crash in between: segments go from the newest down, so that what is left has its
// first damage in the same place; the manifest comes last. Another repair then finishes it.
//
// Threading: blocks on the disk.

#ifndef TIDEMARK_WAL_OFFLINE_REPAIR_H_
#define TIDEMARK_WAL_OFFLINE_REPAIR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "wal/data_directory.h"
#include "wal/offline/cut.h"
#include "wal/offline/survey.h"
#include "wal/recovery.h"

namespace tidemark::wal {

struct RepairPlan {
  std::vector<std::string> problems;  // Empty: it is whole, and there is nothing to do.

  std::vector<uint64_t> segments_away;   // To lost/, descending.
  std::vector<uint64_t> snapshots_away;  // Likewise.
  // Where the log is cut; none: it stays as long as it is.
  std::optional<Cut> cut;
  // Sequences that are known to have been there and do not come back. Of a history whose last
  // segments are the damaged ones there may have been more: `more_unknown`.
  std::vector<DiscardedSpan> discarded;
  bool more_unknown = false;
};

// `survey` is of SurveyDepth::kEverything, of a directory that is locked.
//   FailedPrecondition  it cannot be repaired; says why
absl::StatusOr<RepairPlan> PlanRepair(const DataDirectory& directory, const Survey& survey);

// For people: a line for each thing that Repair does, and for each span that is lost.
std::vector<std::string> Describe(const RepairPlan& plan);

// `child`, random, is the history that begins at the cut.
absl::Status Repair(DataDirectory& directory, const RepairPlan& plan, HistoryId child,
                    int64_t now_ms);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_OFFLINE_REPAIR_H_
