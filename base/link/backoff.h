// Backoff says how long to wait before the next attempt: doubling from `first_ms` to `longest_ms`,
// each wait drawn between half and all of its step, so that peers cut together do not come back
// together.

#ifndef TIDEMARK_BASE_LINK_BACKOFF_H_
#define TIDEMARK_BASE_LINK_BACKOFF_H_

#include <algorithm>
#include <cstdint>
#include <random>

namespace tidemark {

class Backoff {
 public:
  struct Options {
    int64_t first_ms = 50;
    int64_t longest_ms = 5'000;
  };
  Backoff(const Options& options, uint64_t seed)
      : options_(options), step_ms_(options.first_ms), random_(seed) {}

  int64_t NextMs() {
    const int64_t step = step_ms_;
    step_ms_ = std::min(step_ms_ * 2, options_.longest_ms);
    return std::uniform_int_distribution<int64_t>(step / 2, step)(random_);
  }
  void Reset() { step_ms_ = options_.first_ms; }
  // From here on the longest: what failed will not mend itself soon.
  void Lengthen() { step_ms_ = options_.longest_ms; }

 private:
  const Options options_;
  int64_t step_ms_;
  std::mt19937_64 random_;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_BACKOFF_H_
