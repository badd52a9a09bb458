// ShardLog is one shard's door to the log.
//
//   door.Append(frame);            // Each frame that the shard seals.
//   door.OnTurnEnd();              // Once a turn: wakes the log thread if need be.
//   door.NotifyWhenDurable();      // Replies wait for `durable`: have the shard woken when it
//   moves. if (log.durable(shard) >= ...) // Look once more: it may have moved before the call.
//
// Nothing blocks and nothing fails here: a full ring spills into a queue of the shard's own, in
// order. What bounds both is admission: utilisation_percent() feeds the node's backpressure, which
// holds writes back long before memory is at stake.
//
// Threading: the shard's thread, but for utilisation_percent(); the log thread takes from the other
// side (Log).

#ifndef TIDEMARK_WAL_SHARD_LOG_H_
#define TIDEMARK_WAL_SHARD_LOG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

#include "base/cache_line.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "base/spsc_ring.h"

namespace tidemark::wal {

class ShardLog {
 public:
  // `wake_log` wakes the log thread if it sleeps. `max_bytes`: what counts as full.
  ShardLog(ShardId shard, size_t max_bytes, std::function<void()> wake_log);

  // Requires: `frame` starts right after the one before it. Not compressed.
  void Append(FrameRef frame);
  // Pushes what spilled, and wakes the log thread if anything was pushed since the last call.
  void OnTurnEnd();
  // The mutations up to `through` that were not appended never will be. The log fails: after a hole
  // nothing can be durable.
  void OnHole(Sequence through);

  // Bytes taken and not yet written, of max_bytes; may exceed 100. Any thread.
  int utilisation_percent() const;
  size_t queued_bytes() const;  // Any thread.

  // Replies of this shard wait for some shard's durable: wake this shard at the next move, or when
  // the log's state changes. Once for each call.
  void NotifyWhenDurable();

  ShardId shard() const { return shard_; }

 private:
  friend class Log;

  // --- The log thread ---
  bool TryTake(FrameRef& frame) { return ring_.TryPop(frame); }
  bool HasWork() const {
    return ring_.size_approx() > 0 || hole_.load(std::memory_order_acquire) != 0;
  }
  // The highest sequence that is lost; 0: none. Forgets it.
  Sequence TakeHole() { return Sequence(hole_.exchange(0, std::memory_order_acquire)); }
  // So many bytes have left the log's queue since the beginning.
  void OnDone(uint64_t bytes) { written_bytes_.store(bytes, std::memory_order_release); }
  // Both after a fence that follows the move, or the making of room.
  // Whether the shard asked to be woken when durable moves; forgets it.
  bool TakeNotice();
  // Whether the shard holds frames that had no room, and there is room now; forgets it.
  bool TakeSpilled();
  // What spilled, once the shard's thread has stopped appending for good.
  std::deque<FrameRef> TakeSpill() { return std::exchange(spill_, {}); }

  void PushSpill();  // As far as there is room.

  static constexpr size_t kRingFrames = 4096;

  const ShardId shard_;
  const size_t max_bytes_;
  const std::function<void()> wake_log_;
  SpscRing<FrameRef> ring_{kRingFrames};

  // The shard's.
  std::deque<FrameRef> spill_;
  bool pushed_ = false;  // Since the log thread was last woken.
  std::atomic<uint64_t> appended_bytes_{0};

  // The log thread's, on a line of its own.
  alignas(kCacheLineBytes) std::atomic<uint64_t> written_bytes_{0};

  // Set by the shard, taken by the log thread.
  alignas(kCacheLineBytes) std::atomic<bool> wants_notice_{false};
  std::atomic<bool> spilled_{false};
  std::atomic<uint64_t> hole_{0};
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_SHARD_LOG_H_
