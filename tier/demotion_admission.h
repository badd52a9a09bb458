// DemotionAdmission decides which values are written down, and how fast: a rejected value stays in
// RAM for another round of whoever chooses victims, at no other cost.
//
// Reject first. Of the values that memory would like to be rid of many are not worth a write: they
// are deleted, expire or are overwritten soon. With `on_second_try` a key is admitted only when it
// is chosen again while a small Bloom filter (the doorkeeper) still remembers it: it has then been
// cold for at least one round. (CacheLib calls this policy "reject first", Hybrid Cache guide;
// TinyLFU the filter, arxiv.org/abs/1512.00727.) The filter has two halves, each a generation: when
// the young one has taken its share of keys, the old one is forgotten and becomes the young one. A
// false positive admits a key one round early.
//
// Pace. At most so many bytes a second, so that the disk has time for reads.
//
// A value that must go because memory is at its limit (`urgent`) passes both, and is still charged.
//
// Threading: one thread at a time; one for each shard.

#ifndef TIDEMARK_TIER_DEMOTION_ADMISSION_H_
#define TIDEMARK_TIER_DEMOTION_ADMISSION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tier/byte_budget.h"

namespace tidemark::tier {

class DemotionAdmission {
 public:
  struct Options {
    bool on_second_try = false;
    size_t doorkeeper_keys = 16 * 1024;  // That a generation remembers; it takes 2 bytes a key.
    uint64_t bytes_per_second = 0;       // 0: no limit.
  };
  explicit DemotionAdmission(const Options& options);

  enum class Decision : uint8_t {
    kAdmit,
    kFirstTry,  // Remembered now.
    kTooFast,   // Not remembered: its turn had not come.
  };
  // `key_hash`: KeyHash(). Charges nothing: what is admitted may still be refused by a bound.
  Decision Decide(uint64_t key_hash, bool urgent, int64_t now_ns);
  // What was admitted is being written.
  void Charge(uint64_t bytes, int64_t now_ns) { budget_.Spend(bytes, now_ns); }

 private:
  static constexpr size_t kBitsPerKey = 8;
  static constexpr int kProbes = 3;

  // Whether the doorkeeper knew the key; it does now.
  bool Remember(uint64_t key_hash);

  const bool on_second_try_;
  ByteBudget budget_;
  size_t keys_per_generation_ = 0;
  uint64_t bit_mask_ = 0;
  std::vector<uint64_t> young_;  // Both empty without on_second_try.
  std::vector<uint64_t> old_;
  size_t young_keys_ = 0;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_DEMOTION_ADMISSION_H_
