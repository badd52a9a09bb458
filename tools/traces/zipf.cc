#include "tools/traces/zipf.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace tidemark::traces {

Zipf::Zipf(uint64_t count, double s) {
  CHECK(count > 0 && s >= 0);
  cumulated_.reserve(count);
  double sum = 0;
  for (uint64_t rank = 0; rank < count; ++rank) {
    sum += std::pow(static_cast<double>(rank + 1), -s);
    cumulated_.push_back(sum);
  }
  for (double& each : cumulated_) each /= sum;
}

uint64_t Zipf::Draw(Random& random) const {
  // Unit() is below 1, which is the last: there is always one above.
  const auto found = std::upper_bound(cumulated_.begin(), cumulated_.end(), random.Unit());
  return static_cast<uint64_t>(found - cumulated_.begin());
}

double Zipf::ShareBelow(uint64_t rank) const {
  return rank == 0 ? 0 : cumulated_[std::min<uint64_t>(rank, cumulated_.size()) - 1];
}

}  // namespace tidemark::traces
