// KeyTable finds entries by hash and key. It grows and shrinks one bucket at a time (linear
// hashing; W. Litwin, VLDB 1980), so that no call ever pays for more than one bucket.
//
// A bucket is one cache line of eight words. A word is a slot: an entry's address in the low 48
// bits, then a "level byte", then a fingerprint of the hash, never 0. Where nine entries or more
// meet, the eighth word is a link to an overflow bucket instead; its fingerprint byte is 0.
//
// With 2^level + split buckets, a bucket is numbered by the low `level` bits of the hash, or by one
// bit more if it has been split in this round; that number of bits is its depth. The level byte of
// a slot holds the eight bits of the hash from bit (depth & ~7) on, which decide the next splits.
// So a split reads the entries themselves only at every eighth doubling.
//
// Read backwards, the hash is a point on a line of 2^48 points, and a bucket is an interval of it,
// which a split halves. A cursor is such a point. Whoever visits buckets from cursor 0 until it is
// 0 again sees every entry that was there all the time, however the table changes meanwhile; some
// perhaps twice.
//
// The table borrows its entries. Threading: confined to its Keyspace's thread.

#ifndef TIDEMARK_CACHE_KEY_TABLE_H_
#define TIDEMARK_CACHE_KEY_TABLE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/key_hash.h"
#include "cache/bucket_array.h"
#include "cache/bucket_search.h"
#include "cache/entry.h"

namespace tidemark::cache {

class KeyTable {
 public:
  // Recomputes the hash that callers pass. Tests replace it to make keys collide.
  using HashFunction = uint64_t (*)(std::string_view key);

  static constexpr int kCursorBits = 48;

  explicit KeyTable(HashFunction hash_function = &KeyHash);
  ~KeyTable();
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  size_t size() const { return size_; }
  // Buckets and overflow buckets.
  size_t memory_bytes() const { return (buckets_.size() + overflow_buckets_) * sizeof(Bucket); }

  // Of them, those of mapped segments.
  size_t mapped_bytes() const { return buckets_.mapped_bytes(); }

  // Null if there is none.
  [[gnu::always_inline]] Entry* Find(uint64_t hash, std::string_view key) const;

  // An entry whose key has this hash; null if there is none.
  Entry* FindByHash(uint64_t hash) const;

  void PrefetchBucket(uint64_t hash) const { __builtin_prefetch(&BucketOf(hash)); }
  // Prefetches what Find() would compare with. Reads the bucket.
  void PrefetchEntry(uint64_t hash) const;

  // Requires: no entry with this key is present. Splits at most one bucket.
  void Insert(uint64_t hash, Entry* entry);
  // Requires: `entry` (`from`) is present.
  void Erase(uint64_t hash, const Entry* entry);
  void Replace(uint64_t hash, const Entry* from, Entry* to);

  // Calls visit(Entry*) for every entry of the bucket that the cursor lies in, and returns the
  // cursor of the next bucket, 0 after the last. `visit` must not change the table.
  template <typename Visit>
  uint64_t VisitBucket(uint64_t cursor, Visit&& visit) const {
    const Position at = PositionOf(cursor);
    ForEachSlot(buckets_[at.index], [&](uint64_t slot) { visit(EntryOf(slot)); });
    return at.next_cursor;
  }

  // Makes an empty table as large as it would be with `entries`, so that inserting that many splits
  // nothing, and keeps it from counting as sparse below that. 0: no longer so. Whoever inserts keys
  // in another table's order of buckets needs this: without room they would all meet in few chains.
  void Reserve(size_t entries);

  // Starts loading what VisitBucket() will touch in the next `buckets` buckets from the cursor on.
  // Buckets that follow each other on the line lie anywhere in memory: without this a visitor waits
  // for each of them, and again for its entries.
  void PrefetchBuckets(uint64_t cursor, int buckets) const;

  // Whether so few entries are left that MergeOne() is worth its while.
  bool sparse() const {
    return size_ < kSparseLoad * buckets_.size() && buckets_.size() > reserved_buckets_;
  }
  // Merges the last bucket back into the one that it was split from. Requires: more than one
  // bucket.
  void MergeOne();

  // Takes the last bucket away with its entries, each shown to take(Entry*). False if no bucket is
  // left; then only destruction and Swap() are allowed, as they are as soon as the first bucket is
  // gone.
  template <typename Take>
  bool TakeLastBucket(Take&& take) {
    if (buckets_.size() == 0) return false;
    Bucket& last = buckets_[buckets_.size() - 1];
    ForEachSlot(last, [&](uint64_t slot) {
      take(EntryOf(slot));
      --size_;
    });
    FreeOverflow(last);
    buckets_.PopBack();
    return true;
  }

