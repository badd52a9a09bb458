// EvictionPolicy says which keys a node gives up when its memory is full (`maxmemory_policy`).
// Eight are Redis' own, by their names; kAllKeysTinyLfu is ours and the default, because it
// measured best (docs/decisions/0008-eviction.md). docs/memory.md says what each does.

#ifndef TIDEMARK_BASE_EVICTION_POLICY_H_
#define TIDEMARK_BASE_EVICTION_POLICY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidemark {

enum class EvictionPolicy : uint8_t {
  kVolatileLru,
  kVolatileLfu,
  kVolatileRandom,
  kVolatileTtl,
  kAllKeysLru,
  kAllKeysLfu,
  kAllKeysRandom,
  kNoEviction,
  kAllKeysTinyLfu,
};

// In the order of the enum.
inline constexpr std::array<std::string_view, 9> kEvictionPolicyNames = {
    "volatile-lru", "volatile-lfu",   "volatile-random", "volatile-ttl",   "allkeys-lru",
    "allkeys-lfu",  "allkeys-random", "noeviction",      "allkeys-tinylfu"};

constexpr std::string_view ToString(EvictionPolicy policy) {
  return kEvictionPolicyNames[static_cast<size_t>(policy)];
}

// Whether only keys with an expiry may go.
constexpr bool OnlyVolatile(EvictionPolicy policy) {
  return policy <= EvictionPolicy::kVolatileTtl;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_EVICTION_POLICY_H_
