// FindCut finds how a data directory's log can be taken up to a moment in the past: the largest
// consistent cut at or below what is asked for, the snapshot to begin from, the segments needed.
//
// How the past is made present: the cut becomes the fork of a new history. What the parent's log
// holds beyond its child's fork is void by the rules of every reader (wal/manifest.h), so that a
// restore copies files and writes one manifest, and never rewrites a frame.
//
// Threading: blocks on the disk. Changes nothing.

#ifndef TIDEMARK_WAL_OFFLINE_CUT_H_
#define TIDEMARK_WAL_OFFLINE_CUT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "wal/data_directory.h"
#include "wal/log_replay.h"
#include "wal/manifest.h"
#include "wal/offline/survey.h"
#include "wal/positions.h"

namespace tidemark::wal {

struct Cut {
  HistoryId history;
  Positions positions;         // Consistent: no transaction lies on both sides.
  uint64_t snapshot = 0;       // Where a recovery begins; 0: with an empty table.
  uint64_t first_segment = 0;  // To replay, all through last_segment; 0: none.
  uint64_t last_segment = 0;
  SegmentEnd last;  // How much of last_segment is needed.
};

// `target`: a sequence for each shard of `history`. What is beyond the history's end is as if it
// asked for the end.
//   NotFound            a history that the manifest does not know
//   InvalidArgument     not as many sequences as the history has shards
//   FailedPrecondition  the snapshots are all newer, and the log does not reach back so far
//   DataLoss            what would be needed is damaged or missing
absl::StatusOr<Cut> FindCut(const DataDirectory& directory, const Survey& survey, HistoryId history,
                            const Watermarks& target);
// From that snapshot and no other; null: from the beginning of the log.
absl::StatusOr<Cut> FindCutFrom(const DataDirectory& directory, const Survey& survey,
                                HistoryId history, const Watermarks& target,
                                const SnapshotManifest* snapshot);

// The moment as a target: for each shard what was sealed before anything that was sealed later than
// `time_ms` (unix time). The history is the newest that was born by then.
struct Target {
  HistoryId history;
  Watermarks sequences;
};
absl::StatusOr<Target> TargetAt(const DataDirectory& directory, const Survey& survey,
                                int64_t time_ms);

// The manifest of a directory in which `cut` is the present: histories after the cut's are
// forgotten, and `child` begins at it.
Manifest ManifestAt(const Manifest& manifest, const Cut& cut, HistoryId child, int64_t now_ms);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_OFFLINE_CUT_H_
