// MemoryBudget is what the keyspaces of all shards together may hold, and what they do hold.
//
// Each shard publishes its own use once a turn, and knows that of the others as of their latest
// turns. While all of it fits, a shard may use what the others leave. Once it does not, those above
// their fair share, an equal part, give way: so shares follow use, and a busy shard cannot drive an
// idle one below its part. If the sum is too large, somebody is above the fair share.
//
// It also holds how many shards wait for a slower tier to take what they have given it: while any
// does, whoever reads clients leaves their writes unread (cache/shard_memory.h).
//
// Threading: thread-safe; two relaxed loads on a shard's way to a write.

#ifndef TIDEMARK_CACHE_MEMORY_BUDGET_H_
#define TIDEMARK_CACHE_MEMORY_BUDGET_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace tidemark::cache {

class MemoryBudget {
 public:
  static constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

  explicit MemoryBudget(int shards) : shards_(static_cast<size_t>(shards)) {}

  // kUnlimited until it is set.
  void set_limit_bytes(size_t limit) { limit_bytes_.store(limit, std::memory_order_relaxed); }
  size_t limit_bytes() const { return limit_bytes_.load(std::memory_order_relaxed); }
  size_t shards() const { return shards_; }

  // As published. For a moment a sum of what was never there at once.
  size_t used_bytes() const { return AtLeastZero(used_bytes_); }
  // Of them, what the keyspaces map instead of allocating it.
  size_t mapped_bytes() const { return AtLeastZero(mapped_bytes_); }
  // By how much a shard's use has changed.
  void Publish(int64_t used_delta, int64_t mapped_delta) {
    if (used_delta != 0) used_bytes_.fetch_add(used_delta, std::memory_order_relaxed);
    if (mapped_delta != 0) mapped_bytes_.fetch_add(mapped_delta, std::memory_order_relaxed);
  }

  // Whether writes that need memory should wait, on every shard: keys of any of them may be meant.
  bool writes_should_wait() const { return waiting_shards_.load(std::memory_order_acquire) > 0; }
  void BeginWait() { waiting_shards_.fetch_add(1, std::memory_order_release); }
  void EndWait() { waiting_shards_.fetch_sub(1, std::memory_order_release); }

 private:
  static size_t AtLeastZero(const std::atomic<int64_t>& bytes) {
    const int64_t value = bytes.load(std::memory_order_relaxed);
    return value < 0 ? 0 : static_cast<size_t>(value);
  }

  const size_t shards_;
  std::atomic<size_t> limit_bytes_{kUnlimited};
  std::atomic<int64_t> used_bytes_{0};
  std::atomic<int64_t> mapped_bytes_{0};
  std::atomic<int> waiting_shards_{0};
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_MEMORY_BUDGET_H_
