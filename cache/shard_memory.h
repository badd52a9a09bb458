// ShardMemory keeps one shard's keyspace within its part of the budget: it evicts a little before
// each write that needs room, and ahead of need between turns, and says when a write must wait, and
// when it must be refused.
//
// With a tier below (VictimTaker) room comes at the pace of its disk. While the tier has all that
// it can take, and more must go, waits_for_tier() says so; whoever offers commands then keeps
// writes back until it is over. Writes that were on their way by then are taken all the same, up to
// PassingBytes() above the limit. A tier that is full, fails or stands still is not waited for: it
// wants nothing, so nothing may go.
//
// No call takes long. A write evicts at least what it brings (unless it brings more than
// kMaxEvictionsPerWrite entries' worth), so that the keyspace cannot run away from the limit;
// Slice() does the rest, between turns.
//
// A core. Threading: confined to the shard's thread.

#ifndef TIDEMARK_CACHE_SHARD_MEMORY_H_
#define TIDEMARK_CACHE_SHARD_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include "cache/keyspace.h"
#include "cache/memory_budget.h"

namespace tidemark::cache {

class ShardMemory {
 public:
  static constexpr size_t kMaxEvictionsPerWrite = 4096;

  // Both are borrowed.
  ShardMemory(Keyspace& keyspace, MemoryBudget& budget) : keyspace_(keyspace), budget_(budget) {}
  ~ShardMemory() { EndWait(); }
  ShardMemory(const ShardMemory&) = delete;
  ShardMemory& operator=(const ShardMemory&) = delete;

  // Whether there is a limit: otherwise nothing below does anything.
  bool limited() const { return budget_.limit_bytes() != MemoryBudget::kUnlimited; }

  // Before a write that brings about so many bytes. False: there is no room, and nothing may go to
  // make some.
  bool MakeRoom(size_t bytes);
  // Evicts ahead of need. True while there is more to do, or a wait is over and somebody should be
  // told.
  bool Slice();
  // Tells the others what this shard holds. Once a turn.
  void Publish();

  // What this shard has still to give up; 0 if it is within its part.
  size_t excess_bytes() const { return Excess(0); }

  // Whether room for writes comes as soon as the tier has written something. The budget knows, too.
  bool waits_for_tier() const { return waits_; }
  // How often that has ended.
  uint64_t waits_ended() const { return waits_ended_; }
  // There is no limit any more, or no more turns: nobody must wait for this shard.
  void EndWait() { SetWaits(false); }

 private:
  // Of one slice: a few tens of microseconds.
  static constexpr int kEvictionsPerSlice = 128;
  // Slices keep so much free: writes then find room. At most a 64th of the limit.
  static constexpr size_t kMaxHeadroomBytes = 1 << 20;
  // What a tier may hold of values that it writes (tier::TierOptions::max_queued_write_bytes).
  static constexpr size_t kCopiedBytes = 16 << 20;

  size_t Excess(size_t headroom_bytes) const;
  // By the keyspace and the one beside it.
  size_t HeldBytes() const;
  // How far the sum may be above the limit while others are to give way.
  size_t PatienceBytes() const;
  // The same while writes are kept back, which stops those to come and not those under way. The
  // limit itself may have dropped by as much as a tier copies, a moment after it was copied.
  size_t PassingBytes() const { return budget_.limit_bytes() / 8 + kCopiedBytes; }
  // Evicts until nothing is in excess or `most` times. What the last one said; kFreed if none ran.
  Eviction Evict(size_t headroom_bytes, size_t most);
  void SetWaits(bool waits);

  Keyspace& keyspace_;
  MemoryBudget& budget_;
  size_t published_used_bytes_ = 0;
  size_t published_mapped_bytes_ = 0;
  bool waits_ = false;
  uint64_t waits_ended_ = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_SHARD_MEMORY_H_
