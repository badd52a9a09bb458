// WriterInbox brings the writer's thread its work, and wakes it.
//
// It has no bound of its own: each front bounds what it has under way, from Write() to the answer.
//
// Threading: thread-safe; one thread takes and waits.

#ifndef TIDEMARK_TIER_WRITER_INBOX_H_
#define TIDEMARK_TIER_WRITER_INBOX_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "tier/tier_messages.h"

namespace tidemark::tier {

class WriterInbox {
 public:
  void Push(PendingWrite write) {
    {
      const std::lock_guard lock(mutex_);
      writes_.push_back(std::move(write));
      kicked_ = true;
    }
    wake_.notify_one();
  }
  // There may be something to do other than to write.
  void Kick() {
    {
      const std::lock_guard lock(mutex_);
      kicked_ = true;
    }
    wake_.notify_one();
  }
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_one();
  }

  // All that has come since the last call.
  std::vector<PendingWrite> Take() {
    const std::lock_guard lock(mutex_);
    kicked_ = false;
    return std::exchange(writes_, {});
  }
  // Until something has come since the last Take(), it is stopped, or `ns` have passed; a negative
  // `ns` never pass. False: it is stopped.
  bool Wait(int64_t ns) {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return kicked_ || stopped_; };
    if (ns < 0) {
      wake_.wait(lock, ready);
    } else {
      wake_.wait_for(lock, std::chrono::nanoseconds(ns), ready);
    }
    return !stopped_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<PendingWrite> writes_;
  bool kicked_ = false;
  bool stopped_ = false;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_WRITER_INBOX_H_
