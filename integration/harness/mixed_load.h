// MixedLoad writes as many programs do at once: every kind of write that a stream of mutations must
// carry, on keys that meet, many of them across shards. The same seed gives the same commands.
//
// Threading: one thread; BackgroundLoad brings its own.

#ifndef TIDEMARK_INTEGRATION_HARNESS_MIXED_LOAD_H_
#define TIDEMARK_INTEGRATION_HARNESS_MIXED_LOAD_H_

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "integration/harness/redis_client.h"

namespace tidemark::integration {

class MixedLoad {
 public:
  struct Options {
    uint64_t seed = 1;
    int keys = 1000;         // Strings, and as many counters.
    bool flush_all = false;  // One FLUSHALL in a few thousand commands.
  };
  explicit MixedLoad(const Options& options) : options_(options), random_(options.seed) {}

  // The next command: SET with and without expiry, INCR, MSET, DEL, EXPIRE, PERSIST, APPEND,
  // RENAME.
  std::vector<std::string> NextCommand();

  // Sends `commands` of them in pipelines. Empty if each was answered as it should be (a RENAME may
  // find nothing to rename), else what was wrong first.
  std::string Run(RedisClient& client, int commands);

 private:
  int Draw(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  std::string StringKey() { return "string:" + std::to_string(Draw(options_.keys)); }
  std::string CounterKey() { return "counter:" + std::to_string(Draw(options_.keys)); }
  std::string Value() {
    return std::string(static_cast<size_t>(Draw(200)), static_cast<char>('a' + Draw(26)));
  }

  const Options options_;
  std::mt19937_64 random_;
};

// Runs a MixedLoad on a thread of its own until it is stopped or the server is gone.
class BackgroundLoad {
 public:
  BackgroundLoad(int port, const MixedLoad::Options& options);
  ~BackgroundLoad() { Stop(); }

  // Commands answered so far.
  int64_t commands() const { return commands_.load(std::memory_order_relaxed); }

  // Ends it. Empty if all was answered as it should be, else what was wrong first.
  std::string Stop();

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> commands_{0};
  std::string fault_;  // The thread's until it is joined.
  std::thread thread_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_MIXED_LOAD_H_
