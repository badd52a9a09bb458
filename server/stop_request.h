// StopRequest is where the main thread waits, and what whoever wants the node to stop calls.
//
// Threading: thread-safe.

#ifndef TIDEMARK_SERVER_STOP_REQUEST_H_
#define TIDEMARK_SERVER_STOP_REQUEST_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

namespace tidemark::server {

class StopRequest {
 public:
  // The first reason stays.
  void Ask(std::string reason) {
    const std::lock_guard lock(mutex_);
    if (!asked_) reason_ = std::move(reason);
    asked_ = true;
    changed_.notify_all();
  }
  // Something that a condition of WaitUntil looks at has changed.
  void Notify() {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  bool asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  // Waits for a stop or for `condition`. True if the condition holds and no stop was asked for.
  bool WaitUntil(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_ || condition(); });
    return !asked_;
  }
  // Waits for a stop and returns its reason.
  std::string Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_; });
    return reason_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;
  std::string reason_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_STOP_REQUEST_H_
