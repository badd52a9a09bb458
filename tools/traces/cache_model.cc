#include "tools/traces/cache_model.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <queue>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tools/traces/keyspace_model.h"
#include "tools/traces/queue_models.h"
#include "tools/traces/sampled_models.h"

namespace tidemark::traces {

std::unique_ptr<CacheModel> MakeModel(std::string_view name, size_t capacity) {
  CHECK(capacity >= 20);
  if (name == "lru") return std::make_unique<LruModel>(capacity);
  if (name == "redis-lru") return std::make_unique<SampledModel>(SampledPolicy::kLru, capacity);
  if (name == "redis-lfu") return std::make_unique<SampledModel>(SampledPolicy::kLfu, capacity);
  if (name == "random") return std::make_unique<SampledModel>(SampledPolicy::kRandom, capacity);
  if (name == "sieve") return std::make_unique<SieveModel>(capacity);
  if (name == "s3-fifo") return std::make_unique<S3FifoModel>(capacity);
  if (name == "tidemark") return std::make_unique<KeyspaceModel>(capacity);
  return nullptr;
}

double HitRatio(CacheModel& model, std::span<const KeyId> trace) {
  if (trace.empty()) return 0;
  size_t hits = 0;
  for (const KeyId key : trace) hits += model.Access(key);
  return static_cast<double>(hits) / static_cast<double>(trace.size());
}

double BestHitRatio(std::span<const KeyId> trace, size_t capacity) {
  if (trace.empty()) return 0;
  constexpr size_t kNever = std::numeric_limits<size_t>::max();
  std::vector<size_t> next(trace.size(), kNever);  // Where the same key is asked for again.
  std::unordered_map<KeyId, size_t> last;
  for (size_t i = 0; i < trace.size(); ++i) {
    const auto [entry, added] = last.try_emplace(trace[i], i);
    if (!added) next[std::exchange(entry->second, i)] = i;
  }
  std::unordered_set<KeyId> kept;
  // By when they are asked for again. What was asked for since stays in it and is passed over: it
  // names a request that is past.
  std::priority_queue<std::pair<size_t, KeyId>> latest;
  size_t hits = 0;
  for (size_t i = 0; i < trace.size(); ++i) {
    if (kept.contains(trace[i])) {
      ++hits;
    } else {
      if (kept.size() == capacity) {
        while (!kept.contains(latest.top().second)) latest.pop();
        kept.erase(latest.top().second);
        latest.pop();
      }
      kept.insert(trace[i]);
    }
    latest.emplace(next[i], trace[i]);
  }
  return static_cast<double>(hits) / static_cast<double>(trace.size());
}

}  // namespace tidemark::traces
