// ReadQueue brings the reading threads their work. It has no bound of its own: each front bounds
// the reads that it has under way.
//
// Threading: thread-safe; any number of threads take.

#ifndef TIDEMARK_TIER_READ_QUEUE_H_
#define TIDEMARK_TIER_READ_QUEUE_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "tier/segment_store.h"
#include "tier/tier_front.h"
#include "tier/value_location.h"

namespace tidemark::tier {

// One read of the disk, and all who wait for it.
struct SharedRead {
  const std::string key;
  const ValueLocation asked;  // What is read.
  const int64_t begun_at_ns;

  // The shard's thread only.
  ValueLocation now = {};  // Where the value stands, if it has moved since.
  std::vector<ReadDone> waiters = {};
};

struct ReadJob {
  ShardId shard = {};
  std::shared_ptr<SharedRead> read = {};
  SegmentRef segment = {};  // Keeps what is to be read readable.
};

class ReadQueue {
 public:
  // False: it is closed.
  bool Push(ReadJob job) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      jobs_.push_back(std::move(job));
    }
    work_.notify_one();
    return true;
  }
  // The oldest; waits for one. nullopt: it is closed.
  std::optional<ReadJob> Pop() {
    std::unique_lock lock(mutex_);
    work_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
    if (closed_) return std::nullopt;
    ReadJob job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return jobs_.size();
  }
  // Returns what nobody will take any more.
  std::deque<ReadJob> Close() {
    std::deque<ReadJob> left;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      left.swap(jobs_);
    }
    work_.notify_all();
    return left;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::deque<ReadJob> jobs_;
  bool closed_ = false;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_READ_QUEUE_H_
