// Zipf draws ranks 0 to count - 1 such that rank r comes with a probability proportional to 1 / (r
// + 1)^s.
//
// A table of the cumulated probabilities, searched by halving: exact, and the same on every machine
// as far as its pow() is. 8 bytes a rank.
//
// Threading: const, any thread.

#ifndef TIDEMARK_TOOLS_TRACES_ZIPF_H_
#define TIDEMARK_TOOLS_TRACES_ZIPF_H_

#include <cstdint>
#include <vector>

#include "tools/traces/random.h"

namespace tidemark::traces {

class Zipf {
 public:
  // Requires: count > 0, s >= 0.
  Zipf(uint64_t count, double s);

  uint64_t Draw(Random& random) const;
  // The probability of all ranks below `rank`: what a cache of the `rank` most popular keys would
  // hit.
  double ShareBelow(uint64_t rank) const;

 private:
  std::vector<double> cumulated_;  // [r]: the probability of ranks 0 to r. The last is 1.
};

}  // namespace tidemark::traces

#endif  // TIDEMARK_TOOLS_TRACES_ZIPF_H_
