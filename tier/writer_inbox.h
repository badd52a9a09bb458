// WriterInbox brings the writer's thread its work, and wakes it: not for each value, since those
// that wait for others to go out with would only be gathered by it one by one.
//
// It has no bound of its own: each front bounds what it has under way, from Write() to the answer.
//
// Threading: thread-safe; one thread takes and waits.

#ifndef TIDEMARK_TIER_WRITER_INBOX_H_
#define TIDEMARK_TIER_WRITER_INBOX_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
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
      bytes_ += write.bytes();
      hurried_ |= write.hurried;
      writes_.push_back(std::move(write));
      if (!Due()) return;
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
    hurried_ = false;
    bytes_ = 0;
    return std::exchange(writes_, {});
  }
  // Until, since the last Take(), it was kicked or values have come, `enough_bytes` of them or one
  // that is hurried; or it is stopped, or `ns` have passed; a negative `ns` never pass. False: it
  // is stopped.
  bool Wait(int64_t ns, size_t enough_bytes) {
    std::unique_lock lock(mutex_);
    enough_bytes_ = enough_bytes;
    const auto due = [this] { return Due(); };
    if (ns < 0) {
      wake_.wait(lock, due);
    } else {
      wake_.wait_for(lock, std::chrono::nanoseconds(ns), due);
    }
    return !stopped_;
  }

 private:
  // Requires: mutex_ is held.
  bool Due() const {
    return kicked_ || stopped_ || hurried_ || (!writes_.empty() && bytes_ >= enough_bytes_);
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<PendingWrite> writes_;
  size_t bytes_ = 0;         // Of writes_.
  size_t enough_bytes_ = 1;  // What the writer waits for.
  bool hurried_ = false;     // One of writes_ is.
  bool kicked_ = false;
  bool stopped_ = false;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_WRITER_INBOX_H_
