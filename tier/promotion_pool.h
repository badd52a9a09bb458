// PromotionPool takes values that were read from disk back to memory, off the path of the read: the
// reader has its bytes at once and schedules a promotion, which a worker carries out a little
// later. All of it is best effort: a request that is dropped costs a later promotion and nothing
// else.
//
//   PromotionPool pool(options, [&](const PromotionRequest& request) { return Land(request); });
//   pool.Schedule({.shard = shard, .key = key, .location = location, .bytes = bytes});
//
// The pool does not know the cache. Its executor must promote only what is still where the
// request says (ValueLocation says why that suffices), on the shard that owns the key.
//
// When the queue is full the oldest request goes: the newest reads say best what is hot now.
// PromotionQueue (promotion_queue.h) decides; this gives it a lock and threads. The lock is held
// for a push or a pop and never while the executor runs; a worker without work waits on a
// condition.
//
// Accounting, exact whenever nobody is in a call and the queue is drained:
//   queued + refused == submitted          completed + evicted == queued
//
// Threading: thread-safe. The executor runs on the workers, several at once.
// Ownership: owns its workers. Destroying it shuts it down and joins them: what was queued by then
// is carried out first.

#ifndef TIDEMARK_TIER_PROMOTION_POOL_H_
#define TIDEMARK_TIER_PROMOTION_POOL_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/backpressure.h"
#include "base/log/log.h"
#include "tier/promotion_queue.h"

namespace tidemark::tier {

class PromotionPool {
 public:
  struct Options {
    size_t queue_capacity = 1024;  // 0 counts as 1.
    size_t worker_count = 2;       // 0 counts as 1.
    // Of the bytes that queued requests carry; see PromotionQueue.
    size_t max_carried_bytes = size_t{64} << 20;
  };
  // OK, or why it could not be promoted, which is counted and logged.
  using Executor = std::function<absl::Status(const PromotionRequest& request)>;

  explicit PromotionPool(const Options& options);  // Executes nothing: for dry runs.
  PromotionPool(const Options& options, Executor executor);
  ~PromotionPool();
  PromotionPool(const PromotionPool&) = delete;
  PromotionPool& operator=(const PromotionPool&) = delete;

  // Never waits for a worker.
  PromotionOutcome Schedule(PromotionRequest request);

  // From here on everything is refused. What is queued is still carried out. Does not wait.
  void Shutdown();

  // Each number is whole; together they may be a step apart.
  PromotionCounts counts() const;
  // How full the queue is. Nobody needs to act on it, since the queue drops by itself.
  const BackpressureController& pressure() const { return pressure_; }

 private:
  void Work();
  absl::Status Execute(const PromotionRequest& request);
  void Warn(const PromotionRequest& request, const absl::Status& why);

  const Executor executor_;  // Empty: none.
  mutable std::mutex mutex_;
  std::condition_variable work_;
  PromotionQueue queue_;  // Guarded by mutex_.
  BackpressureController pressure_;
  LogRateLimiter failure_lines_;
  std::vector<std::thread> workers_;  // Last: they use all of the above.
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_PROMOTION_POOL_H_
