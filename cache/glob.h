// Glob patterns as KEYS, SCAN MATCH and CONFIG GET take them:
//
//   *        any bytes, none included       [abc]    one of these bytes
//   ?        one byte                       [a-z]    one byte of the range, whichever end comes
//   first \x       x itself                       [^a-z]   one byte that is not
//
// Odd patterns mean what they mean to Redis: an unclosed class ends with the pattern, a lone '\' at
// the end is itself.

#ifndef TIDEMARK_CACHE_GLOB_H_
#define TIDEMARK_CACHE_GLOB_H_

#include <string_view>

namespace tidemark::cache {

enum class GlobCase { kSensitive, kInsensitive };

// Takes time in proportion to pattern.size() * text.size() at most, whatever the pattern.
bool GlobMatch(std::string_view pattern, std::string_view text,
               GlobCase letter_case = GlobCase::kSensitive);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_GLOB_H_
