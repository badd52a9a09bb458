// The one hash of a key. Its high half picks the shard, its low bits the table's bucket, so the two
// do not correlate; replicas may have another number of shards and still use the same hash.

#ifndef TIDEMARK_BASE_KEY_HASH_H_
#define TIDEMARK_BASE_KEY_HASH_H_

#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace tidemark {

// XXH3 (64 bits, seed 0) of the whole key: the table's hash.
uint64_t KeyHash(std::string_view key);

// The part of a key that decides its shard: what is between the first '{' and the next '}' if that
// is not empty, else the whole key (redis.io, cluster specification, "Hash tags").
std::string_view HashTag(std::string_view key);

// The shard that owns `key`, whose KeyHash is `hash`, among `shard_count`.
inline ShardId ShardOf(std::string_view key, uint64_t hash, int shard_count);

// As above from the hash of the key's tag.
constexpr ShardId ShardOfTagHash(uint64_t tag_hash, int shard_count) {
  return ShardId(
      static_cast<uint16_t>(((tag_hash >> 32) * static_cast<uint64_t>(shard_count)) >> 32));
}

inline ShardId ShardOf(std::string_view key, uint64_t hash, int shard_count) {
  if (shard_count == 1) return ShardId(0);
  const std::string_view tag = HashTag(key);
  return ShardOfTagHash(tag.size() == key.size() ? hash : KeyHash(tag), shard_count);
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_KEY_HASH_H_
