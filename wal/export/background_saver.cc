#include "wal/export/background_saver.h"

#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/log/log.h"
#include "fmt/format.h"

namespace tidemark::wal {

BackgroundSaver::BackgroundSaver(std::function<absl::Status(const std::string&)> save,
                                 int64_t retry_ms)
    : save_(std::move(save)), retry_ms_(retry_ms), thread_([this] { Run(); }) {}

BackgroundSaver::~BackgroundSaver() { Stop(); }

void BackgroundSaver::Save(std::string contents) {
  std::lock_guard lock(mutex_);
  waiting_ = std::move(contents);
  changed_.notify_one();
}

void BackgroundSaver::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void BackgroundSaver::Run() {
  LogRateLimiter log(10'000'000'000);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return waiting_.has_value() || stopping_; });
    if (!waiting_.has_value()) return;
    std::string contents = *std::exchange(waiting_, std::nullopt);
    lock.unlock();
    const absl::Status saved = save_(contents);
    if (!saved.ok()) {
      failures_.fetch_add(1, std::memory_order_relaxed);
      if (const auto held_back = log.Allow(Clock::System().MonotonicNanos())) {
        Log(LogLevel::kWarning,
            fmt::format("cannot save the consumers' positions: {} ({} more like this)",
                        std::string(saved.message()), *held_back));
      }
    }
    lock.lock();
    if (saved.ok() || stopping_) continue;
    // What is newer by now goes first.
    changed_.wait_for(lock, std::chrono::milliseconds(retry_ms_), [this] { return stopping_; });
    if (!waiting_.has_value()) waiting_ = std::move(contents);
  }
}

}  // namespace tidemark::wal
