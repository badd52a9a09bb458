// A place in a stream, as the log names it and as the link does.

#ifndef TIDEMARK_SERVER_STREAM_POSITIONS_H_
#define TIDEMARK_SERVER_STREAM_POSITIONS_H_

#include <vector>

#include "replication/link/stream_plan.h"
#include "wal/positions.h"

namespace tidemark::server {

inline wal::ShardPosition LogPositionOf(const replication::ShardPosition& at) {
  return {.sequence = at.sequence, .digest = at.stream_digest};
}

inline wal::Positions LogPositionsOf(const std::vector<replication::ShardPosition>& shards) {
  wal::Positions positions;
  for (const replication::ShardPosition& at : shards) positions.push_back(LogPositionOf(at));
  return positions;
}

inline replication::ShardPosition LinkPositionOf(const wal::ShardPosition& at) {
  return {.sequence = at.sequence, .stream_digest = at.digest};
}

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_STREAM_POSITIONS_H_
