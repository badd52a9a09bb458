#include "cache/key_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace tidemark::cache {
namespace {

constexpr int kLastSlot = kSlotsPerBucket - 1;

// The number in the low kCursorBits of `bits`, read backwards.
uint64_t Reversed(uint64_t bits) {
  bits = ((bits >> 1) & 0x5555555555555555) | ((bits & 0x5555555555555555) << 1);
  bits = ((bits >> 2) & 0x3333333333333333) | ((bits & 0x3333333333333333) << 2);
  bits = ((bits >> 4) & 0x0f0f0f0f0f0f0f0f) | ((bits & 0x0f0f0f0f0f0f0f0f) << 4);
  return __builtin_bswap64(bits) >> (64 - KeyTable::kCursorBits);
}

}  // namespace

// Writes slots to an empty chain, one behind the other.
class KeyTable::ChainWriter {
 public:
  ChainWriter(KeyTable* table, Bucket* head) : table_(table), tail_(head) {}

  void Append(uint64_t slot) {
    if (used_ == kSlotsPerBucket) {
      Bucket* next = table_->NewOverflowBucket();
      next->slots[0] = std::exchange(tail_->slots[kLastSlot], reinterpret_cast<uint64_t>(next));
      tail_ = next;
      used_ = 1;
    }
    tail_->slots[used_++] = slot;
  }

 private:
  KeyTable* table_;
  Bucket* tail_;
  int used_ = 0;
};

KeyTable::KeyTable(HashFunction hash_function) : hash_function_(hash_function) {
  buckets_.PushBack();
}

KeyTable::~KeyTable() {
  if (overflow_buckets_ == 0) return;
  for (size_t i = 0; i < buckets_.size(); ++i) FreeOverflow(buckets_[i]);
}

uint64_t KeyTable::MakeSlot(uint64_t hash, int depth, const Entry* entry) {
  const auto address = reinterpret_cast<uint64_t>(entry);
  DCHECK((address & ~kAddressMask) == 0);
  return Fingerprint(hash) << kFingerprintShift | LevelByte(hash, depth) << kLevelByteShift |
         address;
}

uint64_t KeyTable::WithLevelByte(uint64_t slot, uint64_t level_byte) {
  return (slot & ~(uint64_t{0xff} << kLevelByteShift)) | level_byte << kLevelByteShift;
}

Entry* KeyTable::FindByHash(uint64_t hash) const {
  for (const Bucket* bucket = &BucketOf(hash); bucket != nullptr; bucket = NextOf(*bucket)) {
    for (unsigned slots = SlotsWith(*bucket, Fingerprint(hash)); slots != 0; slots &= slots - 1) {
      Entry* entry = EntryOf(bucket->slots[std::countr_zero(slots)]);
      if (hash_function_(entry->key()) == hash) return entry;
    }
  }
  return nullptr;
}

void KeyTable::PrefetchEntry(uint64_t hash) const {
  const Bucket& bucket = BucketOf(hash);
  for (unsigned slots = SlotsWith(bucket, Fingerprint(hash)); slots != 0; slots &= slots - 1) {
    PrefetchEntry(EntryOf(bucket.slots[std::countr_zero(slots)]));
  }
}

void KeyTable::PrefetchBuckets(uint64_t cursor, int buckets) const {
  uint64_t at = cursor;
  int ahead = 0;
  do {
    const Position position = PositionOf(at);
    __builtin_prefetch(&buckets_[position.index]);
    at = position.next_cursor;
  } while (++ahead < buckets && at != 0);
  for (at = cursor; ahead > 0; --ahead) {
    const Position position = PositionOf(at);
    // The overflow buckets of a few wait until they are visited.
    for (const uint64_t slot : buckets_[position.index].slots) {
      if (slot >> kFingerprintShift == 0) break;
      PrefetchEntry(EntryOf(slot));
    }
    at = position.next_cursor;
  }
}

void KeyTable::Insert(uint64_t hash, Entry* entry) {
  const size_t index = IndexOf(hash);
  const uint64_t slot = MakeSlot(hash, DepthOf(index), entry);
  Bucket* bucket = &buckets_[index];
  while (Bucket* next = NextOf(*bucket)) bucket = next;
  int free = 0;
  while (free < kSlotsPerBucket && bucket->slots[free] != 0) ++free;
  if (free == kSlotsPerBucket) {
    Bucket* next = NewOverflowBucket();
    next->slots[0] = std::exchange(bucket->slots[kLastSlot], reinterpret_cast<uint64_t>(next));
    bucket = next;
    free = 1;
  }
  bucket->slots[free] = slot;
  ++size_;
  if (size_ > kTargetLoad * buckets_.size()) SplitOne();
}

void KeyTable::Reserve(size_t entries) {
  reserved_buckets_ = std::max<size_t>(1, (entries + kTargetLoad - 1) / kTargetLoad);
  if (size_ > 0) return;  // The hint came too late: the table grows as it always does.
  while (buckets_.size() < reserved_buckets_) {
    buckets_.PushBack();
    if (buckets_.size() == 2 * level_size_) {
      ++level_;
      level_size_ *= 2;
    }
  }
}

uint64_t& KeyTable::SlotOf(uint64_t hash, const Entry* entry, Bucket** bucket,
                           Bucket** previous) const {
  *previous = nullptr;
  *bucket = &BucketOf(hash);
  for (;;) {
    for (uint64_t& slot : (*bucket)->slots) {
      if (EntryOf(slot) == entry) return slot;
    }
    *previous = *bucket;
    *bucket = NextOf(**bucket);
    CHECK(*bucket != nullptr);
  }
}

