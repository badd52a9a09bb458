// Reclaimer empties segments that are mostly garbage: it reads one from beginning to end, asks the
// shards which records are live, writes those again as survivors, and tells the shards where they
// are now. When all have let go of the old places, the segment is empty, and SegmentStore deletes
// it.
//
// One chunk is under way at a time, small enough that a shard answers for it between two commands:
//
//   read a chunk → shards say what is live → write it again → shards say it has moved → next chunk
//
// At most `bytes_per_second` are read and written for it. A victim that cannot be emptied is given
// up: for good where its bytes are damaged (what can be read has then been moved), else until
// kReconsiderNanos have passed: for lack of room, on an error of the disk, or because a value that
// its key no longer leads to has not been freed yet.
//
// Threading: as ValueWriter, of which it is a part.

#ifndef TIDEMARK_TIER_RECLAIMER_H_
#define TIDEMARK_TIER_RECLAIMER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "base/ids.h"
#include "tier/byte_budget.h"
#include "tier/segment_store.h"
#include "tier/tier_messages.h"
#include "tier/tier_state.h"
#include "tier/writer_inbox.h"

namespace tidemark::tier {

// Runs `event` with the shard's front on the shard's thread. From one thread to one shard in order.
using PostToFront = std::function<void(ShardId shard, std::function<void(FrontEvents&)> event)>;

class Reclaimer {
 public:
  Reclaimer(SegmentStore& store, WriterInbox& inbox, TierState& state, PostToFront post,
            uint64_t bytes_per_second);

  // Takes the step that is possible, and says after how many nanoseconds the next may be, if
  // nothing kicks the inbox earlier; 0: at once; negative: none is.
  int64_t Run(int64_t now_ns);

  static constexpr size_t kChunkBytes = size_t{256} << 10;
  static constexpr size_t kChunkRecords = 512;
  static constexpr int64_t kReconsiderNanos = 10'000'000'000;

 private:
  // Asks about the next chunk of the victim. False: there is no more of it.
  bool AskNext(int64_t now_ns);
  absl::Status ReadChunk(uint64_t bytes);
  // Takes the whole records out of what was read, and moves on behind them. Returns by how many
  // bytes; 0: the first record is good as far as it goes, and longer than what was read.
  uint64_t ParseChunk();
  void AddItem(ReclaimChunk::Item item);
  void MoveLive(int64_t now_ns);
  absl::Status WriteLive(int64_t now_ns);
  // Posts the chunk to the shards of its groups.
  void Send(void (FrontEvents::*event)(ReclaimChunk::Group&));
  void EndVictim(bool for_good, int64_t now_ns);

  enum class State : uint8_t { kIdle, kScanning, kAsking, kMoving };

  SegmentStore& store_;
  WriterInbox& inbox_;
  TierState& tier_;
  const PostToFront post_;
  ByteBudget budget_;

  State state_ = State::kIdle;
  SegmentRef victim_;             // Null when idle.
  uint64_t offset_ = 0;           // Where the next chunk begins.
  uint64_t end_ = 0;              // Of the victim.
  bool damaged_ = false;          // Some of it could not be read.
  int64_t reconsider_at_ns_ = 0;  // 0: nothing was given up.
  ReclaimChunkRef chunk_;
  std::string batch_;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_RECLAIMER_H_
