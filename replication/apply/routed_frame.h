// RoutedFrame is one frame of the primary as this node's shards need it: whole, where it all
// belongs to one of them, or taken apart by the key of each record.
//
// The two nodes may have different numbers of shards. With equal numbers, or with one shard here, a
// frame goes whole to its shard; the link thread then looks into it only for what concerns several
// shards.

#ifndef TIDEMARK_REPLICATION_APPLY_ROUTED_FRAME_H_
#define TIDEMARK_REPLICATION_APPLY_ROUTED_FRAME_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/expiry.h"
#include "base/format/frame.h"
#include "base/format/record.h"
#include "base/ids.h"

namespace tidemark::replication {

// One record for one shard of ours. The views point into its frame.
struct RoutedRecord {
  RecordOp op;  // kSet, kDelete, kExpire or kSetRange.
  uint64_t key_hash;
  std::string_view key;
  std::string_view value;
  Expiry expiry;    // kSet, kExpire.
  uint64_t offset;  // kSetRange.
};

// A transaction with parts on several of the primary's shards, one of them in this frame.
struct TransactionPart {
  uint64_t id;
  std::vector<ShardId> participants;
};

struct RoutedFrame {
  FrameRef frame;
  Sequence skip_through;  // Records at or below were received before.

  // Set: all of the frame is for this shard, and `phases` is empty.
  std::optional<ShardId> whole_to;
  // Otherwise: phases[k][s] is what shard s applies after the frame's k-th Flush and before the
  // next. A frame without Flush has one phase.
  std::vector<std::vector<std::vector<RoutedRecord>>> phases;

  std::vector<TransactionPart> transactions;
  // A change that must be seen whole touches several of our shards: apply it at a cut.
  bool needs_cut = false;
  // Of a mixed plan: the snapshots of other shards were taken after it (Applier).
  bool below_cut = false;
};

// Requires: frame->shard() < frame->shard_count() and the frame is not compressed.
// DataLoss: a record is damaged, or a transaction names shards that it cannot.
absl::StatusOr<RoutedFrame> RouteFrame(FrameRef frame, Sequence skip_through, int own_shards);

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_APPLY_ROUTED_FRAME_H_