void KeyTable::Replace(uint64_t hash, const Entry* from, Entry* to) {
  Bucket* bucket;
  Bucket* previous;
  uint64_t& slot = SlotOf(hash, from, &bucket, &previous);
  slot = (slot & ~kAddressMask) | reinterpret_cast<uint64_t>(to);
}

void KeyTable::Erase(uint64_t hash, const Entry* entry) {
  Bucket* bucket;
  Bucket* previous;
  uint64_t& hole = SlotOf(hash, entry, &bucket, &previous);
  while (Bucket* next = NextOf(*bucket)) {
    previous = bucket;
    bucket = next;
  }
  // The last of the chain fills the hole, so that a chain is never longer than it need be.
  int last = kLastSlot;
  while (bucket->slots[last] == 0) --last;
  hole = bucket->slots[last];
  bucket->slots[last] = 0;
  --size_;
  if (previous != nullptr && last == 1) {
    previous->slots[kLastSlot] = bucket->slots[0];
    FreeOverflowBucket(bucket);
  }
}

void KeyTable::SplitOne() {
  const size_t from = buckets_.size() - level_size_;
  const int depth = level_ + 1;
  buckets_.PushBack();
  const Bucket source = buckets_[from];
  std::memset(&buckets_[from], 0, sizeof(Bucket));
  ChainWriter stay(this, &buckets_[from]);
  ChainWriter move(this, &buckets_[from + level_size_]);
  const int bit = kLevelByteShift + (level_ & 7);
  ForEachSlot(source, [&](uint64_t slot) {
    ChainWriter& writer = (slot >> bit & 1) != 0 ? move : stay;
    if ((depth & 7) == 0) {
      slot = WithLevelByte(slot, LevelByte(hash_function_(EntryOf(slot)->key()), depth));
    }
    writer.Append(slot);
  });
  FreeOverflow(source);
  if (buckets_.size() == 2 * level_size_) {
    ++level_;
    level_size_ *= 2;
  }
}

void KeyTable::MergeOne() {
  DCHECK(buckets_.size() > 1);
  if (buckets_.size() == level_size_) {
    --level_;
    level_size_ /= 2;
  }
  const size_t from = buckets_.size() - 1;
  const size_t into = from - level_size_;
  const Bucket moved = buckets_[from];
  const Bucket kept = buckets_[into];
  std::memset(&buckets_[into], 0, sizeof(Bucket));
  buckets_.PopBack();
  // Both buckets' numbers are the low level_ + 1 bits of their hashes: where the level byte is of
  // an earlier group now, they hold all its bits.
  const bool crosses = ((level_ + 1) & 7) == 0;
  ChainWriter writer(this, &buckets_[into]);
  ForEachSlot(kept, [&](uint64_t slot) {
    writer.Append(crosses ? WithLevelByte(slot, LevelByte(into, level_)) : slot);
  });
  ForEachSlot(moved, [&](uint64_t slot) {
    writer.Append(crosses ? WithLevelByte(slot, LevelByte(from, level_)) : slot);
  });
  FreeOverflow(kept);
  FreeOverflow(moved);
}

KeyTable::Position KeyTable::PositionOf(uint64_t cursor) const {
  const size_t index = IndexOf(Reversed(cursor));
  const uint64_t interval = uint64_t{1} << (kCursorBits - DepthOf(index));
  const uint64_t next = (cursor & ~(interval - 1)) + interval;
  return {index, next & ((uint64_t{1} << kCursorBits) - 1)};
}

void KeyTable::Swap(KeyTable& other) {
  buckets_.Swap(other.buckets_);
  std::swap(level_, other.level_);
  std::swap(level_size_, other.level_size_);
  std::swap(size_, other.size_);
  std::swap(reserved_buckets_, other.reserved_buckets_);
  std::swap(overflow_buckets_, other.overflow_buckets_);
  std::swap(hash_function_, other.hash_function_);
}

Bucket* KeyTable::NewOverflowBucket() {
  ++overflow_buckets_;
  return new Bucket();
}

void KeyTable::FreeOverflowBucket(Bucket* bucket) {
  --overflow_buckets_;
  delete bucket;
}

void KeyTable::FreeOverflow(const Bucket& head) {
  for (Bucket* bucket = NextOf(head); bucket != nullptr;) {
    FreeOverflowBucket(std::exchange(bucket, NextOf(*bucket)));
  }
}

bool KeyTable::IsConsistent() const {
  if (level_size_ != size_t{1} << level_) return false;
  if (buckets_.size() < level_size_ || buckets_.size() >= 2 * level_size_) return false;
  size_t entries = 0;
  size_t overflow_buckets = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    const int depth = DepthOf(i);
    for (const Bucket* bucket = &buckets_[i]; bucket != nullptr; bucket = NextOf(*bucket)) {
      int used = 0;
      for (const uint64_t slot : bucket->slots) {
        if (slot == 0 || slot >> kFingerprintShift == 0) break;
        const uint64_t hash = hash_function_(EntryOf(slot)->key());
        if (IndexOf(hash) != i || slot != MakeSlot(hash, depth, EntryOf(slot))) return false;
        ++used;
      }
      const bool is_overflow = bucket != &buckets_[i];
      if (is_overflow && used < 2) return false;
      if (NextOf(*bucket) != nullptr && used != kLastSlot) return false;
      for (int slot = used; slot < kLastSlot; ++slot) {
        if (bucket->slots[slot] != 0) return false;
      }
      entries += used;
      overflow_buckets += is_overflow;
    }
  }
  return entries == size_ && overflow_buckets == overflow_buckets_;
}

}  // namespace tidemark::cache
