// FramesBeyond finds what a log holds above a consistent cut: parts of transactions of which
// another part is still to come, and what follows them in their shards. A log that goes on behind
// them must know them (LogBegin::beyond).
//
// Threading: blocks on the disk. Memory: the frames, which are as many as were received and could
// not be applied.

#ifndef TIDEMARK_WAL_FRAMES_BEYOND_H_
#define TIDEMARK_WAL_FRAMES_BEYOND_H_

#include <vector>

#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/ids.h"

namespace tidemark::wal {

class DataDirectory;

// The frames of `history` that end above `cut`, in the log's order. Requires: all segments are
// sealed, and nobody writes.
absl::StatusOr<std::vector<FrameRef>> FramesBeyond(const DataDirectory& directory,
                                                   HistoryId history, const Watermarks& cut);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_FRAMES_BEYOND_H_
