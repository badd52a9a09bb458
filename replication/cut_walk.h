// CutWalk shows one shard's part of a snapshot of a replica: the keyspace exactly as it was when
// the walk began, which is on all shards at one cut. Its chunks carry neither history nor
// watermark: the stream's shards are not this node's, and ChunkRouter, which knows where the cut
// was, makes those that are stored.
//
// Cut short, it cancels the queue: when a full sync replaced what it walked.
//
// Memory: one open chunk, and what the queue holds. It walks on only while the queue has room.
//
// Threading: confined to its shard's thread.

#ifndef TIDEMARK_REPLICATION_CUT_WALK_H_
#define TIDEMARK_REPLICATION_CUT_WALK_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "base/ids.h"
#include "cache/keyspace.h"
#include "replication/chunk_queue.h"
#include "replication/snapshot_encoder.h"

namespace tidemark::replication {

class CutWalk final : private cache::WalkVisitor {
 public:
  // Borrows `keyspace`, for its life.
  CutWalk(ShardId shard, cache::Keyspace* keyspace) : shard_(shard), keyspace_(keyspace) {}
  // Ends a walk under way.
  ~CutWalk() override;
  CutWalk(const CutWalk&) = delete;
  CutWalk& operator=(const CutWalk&) = delete;

  // Begins the walk whose chunks go to `queue`. False: another walk is under way on the keyspace,
  // and nothing was begun.
  bool Begin(std::shared_ptr<ChunkQueue> queue);
  // A slice of background work; true while there is more to do now. Between commands only.
  bool DoSlice();

 private:
  void OnEntry(const cache::Entry& entry) override;
  void OnUnreadable(const cache::Entry& entry, const absl::Status& why) override;
  void SendChunk(SnapshotEncoder::Place place);
  void End();

  const ShardId shard_;
  cache::Keyspace* const keyspace_;
  std::shared_ptr<ChunkQueue> queue_;  // Null: no walk.
  std::optional<SnapshotEncoder> encoder_;
  bool in_slice_ = false;
  size_t displaced_bytes_ = 0;  // In the open chunk, of entries that were about to change.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_CUT_WALK_H_
