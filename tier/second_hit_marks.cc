#include "tier/second_hit_marks.h"

#include <algorithm>
#include <bit>

namespace tidemark::tier {
namespace {

// Spreads the values of one segment, whose offsets ascend, over all sets (the finaliser of
// MurmurHash3, github.com/aappleby/smhasher).
uint64_t Mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

}  // namespace

SecondHitMarks::SecondHitMarks(size_t marks)
    : sets_(std::bit_ceil(std::max(marks, kWays)) / kWays, Set{}) {}

bool SecondHitMarks::Hit(ValueLocation location) {
  const uint64_t mark = (uint64_t{location.segment} << 32) | location.offset;
  Set& set = sets_[Mix(mark) & (sets_.size() - 1)];
  const auto found = std::find(set.begin(), set.end(), mark);
  if (found != set.end()) {
    std::move(found + 1, set.end(), found);
    set.back() = 0;
    return true;
  }
  if (set.back() != 0) ++pushed_out_total_;
  std::move_backward(set.begin(), set.end() - 1, set.end());
  set.front() = mark;
  return false;
}

}  // namespace tidemark::tier
