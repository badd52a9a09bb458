// JitteredTtl shortens a time to live by a part of it that depends on the key: keys that are
// written together, as when a cache is filled, then do not all expire, and are not all fetched
// anew, at the same moment.
//
// The same key always loses the same part, so that a reader can tell when a key will go, and
// writing it again does not draw lots. The time never gets longer: what a writer says stays an
// upper bound.
//
// Threading: a pure function.

#ifndef TIDEMARK_CACHE_COMMANDS_TTL_JITTER_H_
#define TIDEMARK_CACHE_COMMANDS_TTL_JITTER_H_

#include <algorithm>
#include <cstdint>

namespace tidemark::cache {

inline constexpr int kMaxJitterPercent = 100;

// At most `percent` of `ttl_ms` less, each part of that as likely as the next; at least 1 ms.
// Requires: ttl_ms > 0, 0 <= percent <= kMaxJitterPercent.
inline int64_t JitteredTtl(int64_t ttl_ms, int percent, uint64_t key_hash) {
  // 128 bits: a time to live may be as long as 63.
  using Wide = unsigned __int128;
  const auto spread_ms = static_cast<uint64_t>(static_cast<Wide>(ttl_ms) *
                                               static_cast<uint64_t>(percent) / kMaxJitterPercent);
  const auto lost_ms = static_cast<int64_t>(static_cast<Wide>(spread_ms) * key_hash >> 64);
  return std::max<int64_t>(1, ttl_ms - lost_ms);
}

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_TTL_JITTER_H_
