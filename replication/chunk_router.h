// ChunkRouter makes a snapshot of the primary's shards out of chunks of this node's: entries go by
// their keys to the shard that owns them there, whatever the two numbers of shards.
//
//   ChunkRouter router({.history = h, .shards = positions_at_the_cut, .own_shards = n});
//   for each chunk of each own shard, in order within a shard:
//     router.Add(chunk, [&](FrameRef routed) { ... });    // FIRST to LAST, of each shard.
//
// Memory: one open chunk for each of the primary's shards.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_REPLICATION_CHUNK_ROUTER_H_
#define TIDEMARK_REPLICATION_CHUNK_ROUTER_H_

#include <cstddef>
#include <deque>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "replication/link/stream_plan.h"
#include "replication/snapshot_encoder.h"

namespace tidemark::replication {

class ChunkRouter {
 public:
  struct Options {
    ReplicaPosition at;  // What the chunks together describe.
    int own_shards = 1;
    size_t chunk_bytes = 32 << 10;  // A chunk leaves once it has this much.
    int64_t now_ms = 0;             // Wall time, for the chunks' headers.
  };
  explicit ChunkRouter(const Options& options);

  using Sink = absl::FunctionRef<absl::Status(FrameRef)>;
  // DataLoss: the chunk's records are damaged. Other errors are the sink's.
  absl::Status Add(const Frame& chunk, Sink sink);

  // Every own shard's last chunk was added: every shard's last was given.
  bool complete() const { return own_shards_left_ == 0; }

 private:
  const Options options_;
  std::deque<SnapshotEncoder> encoders_;  // By the primary's shard.
  int own_shards_left_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_CHUNK_ROUTER_H_
