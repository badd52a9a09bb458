// SnapshotEncoder turns the entries that a walk shows into snapshot chunk frames.
//
// Threading: confined to its shard's thread.

#ifndef TIDEMARK_REPLICATION_SNAPSHOT_ENCODER_H_
#define TIDEMARK_REPLICATION_SNAPSHOT_ENCODER_H_

#include <cstddef>
#include <cstdint>

#include "base/format/frame.h"
#include "base/format/open_frame.h"
#include "base/ids.h"
#include "cache/entry.h"
#include "cache/keyspace.h"

namespace tidemark::replication {

// Where a snapshot stands in its shard's stream: it holds the effects of everything up to
// `watermark`.
struct SnapshotOrigin {
  HistoryId history;
  ShardId shard;
  uint16_t shard_count = 1;
  Sequence watermark;
  uint64_t digest = 0;  // The stream's at the watermark.
};

class SnapshotEncoder final : public cache::WalkVisitor {
 public:
  explicit SnapshotEncoder(const SnapshotOrigin& origin) : origin_(origin) {}

  // Adds one entry to the open chunk. A chunk ends between entries, so one large entry makes a
  // large chunk.
  void OnEntry(const cache::Entry& entry) override;

  size_t open_bytes() const { return open_.payload_bytes(); }
  uint32_t open_entries() const { return open_entries_; }
  uint64_t entries() const { return entries_; }  // In all chunks.
  // An entry did not fit a frame: the snapshot cannot be completed.
  bool failed() const { return failed_; }

  // The open chunk, which may be empty, marked as the shard's first if it is; `flags` is 0 or
  // kFrameLast.
  FrameRef TakeChunk(uint16_t flags, int64_t now_ms);

 private:
  const SnapshotOrigin origin_;
  OpenFrame open_;
  uint32_t open_entries_ = 0;
  uint64_t entries_ = 0;
  bool any_chunk_ = false;
  bool failed_ = false;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SNAPSHOT_ENCODER_H_
