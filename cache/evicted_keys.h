// EvictedKeys remembers how often keys were used that had to go, so that one that comes back does
// not begin anew: 12 bits of its hash and its count, in 2 bytes, of about as many keys as there are
// in memory. It forgets the oldest first, and all of it when it grows; a wrong answer (one in a
// thousand) makes a key seem better used than it was.
//
// Threading: as its Keyspace.

#ifndef TIDEMARK_CACHE_EVICTED_KEYS_H_
#define TIDEMARK_CACHE_EVICTED_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace tidemark::cache {

class EvictedKeys {
 public:
  static constexpr uint32_t kMaxCount = 15;

  // Makes room for about `keys`, once that is more than twice what there is room for; less than
  // a quarter of it frees the rest.
  void Fit(size_t keys);

  void Add(uint64_t hash, uint32_t count);
  // The count of a key that was added and not forgotten, which then is; 0 if there is none.
  uint32_t Take(uint64_t hash);

  size_t memory_bytes() const { return sets_ * sizeof(Set); }

 private:
  static constexpr size_t kWays = 4;
  static constexpr size_t kMinSets = 16;

  // The newest first. A slot is fingerprint << 4 | count; 0 is empty.
  struct Set {
    uint16_t slots[kWays];
  };
  struct Free {
    void operator()(Set* sets) const { std::free(sets); }
  };

  static uint64_t Mix(uint64_t hash) { return hash * 0x9e3779b97f4a7c15; }  // 2^64 / golden ratio.
  static uint16_t Fingerprint(uint64_t mixed) {
    const auto bits = static_cast<uint16_t>(mixed & 0xfff);
    return static_cast<uint16_t>((bits != 0 ? bits : 1) << 4);
  }
  Set& SetOf(uint64_t mixed) const { return table_[(mixed >> 16) & (sets_ - 1)]; }

  size_t sets_ = 0;  // A power of two, or 0.
  std::unique_ptr<Set[], Free> table_;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_EVICTED_KEYS_H_
