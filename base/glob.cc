#include "base/glob.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/text.h"

namespace tidemark {
namespace {

// Signed, so that a range with an end beyond ASCII means what it means to Redis.
signed char Fold(char c, GlobCase letter_case) {
  return static_cast<signed char>(letter_case == GlobCase::kInsensitive ? LowerCase(c) : c);
}

// Matches `byte` against the class that begins at pattern[at] == '['. Moves `at` past the class.
bool MatchClass(std::string_view pattern, size_t& at, char byte, GlobCase letter_case) {
  const signed char c = Fold(byte, letter_case);
  size_t i = at + 1;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool found = false;
  while (i < pattern.size() && pattern[i] != ']') {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      found |= pattern[i + 1] == byte;  // An escaped letter keeps its case.
      i += 2;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      const std::pair<signed char, signed char> range = std::minmax(
          static_cast<signed char>(pattern[i]), static_cast<signed char>(pattern[i + 2]));
      found |= Fold(range.first, letter_case) <= c && c <= Fold(range.second, letter_case);
      i += 3;
    } else {
      found |= Fold(pattern[i], letter_case) == c;
      ++i;
    }
  }
  at = std::min(i + 1, pattern.size());
  return found != negated;
}

// Matches `byte` against the one-byte element at pattern[at], not a '*'. Moves `at` past the
// element.
bool MatchOne(std::string_view pattern, size_t& at, char byte, GlobCase letter_case) {
  if (pattern[at] == '[') return MatchClass(pattern, at, byte, letter_case);
  if (pattern[at] == '?') return ++at, true;
  if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
  return Fold(pattern[at++], letter_case) == Fold(byte, letter_case);
}

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view text, GlobCase letter_case) {
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t p = 0;
  size_t t = 0;
  // Where to go on if what follows the last '*' does not match: the star takes one byte more.
  // Earlier stars never need to take more than they did, so there is one place to return to, not a
  // tree.
  size_t after_star = kNone;
  size_t star_end = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      star_end = t;
    } else if (p < pattern.size() && MatchOne(pattern, p, text[t], letter_case)) {
      ++t;
    } else if (after_star != kNone) {
      p = after_star;
      t = ++star_end;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace tidemark
