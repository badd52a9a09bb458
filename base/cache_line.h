// The size of a cache line: what one core writes and another reads must not share a line with
// anything else that is busy.

#ifndef TIDEMARK_BASE_CACHE_LINE_H_
#define TIDEMARK_BASE_CACHE_LINE_H_

#include <cstddef>

namespace tidemark {

// Not std::hardware_destructive_interference_size: that changes with the compiler's flags, and with
// it the layout of every class that uses it.
inline constexpr size_t kCacheLineBytes = 64;

}  // namespace tidemark

#endif  // TIDEMARK_BASE_CACHE_LINE_H_
