// The log's numbers: how far each shard's stream has come, and where in the log a thing is.

#ifndef TIDEMARK_WAL_POSITIONS_H_
#define TIDEMARK_WAL_POSITIONS_H_

#include <compare>
#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace tidemark::wal {

// Which data directory a file belongs to: random, made once, in every segment and snapshot, so that
// a file from elsewhere is noticed. Not a secret, but no client learns it. 0 means "none yet".
using DirectoryId = StrongId<struct DirectoryTag, uint64_t>;

// A place in one shard's stream: its last mutation so far, and the stream's digest there.
struct ShardPosition {
  Sequence sequence;
  uint64_t digest = 0;

  friend bool operator==(const ShardPosition&, const ShardPosition&) = default;
};

// Indexed by shard. The shards are those of one history.
using Positions = std::vector<ShardPosition>;

inline Watermarks SequencesOf(const Positions& positions) {
  Watermarks sequences;
  sequences.reserve(positions.size());
  for (const ShardPosition& position : positions) sequences.push_back(position.sequence);
  return sequences;
}

// Where an item of the log begins; {0, 0} is before everything, since segments count from 1.
struct LogPosition {
  uint64_t segment = 0;
  uint64_t offset = 0;  // Bytes from the beginning of the segment.

  friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_POSITIONS_H_
