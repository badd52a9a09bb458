// Where a shard's stream stands at a sequence inside a frame: a consistent cut, and a snapshot's
// watermark, may lie anywhere, while frames carry the digest of their end only.

#ifndef TIDEMARK_WAL_STREAM_POSITION_H_
#define TIDEMARK_WAL_STREAM_POSITION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/positions.h"

namespace tidemark::wal {

// The position after the record of `sequence`: `digest_before` carried over the payload up to
// there. With the frame's last sequence, the frame's own digest. Requires: mutations, not
// compressed; first_sequence() <= sequence <= last_sequence(). DataLoss: a record before is
// damaged.
absl::StatusOr<ShardPosition> PositionWithin(const Frame& frame, uint64_t digest_before,
                                             Sequence sequence);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_STREAM_POSITION_H_
