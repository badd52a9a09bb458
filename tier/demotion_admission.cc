#include "tier/demotion_admission.h"

#include <algorithm>
#include <bit>

namespace tidemark::tier {

DemotionAdmission::DemotionAdmission(const Options& options)
    : on_second_try_(options.on_second_try), budget_(options.bytes_per_second) {
  if (!on_second_try_) return;
  keys_per_generation_ = std::max<size_t>(options.doorkeeper_keys, 8);
  const size_t bits = std::bit_ceil(keys_per_generation_ * kBitsPerKey);
  bit_mask_ = bits - 1;
  young_.resize(bits / 64);
  old_.resize(bits / 64);
}

DemotionAdmission::Decision DemotionAdmission::Decide(uint64_t key_hash, bool urgent,
                                                      int64_t now_ns) {
  if (urgent) return Decision::kAdmit;
  if (!budget_.MaySpend(now_ns)) return Decision::kTooFast;
  if (on_second_try_ && !Remember(key_hash)) return Decision::kFirstTry;
  return Decision::kAdmit;
}

bool DemotionAdmission::Remember(uint64_t key_hash) {
  // Double hashing (Kirsch and Mitzenmacher, "Less Hashing, Same Performance", 2006).
  const uint64_t step = std::rotl(key_hash, 32) | 1;
  bool in_young = true;
  bool in_old = true;
  for (int probe = 0; probe < kProbes; ++probe) {
    const uint64_t bit = (key_hash + static_cast<uint64_t>(probe) * step) & bit_mask_;
    const uint64_t mask = uint64_t{1} << (bit % 64);
    in_young &= (young_[bit / 64] & mask) != 0;
    in_old &= (old_[bit / 64] & mask) != 0;
    young_[bit / 64] |= mask;
  }
  if (!in_young && ++young_keys_ == keys_per_generation_) {
    young_.swap(old_);
    std::fill(young_.begin(), young_.end(), 0);
    young_keys_ = 0;
  }
  return in_young || in_old;
}

}  // namespace tidemark::tier
