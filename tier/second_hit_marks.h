// SecondHitMarks remembers which values have been read from disk once, so that only the second read
// promotes (PromotionPolicy::kOnSecondHit): most of what is read once is not read again soon, and
// would push out something that is.
//
//   if (marks.Hit(location)) pool.Schedule(...);
//
// A mark names a location, so it needs no clearing when the key is written, deleted or promoted:
// its location never comes back. A value that reclaim moves loses its mark, and is promoted one
// read later.
//
// Bounded: four ways a set, oldest mark out. A mark that was pushed out costs a later promotion.
//
// Threading: one thread at a time; one for each shard.

#ifndef TIDEMARK_TIER_SECOND_HIT_MARKS_H_
#define TIDEMARK_TIER_SECOND_HIT_MARKS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tier/value_location.h"

namespace tidemark::tier {

class SecondHitMarks {
 public:
  // Rounded up to a power of two, at least 4. Takes 8 bytes a mark.
  explicit SecondHitMarks(size_t marks = 16 * 1024);

  // True: it was marked, and no longer is. False: it is marked now.
  bool Hit(ValueLocation location);

  uint64_t pushed_out_total() const { return pushed_out_total_; }

 private:
  static constexpr size_t kWays = 4;
  // Newest first; 0: none.
  using Set = std::array<uint64_t, kWays>;

  std::vector<Set> sets_;
  uint64_t pushed_out_total_ = 0;
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_SECOND_HIT_MARKS_H_
