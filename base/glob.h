// Glob patterns as KEYS, SCAN MATCH and CONFIG GET take them:
//
//   *        any bytes, or none
//   ?        one byte
//   \x       x itself
//   [abc]    one of these bytes
//   [a-z]    one byte between these two, whichever is the greater
//   [^a-z]   one byte that is not
//
// Odd patterns mean what they mean to Redis: an unclosed class ends with the pattern, a lone '\' at
// the end is itself, an escaped letter in a class keeps its case. (But here "**" matches an empty
// text.)

#ifndef TIDEMARK_BASE_GLOB_H_
#define TIDEMARK_BASE_GLOB_H_

#include <string_view>

namespace tidemark {

enum class GlobCase { kSensitive, kInsensitive };

// Takes time in proportion to pattern.size() * text.size() at most, whatever the pattern.
bool GlobMatch(std::string_view pattern, std::string_view text,
               GlobCase letter_case = GlobCase::kSensitive);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_GLOB_H_
