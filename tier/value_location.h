// ValueLocation says where in the value log a demoted value stands: what a cold entry holds in
// place of its value.
//
// Every location is used once ever, for one value of one key: segments are numbered from 1, their
// numbers are never used again while the node runs, and a segment is only ever appended to. So "the
// entry is still at this location" proves that nothing has happened to the value since the location
// was taken down; no generation is needed beside it. (After a restart the log is empty and so is
// everything that held a location.)

#ifndef TIDEMARK_TIER_VALUE_LOCATION_H_
#define TIDEMARK_TIER_VALUE_LOCATION_H_

#include <cstdint>
#include <type_traits>
#include <utility>

namespace tidemark::tier {

struct ValueLocation {
  uint32_t segment = 0;  // From 1; 0: nowhere.
  uint32_t offset = 0;   // Of the record within the segment.
  uint32_t bytes = 0;    // Of the whole record, as it is stored.

  bool is_null() const { return segment == 0; }

  friend bool operator==(const ValueLocation&, const ValueLocation&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ValueLocation& location) {
    // No two locations share a beginning.
    return H::combine(std::move(h), location.segment, location.offset);
  }
};

static_assert(sizeof(ValueLocation) == 12 && alignof(ValueLocation) == 4);
static_assert(std::is_trivially_copyable_v<ValueLocation>);

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_VALUE_LOCATION_H_
