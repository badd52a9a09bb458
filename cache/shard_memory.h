// ShardMemory keeps one shard's keyspace within its part of the budget: it evicts a little before
// each write that needs room, and ahead of need between turns, and says when a write must be
// refused.
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

  // Whether there is a limit: otherwise nothing below does anything.
  bool limited() const { return budget_.limit_bytes() != MemoryBudget::kUnlimited; }

  // Before a write that brings about so many bytes. False: there is no room, and nothing may go to
  // make some.
  bool MakeRoom(size_t bytes);
  // Evicts ahead of need. True while there is more to do.
  bool Slice();
  // Tells the others what this shard holds. Once a turn.
  void Publish();

  // What this shard has still to give up; 0 if it is within its part.
  size_t excess_bytes() const { return Excess(0); }

 private:
  // Of one slice: a few tens of microseconds.
  static constexpr int kEvictionsPerSlice = 128;
  // Slices keep so much free: writes then find room. At most a 64th of the limit.
  static constexpr size_t kMaxHeadroomBytes = 1 << 20;

  size_t Excess(size_t headroom_bytes) const;
  // How far the sum may be above the limit while others are to give way.
  size_t PatienceBytes() const;
  // Evicts until nothing is in excess or `most` times. What the last one said; kFreed if none ran.
  Eviction Evict(size_t headroom_bytes, size_t most);

  Keyspace& keyspace_;
  MemoryBudget& budget_;
  size_t published_used_bytes_ = 0;
  size_t published_mapped_bytes_ = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_SHARD_MEMORY_H_