  void Swap(KeyTable& other);

  // Verifies every structural invariant, in time proportional to the table. For tests.
  bool IsConsistent() const;

 private:
  // Entries per bucket at which the table grows. With 5 a key costs 13 to 15 bytes
  // (docs/memory.md).
  static constexpr size_t kTargetLoad = 5;
  static constexpr size_t kSparseLoad = 3;

  struct Position {
    size_t index;
    uint64_t next_cursor;
  };
  class ChainWriter;

  static constexpr int kFingerprintShift = 56;
  static constexpr int kLevelByteShift = 48;
  static constexpr uint64_t kAddressMask = (uint64_t{1} << kLevelByteShift) - 1;

  // From the low end of the half that picks the shard: its high end is the same for a whole shard.
  static uint64_t Fingerprint(uint64_t hash) {
    const uint64_t byte = (hash >> 32) & 0xff;
    return byte != 0 ? byte : 1;
  }
  static uint64_t LevelByte(uint64_t hash, int depth) { return (hash >> (depth & ~7)) & 0xff; }
  static uint64_t MakeSlot(uint64_t hash, int depth, const Entry* entry);
  static uint64_t WithLevelByte(uint64_t slot, uint64_t level_byte);
  static Entry* EntryOf(uint64_t slot) { return reinterpret_cast<Entry*>(slot & kAddressMask); }
  // A small entry rarely fits one line: the next holds the end of the value.
  static void PrefetchEntry(const Entry* entry) {
    const char* const bytes = reinterpret_cast<const char*>(entry);
    __builtin_prefetch(bytes);
    __builtin_prefetch(bytes + sizeof(Bucket));
  }
  // The overflow bucket after this one, or null.
  static Bucket* NextOf(const Bucket& bucket) {
    const uint64_t last = bucket.slots[kSlotsPerBucket - 1];
    return last >> kFingerprintShift == 0 ? reinterpret_cast<Bucket*>(last) : nullptr;
  }

  template <typename Visit>
  static void ForEachSlot(const Bucket& head, Visit&& visit) {
    for (const Bucket* bucket = &head; bucket != nullptr; bucket = NextOf(*bucket)) {
      for (const uint64_t slot : bucket->slots) {
        if (slot >> kFingerprintShift == 0) break;  // Slots are filled from the front.
        visit(slot);
      }
    }
  }

  size_t IndexOf(uint64_t hash) const {
    const size_t index = hash & (2 * level_size_ - 1);
    return index < buckets_.size() ? index : index & (level_size_ - 1);
  }
  Bucket& BucketOf(uint64_t hash) const { return buckets_[IndexOf(hash)]; }
  // How many bits of the hash the number of this bucket stands for.
  int DepthOf(size_t index) const { return level_ + ((index | level_size_) < buckets_.size()); }
  Position PositionOf(uint64_t cursor) const;

  // The slot that holds this very entry. Requires: present.
  uint64_t& SlotOf(uint64_t hash, const Entry* entry, Bucket** bucket, Bucket** previous) const;
  void SplitOne();
  // Frees what hangs on `head`, which may be a copy.
  void FreeOverflow(const Bucket& head);
  Bucket* NewOverflowBucket();
  void FreeOverflowBucket(Bucket* bucket);

  BucketArray buckets_;
  int level_ = 0;
  size_t level_size_ = 1;  // 2^level_
  size_t size_ = 0;
  size_t reserved_buckets_ = 1;  // Never merged away.
  size_t overflow_buckets_ = 0;
  HashFunction hash_function_;
};

inline Entry* KeyTable::Find(uint64_t hash, std::string_view key) const {
  const Bucket* bucket = &BucketOf(hash);
  do {
    for (unsigned slots = SlotsWith(*bucket, Fingerprint(hash)); slots != 0; slots &= slots - 1) {
      Entry* entry = EntryOf(bucket->slots[static_cast<unsigned>(std::countr_zero(slots))]);
      const std::string_view present = entry->key();
      if (present.size() == key.size() && SameBytes(present.data(), key.data(), key.size())) {
        return entry;
      }
    }
    bucket = NextOf(*bucket);
  } while (bucket != nullptr);
  return nullptr;
}

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_KEY_TABLE_H_
