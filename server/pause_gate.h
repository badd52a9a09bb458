// PauseGate is CLIENT PAUSE: until when commands are held back, and which. A pause that comes while
// another lasts only adds to it: the later end holds, and so does the one that holds more back.
// FAILOVER holds writes back on its own account, and neither ends the other.
//
// Threading: thread-safe. Two pauses at the same moment may mix.

#ifndef TIDEMARK_SERVER_PAUSE_GATE_H_
#define TIDEMARK_SERVER_PAUSE_GATE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace tidemark::server {

class PauseGate {
 public:
  void Pause(int64_t now_ms, int64_t for_ms, bool writes_only) {
    int64_t until_ms = now_ms + for_ms;
    if (now_ms < until_ms_.load(std::memory_order_acquire)) {
      writes_only = writes_only && writes_only_.load(std::memory_order_relaxed);
      until_ms = std::max(until_ms, until_ms_.load(std::memory_order_relaxed));
    }
    writes_only_.store(writes_only, std::memory_order_relaxed);
    until_ms_.store(until_ms, std::memory_order_release);
  }
  void Unpause() { until_ms_.store(0, std::memory_order_release); }
  void HoldWrites(bool hold) { holds_writes_.store(hold, std::memory_order_release); }

  bool paused(int64_t now_ms) const {
    return now_ms < until_ms_.load(std::memory_order_acquire) ||
           holds_writes_.load(std::memory_order_acquire);
  }
  bool Holds(bool write, int64_t now_ms) const {
    if (write && holds_writes_.load(std::memory_order_acquire)) return true;
    return now_ms < until_ms_.load(std::memory_order_acquire) &&
           (write || !writes_only_.load(std::memory_order_relaxed));
  }

 private:
  std::atomic<int64_t> until_ms_{0};
  std::atomic<bool> writes_only_{false};
  std::atomic<bool> holds_writes_{false};
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_PAUSE_GATE_H_
