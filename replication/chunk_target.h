// ChunkTarget takes one snapshot of every shard and nothing else: no live frames follow it, as they
// do to a subscriber. What it has taken is the exact state of each shard at that shard's watermark.
//
// A shard's SnapshotProducer shows it the shard's chunks in order, FIRST to LAST, and walks on only
// while it has room. An entry that is about to change before the walk has reached it cannot wait
// for room: it is `displaced`, and a target that cannot keep up with those gives up.
//
// Threading: shared by the shards, each on its own thread; see each function.

#ifndef TIDEMARK_REPLICATION_CHUNK_TARGET_H_
#define TIDEMARK_REPLICATION_CHUNK_TARGET_H_

#include <cstddef>
#include <memory>

#include "base/format/frame.h"
#include "base/ids.h"

namespace tidemark::replication {

class ChunkTarget {
 public:
  virtual ~ChunkTarget() = default;

  // False: it has given up, or nobody wants it any more. It stays so. Any thread.
  virtual bool active() const = 0;
  // Whether `shard` may walk on. When the answer is false, the shard is woken once it would be
  // true. The shard's thread.
  virtual bool HasRoom(ShardId shard) = 0;
  // The next chunk of its shard, of which the entries of `displaced_bytes` could not wait. Ignored
  // once !active(). Must not block. The shard's thread.
  //
  // `needed_through` says of a last chunk: the chunks are worth the state at the watermark only to
  // who also has the shard's mutations up to there. It is the watermark, unless the shard was
  // flushed meanwhile: the walk ended there, as nothing after the flush needs the rest.
  virtual void Take(const FrameRef& chunk, size_t displaced_bytes, Sequence needed_through) = 0;
  // The chunks will never be complete: gives up. Any thread.
  virtual void Cancel() = 0;
};

// Shared because shards and the reader of the chunks let go of it in no fixed order.
using ChunkTargetRef = std::shared_ptr<ChunkTarget>;

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_CHUNK_TARGET_H_
