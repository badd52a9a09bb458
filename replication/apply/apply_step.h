// ApplyStep is one thing for this node's shards to do together, decided by the Applier and carried
// out by a ShardApplier on each shard's thread.

#ifndef TIDEMARK_REPLICATION_APPLY_APPLY_STEP_H_
#define TIDEMARK_REPLICATION_APPLY_APPLY_STEP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "replication/apply/routed_frame.h"

namespace tidemark::replication {

// Part of what one shard applies, in order.
struct SlicePart {
  enum class What : uint8_t {
    kFrame,    // All of `frame` above `skip_through`.
    kRecords,  // `records`, which point into `frame`.
    kFlush,    // Delete every key of this shard.
    // In staging: delete the keys of the primary's shards that are kept (ApplyStep::kept). Those of
    // the others came with a snapshot that was taken later.
    kFlushKept,
  };
  What what = What::kFrame;
  FrameRef frame;
  Sequence skip_through;
  std::vector<RoutedRecord> records;
};

struct Slice {
  ShardId shard;
  std::vector<SlicePart> parts;
};

struct ApplyStep {
  enum class Kind : uint8_t {
    kApply,         // Each slice, on its shard.
    kBeginStaging,  // Every shard: a new, empty staging keyspace.
    kKeepSome,      // Every shard: a slice of copying into it the keys of the shards in `kept`.
    kSwapIn,        // Every shard: staging becomes what is served.
    kDropStaging,   // Every shard: forget it.
  };
  uint64_t id = 0;
  Kind kind = Kind::kApply;
  bool to_staging = false;    // kApply: instead of what is served.
  bool at_cut = false;        // On all shards at one cut. Nothing else is under way then.
  std::vector<Slice> slices;  // kApply; at most one a shard, shards without work left out.
  // kBeginStaging, of a mixed plan: by the primary's shard, whether staging goes on from what is
  // served. Otherwise empty.
  std::vector<bool> kept;
  size_t keep_entries = 0;  // kKeepSome: about so many.
};

// What a shard reports of its part of a step.
struct StepResult {
  absl::Status status;   // DataLoss: a record was damaged. What was before it is applied.
  uint64_t records = 0;  // Applied.
  uint64_t keys = 0;     // Held by the shard afterwards, in what is served.
  bool more = false;     // kKeepSome: not all is copied yet.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_APPLY_APPLY_STEP_H_
