// Where a replica stands, and what a primary answers: the two sides of the catch-up decision.

#ifndef TIDEMARK_REPLICATION_LINK_STREAM_PLAN_H_
#define TIDEMARK_REPLICATION_LINK_STREAM_PLAN_H_

#include <cstdint>
#include <vector>

#include "base/ids.h"

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

// A history whose stream is, up to `fork` of each shard, a prefix of the one that descends from it.
struct Ancestor {
  HistoryId history;
  Watermarks fork;

  friend bool operator==(const Ancestor&, const Ancestor&) = default;
};

enum class CatchUpSource : uint8_t {
  kCurrent = 1,   // Nothing is missing.
  kBacklog = 2,   // The missing frames follow.
  kSnapshot = 3,  // Chunks follow, and live frames among them.
};

struct ShardPlan {
  CatchUpSource source = CatchUpSource::kCurrent;
  ShardPosition at;      // kSnapshot: what the chunks describe. Otherwise where the replica is.
  uint64_t entries = 0;  // kSnapshot: keys at that position.
};

// What follows Accept. Either every shard is kSnapshot or none.
struct StreamPlan {
  HistoryId history;
  std::vector<ShardPlan> shards;
  // Without a snapshot: the history that the replica's data is of, `history` or an ancestor of it.
  HistoryId continues = {};
  // Of `history`, oldest first, as far as the primary names them. On the replica's side.
  std::vector<Ancestor> ancestors = {};

  bool is_snapshot() const {
    return !shards.empty() && shards.front().source == CatchUpSource::kSnapshot;
  }
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_STREAM_PLAN_H_
