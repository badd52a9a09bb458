// CutFrame gives a frame's first records as a frame of their own: where a crash ended a history
// within a frame, what lies behind was promised to nobody and must not leave the node.

#ifndef TIDEMARK_WAL_EXPORT_FRAME_CUT_H_
#define TIDEMARK_WAL_EXPORT_FRAME_CUT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/ids.h"

namespace tidemark::wal {

// The records of `frame` up to `through`; `digest` is the stream's there.
// Requires: mutations, not compressed, first_sequence() <= through < last_sequence().
// DataLoss: its records are damaged.
absl::StatusOr<FrameRef> CutFrame(const Frame& frame, Sequence through, uint64_t digest);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_FRAME_CUT_H_
