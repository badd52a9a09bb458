// ConsistentCut finds how far a log may be believed when transactions span shards: each must come
// back whole or not at all.
//
//   ConsistentCut cut(base);
//   cut.Add(frame);                              // Frames of every shard, each shard's in order.
//   Watermarks durable = cut.Cut(synced);        // At or below `synced`, and splits no
//   transaction.
//
// A cut may lie inside a frame: a transaction is some of a frame's records, and what stands before
// it in the frame does not depend on it.
//
// A core, for the writer (what is durable), recovery, export and restore alike.
//
// Threading: one thread at a time. No I/O.
// Memory: one entry for each part of a transaction that is above the latest cut, pending_parts();
// whoever feeds it bounds how far the log may run ahead of the cut.

#ifndef TIDEMARK_WAL_CONSISTENT_CUT_H_
#define TIDEMARK_WAL_CONSISTENT_CUT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "base/format/frame.h"
#include "base/format/record.h"
#include "base/ids.h"

namespace tidemark::wal {

class ConsistentCut {
 public:
  // `base`, one for each shard, is a consistent cut itself: what is at or below it is whole.
  explicit ConsistentCut(Watermarks base);
  ~ConsistentCut();
  ConsistentCut(const ConsistentCut&) = delete;
  ConsistentCut& operator=(const ConsistentCut&) = delete;

  // Takes note of the transactions in a frame of mutations; looks into it only if it has
  // kFrameTransactions. What is at or below the base is passed over.
  // Requires: not compressed; its shard is one of the base's; it continues its shard's frames.
  // DataLoss: records that are damaged, or parts of a transaction that contradict each other. The
  // object is then of no further use.
  absl::Status Add(const Frame& frame);

  // The largest cut that is at or below `limit` and what was added, and splits no transaction.
  // Never below an earlier result, whatever the limit. Forgets what is at or below the result.
  // A transaction of which a participant's part was not added is above every cut.
  Watermarks Cut(std::span<const Sequence> limit);

  // The latest cut; the base before the first.
  const Watermarks& cut() const { return cut_; }
  // The last sequence added of each shard.
  const Watermarks& added() const { return added_; }
  size_t pending_parts() const { return pending_parts_; }

 private:
  struct Transaction;
  // What one shard holds of a transaction: the marker's sequence through the last record's.
  struct Part {
    uint64_t first = 0;
    uint64_t last = 0;
    Transaction* transaction = nullptr;
  };

  absl::Status AddPart(ShardId shard, const Part& part, const Record& marker);
  // Lowers `cut` below all parts of the transaction, and notes where it came down.
  void Exclude(Transaction& transaction, Watermarks& cut);
  void Forget(const Part& part);

  Watermarks cut_;
  Watermarks added_;
  std::vector<std::deque<Part>> parts_;  // By shard, ascending; all above cut_.
  absl::flat_hash_map<uint64_t, std::unique_ptr<Transaction>> transactions_;  // By id.
  absl::flat_hash_set<Transaction*> incomplete_;  // Those of which a part is still to come.
  size_t pending_parts_ = 0;

  // Within Cut() only: its number, by which excluded transactions are known; the shards of which
  // the cut has come down; how many of each shard's parts, from the front, it has not looked at.
  uint64_t call_ = 0;
  std::vector<ShardId> lowered_;
  std::vector<size_t> unexamined_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_CONSISTENT_CUT_H_
