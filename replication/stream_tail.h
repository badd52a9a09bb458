// StreamTail is the end of a shard's stream as frames: what a promoted replica brings into its own
// backlog of what it received before.

#ifndef TIDEMARK_REPLICATION_STREAM_TAIL_H_
#define TIDEMARK_REPLICATION_STREAM_TAIL_H_

#include <cstdint>
#include <vector>

#include "base/format/frame.h"
#include "base/ids.h"

namespace tidemark::replication {

struct StreamTail {
  Sequence before = {};        // The frames follow it without a gap.
  uint64_t digest_before = 0;  // Of the stream up to there.
  std::vector<FrameRef> frames = {};
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_STREAM_TAIL_H_
