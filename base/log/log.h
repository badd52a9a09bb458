// Log writes one line to stderr: "2026-11-21T09:41:07.123Z I 4242 replica 127.0.0.1:6380 is
// online".
//
// Level (D, I, W, E) and the kernel's thread id follow the time. Bytes of a message that could
// break the line or a terminal are escaped, so a client's words may be logged.
//
// Threading: thread-safe. A line is written whole, under a lock: never log per command.

#ifndef TIDEMARK_BASE_LOG_LOG_H_
#define TIDEMARK_BASE_LOG_LOG_H_

#include <atomic>
#include <cstdint>
#include <string_view>

namespace tidemark {

enum class LogLevel : uint8_t {
  kDebug,    // For whoever works on the node's code.
  kInfo,     // What an operator wants to find afterwards.
  kWarning,  // What an operator should look at.
  kError,    // What made the node refuse its service, or part of it.
};

// The least level that is written; kInfo at first. Process-wide, as stderr is.
void SetLogLevel(LogLevel least);
bool LogEnabled(LogLevel level);

void Log(LogLevel level, std::string_view message);

// LogRateLimiter keeps a line that could repeat without end (a peer that reconnects, a full queue)
// to a few an interval, and counts what it held back.
//
//   if (auto held_back = limiter.Allow(clock.MonotonicNanos())) {
//     Log(LogLevel::kWarning, fmt::format("cannot accept: {} ({} more like this)", why,
//     *held_back));
//   }
//
// Threading: thread-safe; one per line of code, not per peer.
class LogRateLimiter {
 public:
  struct Decision {
    bool write = false;
    uint64_t held_back = 0;  // Lines held back since the last one written, if `write`.

    explicit operator bool() const { return write; }
    uint64_t operator*() const { return held_back; }
  };

  // At most one line each `interval_ns`.
  explicit LogRateLimiter(int64_t interval_ns = 1'000'000'000) : interval_ns_(interval_ns) {}

  Decision Allow(int64_t now_ns);

 private:
  const int64_t interval_ns_;
  std::atomic<int64_t> next_ns_{INT64_MIN};
  std::atomic<uint64_t> held_back_{0};
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LOG_LOG_H_
