#include <chrono>
#include <condition_variable>
#include <mutex>

#include "cache/reactor.h"

namespace tidemark::cache {
namespace {

class EventReactor final : public Reactor {
 public:
  size_t Poll() override { return 0; }

  size_t Wait(int64_t timeout_ns) override {
    std::unique_lock lock(mutex_);
    // The system clock, as thread sanitizer does not know the wait on the steady one; a step of the
    // clock at worst lengthens or shortens one wait, and no wait is longer than the shard's park.
    changed_.wait_until(lock,
                        std::chrono::system_clock::now() + std::chrono::nanoseconds(timeout_ns),
                        [this] { return woken_; });
    woken_ = false;
    return 0;
  }

  void Wake() override {
    {
      std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;  // Guarded by mutex_.
};

}  // namespace

std::unique_ptr<Reactor> MakeEventReactor() { return std::make_unique<EventReactor>(); }

}  // namespace tidemark::cache
