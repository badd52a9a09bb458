#include "tools/traces/keyspace_model.h"

#include <fmt/format.h>

#include <string>

#include "base/check.h"

namespace tidemark::traces {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;  // Any moment: nothing expires.

cache::EvictionOptions Options() {
  cache::EvictionOptions options;
  options.policy = EvictionPolicy::kAllKeysTinyLfu;
  options.limited = true;
  return options;
}

}  // namespace

KeyspaceModel::KeyspaceModel(size_t capacity) : capacity_(capacity), keyspace_({.random_seed = 1}) {
  keyspace_.SetEviction(Options());
}

bool KeyspaceModel::Access(KeyId key) {
  const std::string name = fmt::format("key:{:012}", key);
  const cache::KeyRef ref = cache::KeyRef::Of(name);
  keyspace_.set_now_ms(kNow);  // A turn of the shard.
  if (keyspace_.Find(ref) != nullptr) return true;
  keyspace_.Set(ref, "v", cache::kNoExpiry);
  if (keyspace_.size() > capacity_) CHECK(keyspace_.EvictOne() == cache::Eviction::kFreed);
  return false;
}

}  // namespace tidemark::traces
