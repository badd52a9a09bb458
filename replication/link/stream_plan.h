// Where a replica stands, and what a primary answers: the two sides of the catch-up decision.

#ifndef TIDEMARK_REPLICATION_LINK_STREAM_PLAN_H_
#define TIDEMARK_REPLICATION_LINK_STREAM_PLAN_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "replication/served_position.h"

namespace tidemark::replication {

// How far one shard's stream was followed, and the proof that it was this stream.
struct ShardPosition {
  Sequence sequence;
  uint64_t stream_digest = 0;  // Of the stream up to and including `sequence`.

  friend bool operator==(const ShardPosition&, const ShardPosition&) = default;
};

// What a replica has applied. Without data: history 0, no shards.
struct ReplicaPosition {
  HistoryId history;
  std::vector<ShardPosition> shards;  // Indexed by the primary's shard.
};

enum class CatchUpSource : uint8_t {
  kCurrent = 1,   // Nothing is missing.
  kBacklog = 2,   // The missing frames follow.
  kSnapshot = 3,  // Chunks follow, and live frames among them.
  kSegments = 4,  // The missing frames follow, from the primary's log: as kBacklog to a replica.
};

struct ShardPlan {
  CatchUpSource source = CatchUpSource::kCurrent;
  ShardPosition at;      // kSnapshot: what the chunks describe. Otherwise where the replica is.
  uint64_t entries = 0;  // kSnapshot: keys at that position.
};

// What follows Accept. Either every shard is kSnapshot or none: a transaction may span a shard with
// a snapshot and one that goes on from its frames, and until the snapshot is swapped in a reader
// would see it half.
struct StreamPlan {
  HistoryId history;
  std::vector<ShardPlan> shards;
  // Without a snapshot: the history that the replica's data is of, `history` or an ancestor of it.
  HistoryId continues = {};
  std::vector<Ancestor> ancestors = {};  // Of `history`, oldest first: the newest of them.

  bool is_snapshot() const {
    return !shards.empty() && shards.front().source == CatchUpSource::kSnapshot;
  }
  bool uses_segments() const {
    return std::any_of(shards.begin(), shards.end(), [](const ShardPlan& shard) {
      return shard.source == CatchUpSource::kSegments;
    });
  }
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_STREAM_PLAN_H_
