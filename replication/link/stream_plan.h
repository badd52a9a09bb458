// Where a replica stands, and what a primary answers: the two sides of the catch-up decision.

#ifndef TIDEMARK_REPLICATION_LINK_STREAM_PLAN_H_
#define TIDEMARK_REPLICATION_LINK_STREAM_PLAN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/served_position.h"

namespace tidemark::replication {

// The longest way of a stream, from the primary through replicas that serve replicas.
inline constexpr size_t kMaxPathNodes = 16;

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
  // Shards of which a frame has shown that what is here is of another stream; mostly none.
  std::vector<ShardId> diverged = {};

  friend bool operator==(const ReplicaPosition&, const ReplicaPosition&) = default;
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
  // Not kSnapshot, in a mixed plan: how far this shard was when the others' snapshots began.
  ShardPosition cut = {};
  bool diverged = false;  // kSnapshot: what the replica had is of another stream.

  bool is_snapshot() const { return source == CatchUpSource::kSnapshot; }
};

// Up to where the stream of `from` is that of the history which has these ancestors, oldest first:
// the least of the forks on the way from there. None: it is not among them.
inline std::optional<Watermarks> ForkFrom(const std::vector<Ancestor>& ancestors, HistoryId from) {
  std::optional<Watermarks> fork;
  for (const Ancestor& ancestor : ancestors) {
    if (!fork && ancestor.history != from) continue;
    if (!fork) fork = ancestor.fork;
    for (size_t i = 0; i < fork->size(); ++i) (*fork)[i] = std::min((*fork)[i], ancestor.fork[i]);
  }
  return fork;
}

// What follows Accept. In a mixed plan some shards get a snapshot and the others go on with what
// the replica has; nobody sees anything of either before all of it is there.
struct StreamPlan {
  HistoryId history;
  std::vector<ShardPlan> shards;
  // Where a shard goes on: the history that the replica's data is of, `history` or an ancestor.
  HistoryId continues = {};
  std::vector<Ancestor> ancestors = {};  // Of `history`, oldest first: the newest of them.
  // Node ids: the sender of the stream, whom it follows, and so on to the primary. Empty: not said.
  std::vector<std::string> path = {};

  // Up to where the stream of `from`, an ancestor, is this one's: the least of the forks on the way
  // from there. None: it is not among `ancestors`.
  std::optional<Watermarks> ForkFrom(HistoryId from) const {
    return replication::ForkFrom(ancestors, from);
  }
  // Of one shard at least.
  bool is_snapshot() const { return snapshots() > 0; }
  bool is_mixed() const { return is_snapshot() && snapshots() < shards.size(); }
  size_t snapshots() const {
    return static_cast<size_t>(std::count_if(
        shards.begin(), shards.end(), [](const ShardPlan& shard) { return shard.is_snapshot(); }));
  }
  bool uses_segments() const {
    return std::any_of(shards.begin(), shards.end(), [](const ShardPlan& shard) {
      return shard.source == CatchUpSource::kSegments;
    });
  }
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_STREAM_PLAN_H_
