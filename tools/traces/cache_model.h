// CacheModel is a cache of a fixed number of keys under some replacement policy, without values,
// sockets or clock: what hit ratios are compared with before anybody measures a server.
//
//   auto model = MakeModel("sieve", 10'000);
//   const double ratio = HitRatio(*model, trace);
//
//   name        policy
//   lru         exact least recently used
//   redis-lru   Redis 7's: the longest unused of a pool of 16 that five random keys a time compete
//   for redis-lfu   the same pool, by Redis' logarithmic counter (factor 10); no minute passes in a
//   trace random      any key sieve       Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024: a
//   queue, a visited bit, a hand s3-fifo     Yang et al., "FIFO Queues are All You Need for Cache
//   Eviction", SOSP 2023 tidemark    our own cache::Keyspace with its default policy: no model, but
//   the code itself
//
// Threading: a model is confined to one thread.

#ifndef TIDEMARK_TOOLS_TRACES_CACHE_MODEL_H_
#define TIDEMARK_TOOLS_TRACES_CACHE_MODEL_H_

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "tools/traces/trace.h"

namespace tidemark::traces {

class CacheModel {
 public:
  virtual ~CacheModel() = default;
  // Asks for a key; a key that is missing is taken in. True if it was there.
  virtual bool Access(KeyId key) = 0;
};

inline constexpr std::array<std::string_view, 7> kModelNames = {
    "lru", "redis-lru", "redis-lfu", "random", "sieve", "s3-fifo", "tidemark"};

// Null if there is no such model. Requires: capacity >= 20 keys.
std::unique_ptr<CacheModel> MakeModel(std::string_view name, size_t capacity);

// Of all requests, the first ones, which find the cache empty, included.
double HitRatio(CacheModel& model, std::span<const KeyId> trace);

// What no policy can exceed: of all keys the one goes that is asked for latest (L. Belady, 1966).
double BestHitRatio(std::span<const KeyId> trace, size_t capacity);

}  // namespace tidemark::traces

#endif  // TIDEMARK_TOOLS_TRACES_CACHE_MODEL_H_
