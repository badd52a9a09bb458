#include "tier/promotion_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/thread_name.h"

namespace tidemark::tier {

PromotionPool::PromotionPool(const Options& options) : PromotionPool(options, Executor()) {}

PromotionPool::PromotionPool(const Options& options, Executor executor)
    : executor_(std::move(executor)),
      queue_(options.queue_capacity, options.max_carried_bytes),
      pressure_(PressureThresholds()) {
  const size_t workers = std::max<size_t>(options.worker_count, 1);
  workers_.reserve(workers);
  for (size_t i = 0; i < workers; ++i) workers_.emplace_back([this] { Work(); });
}

PromotionPool::~PromotionPool() {
  Shutdown();
  for (std::thread& worker : workers_) worker.join();
}

PromotionOutcome PromotionPool::Schedule(PromotionRequest request) {
  PromotionOutcome outcome;
  {
    const std::lock_guard lock(mutex_);
    outcome = queue_.Push(std::move(request));
    pressure_.Update(UtilisationPercent(queue_.depth(), queue_.capacity()));
  }
  if (outcome != PromotionOutcome::kRefused) work_.notify_one();
  return outcome;
}

void PromotionPool::Shutdown() {
  {
    // Under the lock that Push() runs under: whoever got in before is seen by the workers' last
    // look at the queue, and whoever comes after is refused. Nothing is stranded in between.
    const std::lock_guard lock(mutex_);
    queue_.Close();
  }
  work_.notify_all();
}

PromotionCounts PromotionPool::counts() const {
  const std::lock_guard lock(mutex_);
  return queue_.counts();
}

void PromotionPool::Work() {
  NameThread("tier-promote");
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return !queue_.empty() || queue_.closed(); });
    const std::optional<PromotionRequest> request = queue_.Pop();
    if (!request) return;  // Closed, and drained.
    pressure_.Update(UtilisationPercent(queue_.depth(), queue_.capacity()));
    lock.unlock();
    const absl::Status result = Execute(*request);
    if (!result.ok()) Warn(*request, result);
    lock.lock();
    queue_.Completed(result.ok());
  }
}

absl::Status PromotionPool::Execute(const PromotionRequest& request) {
  if (!executor_) return absl::OkStatus();
  // We throw nothing, but the executor is somebody else's, and an exception that left a thread
  // would end the node for the sake of a promotion.
  try {
    return executor_(request);
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  } catch (...) {
    return absl::InternalError("an exception of unknown type");
  }
}

void PromotionPool::Warn(const PromotionRequest& request, const absl::Status& why) {
  const auto held_back = failure_lines_.Allow(Clock::System().MonotonicNanos());
  if (!held_back) return;
  const absl::string_view text = why.message();
  Log(LogLevel::kWarning,
      fmt::format("a value of shard {} stays on disk, its promotion failed: {} ({} more like this)",
                  request.shard.value(), std::string_view(text.data(), text.size()), *held_back));
}

}  // namespace tidemark::tier
