// ValueTier is the disk tier of a node: a value log in a directory of its own, the threads that
// write and read it, and a TierFront for each shard.
//
//   auto tier = ValueTier::Open(disk, "/ssd/tier", options, post);
//   (*tier)->front(shard).Attach(owner);           // For each shard, before it runs.
//   ...
//   (*tier)->Stop();                               // While the shards still run, or after.
//   ... the shards end, and drop what was posted to them ...
//   tier->reset();
//
// L2 is a cache of cold data, not durability: opening the directory deletes the segments that an
// earlier process left there. What they held comes back from the log or from the primary. Files
// that are not the tier's own are left alone.
//
// The disk may fail while the node runs, and the node stays up: what cannot be written stays in
// RAM, what cannot be read is an error of that value alone. Layout: docs/formats/value_log.md; how
// it behaves, bound by bound: docs/tiers.md.
//
// Threads: one writes, compresses and reclaims ("tier-writer"), Options::readers read
// ("tier-reader"). None of them is ever waited for by a shard.
//
// Threading: Open(), Stop() and the destructor on one thread; stats() on any; a front as it says.
// Ownership: owns the fronts and the threads; borrows the disk.

#ifndef TIDEMARK_TIER_VALUE_TIER_H_
#define TIDEMARK_TIER_VALUE_TIER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/backpressure.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/metrics/latency_histogram.h"
#include "tier/tier_front.h"
#include "wal/disk/disk.h"

namespace tidemark::tier {

// Runs `task` on the shard's thread, soon; tasks that one thread posts to one shard run in their
// order. Any thread. Never blocks.
using PostToShard = std::function<void(ShardId shard, std::function<void()> task)>;

struct TierOptions {
  int shards = 1;
  uint64_t max_bytes = uint64_t{4} << 30;  // --tier_bytes: of all segments' files together.
  uint64_t segment_bytes = 0;              // 0: chosen by max_bytes; see SegmentBytesFor().
  bool compress = false;                   // zstd, where it pays.

  // Values that wait to be written; beyond it Write() answers kBusy.
  size_t max_queued_write_bytes = size_t{16} << 20;
  size_t write_batch_bytes = size_t{256} << 10;
  // What is said to be written has reached the disk, so that a disk that fails is noticed while the
  // values are still in RAM.
  bool sync_writes = true;

  size_t readers = 8;                   // Threads; docs/decisions/0009-cold-reads.md.
  size_t max_queued_reads = 16 * 1024;  // Of all shards together.

  uint64_t demote_bytes_per_second = uint64_t{64} << 20;   // 0: no limit.
  uint64_t reclaim_bytes_per_second = uint64_t{64} << 20;  // Read and written; 0: no limit.
  // A key is admitted at its second attempt only; see DemotionAdmission.
  bool admit_on_second_try = false;

  const Clock* clock = &Clock::System();  // Borrowed.
};

// Sums over all shards. Each number is whole; together they may be a step apart.
struct TierStats {
  // --- What there is now. ---
  uint64_t max_bytes = 0;
  uint64_t file_bytes = 0;  // Of all segments, the pinned ones and the reserved space with them.
  uint64_t live_bytes = 0;  // Of records that an entry points to.
  uint64_t live_values = 0;
  uint64_t garbage_bytes = 0;       // Records that nobody points to, in segments not yet deleted.
  uint64_t reclaim_debt_bytes = 0;  // Live bytes of segments that are due to be reclaimed.
  uint64_t segments = 0;
  uint64_t damaged_segments = 0;  // Reclaim could not read them to the end.
  uint64_t queued_write_bytes = 0;
  uint64_t queued_reads = 0;
  Pressure write_pressure = Pressure::kNormal;
  Pressure read_pressure = Pressure::kNormal;
  bool full = false;  // Demotions are refused for lack of room.
  bool down = false;  // Demotions are refused because the disk refuses writes.

  // --- Since the start. ---
  uint64_t demotions_queued = 0;
  uint64_t demotions_written = 0;  // And taken by their entries.
  uint64_t demotions_stale = 0;    // Written, but the entry had changed.
  uint64_t demotions_failed = 0;   // Not written; the value stayed in RAM.
  uint64_t refused_not_admitted = 0;
  uint64_t refused_busy = 0;
  uint64_t refused_full = 0;
  uint64_t refused_too_large = 0;
  uint64_t refused_down = 0;
  uint64_t raw_bytes = 0;            // Of demoted values,
  uint64_t stored_bytes = 0;         // and what they took as stored.
  uint64_t written_bytes = 0;        // All of it, reclaim and headers too.
  uint64_t writes = 0;               // Batches.
  uint64_t reads = 0;                // Asked for by shards.
  uint64_t reads_shared = 0;         // Of those: joined one under way.
  uint64_t reads_cached = 0;         // Of those: from the page cache, by the shard itself.
  uint64_t reads_not_cached = 0;     // Times that it looked there in vain,
  uint64_t reads_cached_passed = 0;  // and that a bound kept it from looking.
  uint64_t reads_refused = 0;        // Of those: too many under way.
  uint64_t reads_now = 0;            // By ReadNow().
  uint64_t read_bytes = 0;
  uint64_t reclaimed_segments = 0;
  uint64_t reclaimed_bytes = 0;  // Moved, because they were live.
  // Errors by kind.
  uint64_t write_errors = 0;  // Of the disk, other than
  uint64_t disk_full = 0;     // no space.
  uint64_t read_errors = 0;   // Of the disk, other than
  uint64_t damaged = 0;       // bytes that are not what was written.
  uint64_t missing = 0;       // Reads of what had been freed.

  LatencySnapshot read_latency = {};  // From a shard's Read() to the bytes; queueing included.
};

// What a segment's file may take where nobody says otherwise: a 64th of the whole, between 1 MiB
// and 1 GiB.
uint64_t SegmentBytesFor(uint64_t max_bytes);

class ValueTier {
 public:
  // Makes the directory if it is absent (the one above must exist), takes its lock, deletes the
  // segments that are there, and starts the threads.
  //   FailedPrecondition  another process holds the directory
  //   InvalidArgument     max_bytes has no room for eight segments
  // and the errors of wal::Disk.
  static absl::StatusOr<std::unique_ptr<ValueTier>> Open(wal::Disk& disk,
                                                         const std::string& directory,
                                                         const TierOptions& options,
                                                         PostToShard post);
  // Stops it, if nobody has. Requires: nothing that it posted will run any more.
  virtual ~ValueTier() = default;

  virtual TierFront& front(ShardId shard) = 0;
  virtual TierStats stats() const = 0;

  // Ends the threads and returns when they have ended. Reads that wait are answered with Cancelled;
  // writes that wait are not answered: their values are in RAM. Afterwards fronts refuse reads and
  // writes, and the rest does nothing. Twice is fine.
  virtual void Stop() = 0;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_VALUE_TIER_H_
