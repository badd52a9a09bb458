// SnapshotEncoder turns entries into snapshot chunk frames.
//
// Threading: confined to its shard's thread.

#ifndef TIDEMARK_REPLICATION_SNAPSHOT_ENCODER_H_
#define TIDEMARK_REPLICATION_SNAPSHOT_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/expiry.h"
#include "base/format/frame.h"
#include "base/format/open_frame.h"
#include "base/ids.h"

namespace tidemark::replication {

// Where a snapshot stands in its shard's stream: it holds the effects of everything up to
// `watermark`.
struct SnapshotOrigin {
  HistoryId history = {};
  ShardId shard = {};
  uint16_t shard_count = 1;
  Sequence watermark = {};
  uint64_t digest = 0;  // The stream's at the watermark.
};

class SnapshotEncoder {
 public:
  explicit SnapshotEncoder(const SnapshotOrigin& origin) : origin_(origin) {}

  // Adds one entry to the open chunk. Requires: lengths within base/format/record.h's limits, and
  // less than 128 MiB in the open chunk so far.
  void Add(std::string_view key, std::string_view value, const Expiry& expiry);

  size_t open_bytes() const { return open_.payload_bytes(); }
  uint32_t open_entries() const { return open_entries_; }
  // In all chunks.
  uint64_t entries() const { return entries_; }
  uint64_t bytes() const { return bytes_; }
  const SnapshotOrigin& origin() const { return origin_; }

  enum class Place { kMore, kLast };
  // The open chunk, which may be empty if it is the last.
  FrameRef TakeChunk(Place place, int64_t now_ms);

 private:
  const SnapshotOrigin origin_;
  OpenFrame open_;
  uint32_t open_entries_ = 0;
  uint64_t entries_ = 0;
  uint64_t bytes_ = 0;
  bool any_taken_ = false;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SNAPSHOT_ENCODER_H_
