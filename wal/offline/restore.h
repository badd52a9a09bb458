// CopyAtCut makes a data directory that holds another one's state at a cut: a snapshot, the
// segments after it, the last of these only as far as it is needed and sealed, and a manifest in
// which a new history begins at the cut. A node that starts from it has that state.
//
// Everything is copied, nothing linked: what damages one directory later leaves the other alone.
// The manifest comes last, so that what an interruption leaves is taken for no data directory.
// Consumers' positions are not copied: they may lie beyond the cut.
//
// Threading: blocks on the disk.

#ifndef TIDEMARK_WAL_OFFLINE_RESTORE_H_
#define TIDEMARK_WAL_OFFLINE_RESTORE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/ids.h"
#include "wal/data_directory.h"
#include "wal/log_replay.h"
#include "wal/offline/cut.h"

namespace tidemark::wal {

struct CopyOptions {
  std::string into;  // Must not exist, or be empty; the directory above must exist.
  HistoryId child;   // Random: the new history.
  int64_t now_ms = 0;
};

// Copies and checks what came out of it (CheckDirectory).
//   FailedPrecondition  `into` holds something
//   NotFound            a file has gone meanwhile: the source is pruned
//   DataLoss            the copy is damaged, so the source was
absl::Status CopyAtCut(const DataDirectory& source, const Cut& cut, const CopyOptions& options);

// Copies a segment up to the end of its whole items and seals the copy.
absl::Status CopySealed(const DataDirectory& source, uint64_t segment, const SegmentEnd& end,
                        const std::string& to, int64_t now_ms);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_OFFLINE_RESTORE_H_
