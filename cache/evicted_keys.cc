#include "cache/evicted_keys.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace tidemark::cache {

void EvictedKeys::Fit(size_t keys) {
  const size_t wanted = std::max(kMinSets, std::bit_ceil(keys / kWays + 1));
  if (wanted <= 2 * sets_ && wanted * 4 >= sets_) return;
  // calloc and not a vector: the kernel's pages come zeroed, and only as they are used.
  table_.reset(static_cast<Set*>(std::calloc(wanted, sizeof(Set))));
  CHECK(table_ != nullptr);
  sets_ = wanted;
}

void EvictedKeys::Add(uint64_t hash, uint32_t count) {
  if (sets_ == 0 || count == 0) return;  // Nothing is what an unknown key has, too.
  const uint64_t mixed = Mix(hash);
  Set& set = SetOf(mixed);
  std::copy_backward(set.slots, set.slots + kWays - 1, set.slots + kWays);
  set.slots[0] = static_cast<uint16_t>(Fingerprint(mixed) | std::min(count, kMaxCount));
}

uint32_t EvictedKeys::Take(uint64_t hash) {
  if (sets_ == 0) return 0;
  const uint64_t mixed = Mix(hash);
  Set& set = SetOf(mixed);
  for (uint16_t& slot : set.slots) {
    if ((slot & ~uint16_t{0xf}) != Fingerprint(mixed)) continue;
    const uint32_t count = slot & 0xf;
    slot = 0;
    return count;
  }
  return 0;
}

}  // namespace tidemark::cache
