// What an allocation really costs: jemalloc's size classes, by arithmetic instead of a call.
//
// Entries ask for whole classes, so that a value may grow to the end of its class in place,
// whatever allocator is linked. The rule is in jemalloc(3), "Implementation notes": multiples of 16
// bytes up to 128, then four classes to each doubling.

#ifndef TIDEMARK_CACHE_SIZE_CLASS_H_
#define TIDEMARK_CACHE_SIZE_CLASS_H_

#include <bit>
#include <cstddef>

namespace tidemark::cache {

// The bytes that the allocator sets aside for a request of `bytes` > 0.
constexpr size_t AllocatedBytes(size_t bytes) {
  const size_t step = bytes <= 128 ? 16 : size_t{1} << (std::bit_width(bytes - 1) - 3);
  return (bytes + step - 1) & ~(step - 1);
}

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_SIZE_CLASS_H_
