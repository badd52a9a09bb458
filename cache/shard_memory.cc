#include "cache/shard_memory.h"

#include <algorithm>

namespace tidemark::cache {
namespace {

// No entry takes less, with its place in the table: so many bytes are free once one is gone.
constexpr size_t kSmallestEntryBytes = 32;
// Each write makes some progress, whatever it brings.
constexpr size_t kLeastEvictionsPerWrite = 16;

}  // namespace

size_t ShardMemory::PatienceBytes() const {
  const bool others_may_give_way = keyspace_.eviction().policy != EvictionPolicy::kNoEviction ||
                                   keyspace_.victim_taker() != nullptr;
  return others_may_give_way ? budget_.limit_bytes() / 32 : 0;
}

size_t ShardMemory::HeldBytes() const {
  const Keyspace* const beside = keyspace_.beside();
  return keyspace_.memory_bytes() + (beside != nullptr ? beside->memory_bytes() : 0);
}

size_t ShardMemory::Excess(size_t headroom_bytes) const {
  const size_t limit = budget_.limit_bytes();
  if (limit == MemoryBudget::kUnlimited) return 0;
  const VictimTaker* taker = keyspace_.victim_taker();
  const size_t held = HeldBytes();
  const size_t own = held - std::min(held, taker != nullptr ? taker->pending_bytes() : 0);
  const size_t published = budget_.used_bytes();
  const size_t total = published - std::min(published, published_used_bytes_) + own;
  if (total + headroom_bytes <= limit) return 0;
  const size_t over = total + headroom_bytes - limit;
  const size_t fair = limit / budget_.shards();
  const size_t own_with_headroom = own + headroom_bytes / budget_.shards();
  if (own_with_headroom > fair) return std::min(over, own_with_headroom - fair);
  // Others are above theirs, and give way. If they do not, this shard must not go on growing.
  return over > PatienceBytes() ? over : 0;
}

Eviction ShardMemory::Evict(size_t headroom_bytes, size_t most) {
  Eviction last = Eviction::kFreed;
  for (size_t i = 0; i < most && Excess(headroom_bytes) > 0; ++i) {
    last = keyspace_.EvictOne();
    if (last == Eviction::kBusy || last == Eviction::kNothing) break;
  }
  const VictimTaker* taker = keyspace_.victim_taker();
  // Until all of it is under way: if every value that was written let somebody go on, more would
  // come than goes.
  const bool goes_on = last == Eviction::kBusy || (waits_ && last != Eviction::kNothing);
  SetWaits(goes_on && taker != nullptr && taker->pending_bytes() > 0 && Excess(0) > 0);
  return last;
}

void ShardMemory::SetWaits(bool waits) {
  if (waits == waits_) return;
  waits_ = waits;
  if (waits) return budget_.BeginWait();
  ++waits_ended_;
  budget_.EndWait();
}

bool ShardMemory::MakeRoom(size_t bytes) {
  if (Excess(0) == 0) return true;
  const size_t most =
      std::min(kLeastEvictionsPerWrite + bytes / kSmallestEntryBytes, kMaxEvictionsPerWrite);
  switch (Evict(0, most)) {
    case Eviction::kFreed:
    case Eviction::kPending:
      return true;
    case Eviction::kBusy:
      return Excess(0) <= (waits_ ? PassingBytes() : PatienceBytes());
    case Eviction::kNothing:
      break;
  }
  return Excess(0) == 0;
}

bool ShardMemory::Slice() {
  if (!limited()) return false;
  const size_t headroom = std::min(kMaxHeadroomBytes, budget_.limit_bytes() / 64);
  const bool waited = waits_;
  const Eviction last = Evict(headroom, kEvictionsPerSlice);
  if (waited && !waits_) return true;
  return last != Eviction::kBusy && last != Eviction::kNothing && Excess(headroom) > 0;
}

void ShardMemory::Publish() {
  const Keyspace* const beside = keyspace_.beside();
  const size_t used = HeldBytes();
  const size_t mapped = keyspace_.mapped_bytes() + (beside != nullptr ? beside->mapped_bytes() : 0);
  budget_.Publish(static_cast<int64_t>(used) - static_cast<int64_t>(published_used_bytes_),
                  static_cast<int64_t>(mapped) - static_cast<int64_t>(published_mapped_bytes_));
  published_used_bytes_ = used;
  published_mapped_bytes_ = mapped;
}

}  // namespace tidemark::cache
