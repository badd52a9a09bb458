// TokenWaiters holds what one shard's clients wait for: tokens that what is served must reach, each
// until its deadline.
//
//   waiters.Add({.token = t, .deadline_ms = now + ms, .done = ...});
//   waiters.OnPosition(position);     // It has moved; one pass over all that wait.
//   waiters.OnTime(now_ms, position); // Now and then while !empty().
//
// A core. Threading: confined to its shard's thread.
// Memory: a waiter for each client that waits, and a client waits for one thing at a time.

#ifndef TIDEMARK_SERVER_TOKEN_WAITERS_H_
#define TIDEMARK_SERVER_TOKEN_WAITERS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "replication/served_position.h"
#include "server/freshness.h"
#include "server/stream_token.h"

namespace tidemark::server {

class TokenWaiters {
 public:
  // kCovered; kLost; or, when the time is out, what it then was.
  using Done = std::function<void(Coverage, const replication::ServedPosition&)>;
  struct Waiter {
    uint64_t client = 0;
    StreamToken token;
    int64_t deadline_ms = 0;
    Done done;
  };

  // `done` is not called from within.
  void Add(Waiter waiter) {
    earliest_deadline_ms_ = std::min(earliest_deadline_ms_, waiter.deadline_ms);
    waiters_.push_back(std::move(waiter));
  }
  // The client is gone: nobody is called back.
  void Forget(uint64_t client);

  // Calls back those whose wait this ends, in the order in which they came. They may Add().
  void OnPosition(const replication::ServedPosition& position);
  void OnTime(int64_t now_ms, const replication::ServedPosition& position);

  bool empty() const { return waiters_.empty(); }
  size_t size() const { return waiters_.size(); }
  // Whether OnTime() has something to do.
  bool due(int64_t now_ms) const { return earliest_deadline_ms_ <= now_ms; }

  struct Counters {
    uint64_t waits = 0;     // That came to an end.
    uint64_t timeouts = 0;  // Of them.
  };
  const Counters& counters() const { return counters_; }

 private:
  void Finish(int64_t now_ms, const replication::ServedPosition& position);

  std::vector<Waiter> waiters_;
  int64_t earliest_deadline_ms_ = std::numeric_limits<int64_t>::max();  // Or earlier.
  Counters counters_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_TOKEN_WAITERS_H_
