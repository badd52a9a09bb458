#include "base/settings/glob.h"

#include <cstddef>

namespace tidemark {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Matches one character against the element of `pattern` at `at`, which is not '*', and moves `at`
// past the element.
bool ElementMatches(std::string_view pattern, size_t& at, char c) {
  c = Lower(c);
  if (pattern[at] == '?') {
    ++at;
    return true;
  }
  if (pattern[at] == '\\' && at + 1 < pattern.size())
    ++at;
  else if (pattern[at] == '[') {
    ++at;
    const bool negated = at < pattern.size() && pattern[at] == '^';
    if (negated) ++at;
    bool found = false;
    while (at < pattern.size() && pattern[at] != ']') {
      if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
      const char low = Lower(pattern[at++]);
      char high = low;
      if (at + 1 < pattern.size() && pattern[at] == '-') {
        high = Lower(pattern[at + 1]);
        at += 2;
      }
      if ((c >= low && c <= high) || (c >= high && c <= low)) found = true;
    }
    if (at < pattern.size()) ++at;  // The ']'; a class that is not closed ends with the pattern.
    return found != negated;
  }
  return Lower(pattern[at++]) == c;
}

}  // namespace

bool GlobMatchesIgnoringCase(std::string_view pattern, std::string_view name) {
  size_t at = 0;
  size_t next = 0;
  // After a mismatch only the last star needs to be tried again, with one more character.
  size_t star = std::string_view::npos;
  size_t star_next = 0;
  while (next < name.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = ++at;
      star_next = next;
      continue;
    }
    if (at < pattern.size() && ElementMatches(pattern, at, name[next])) {
      ++next;
      continue;
    }
    if (star == std::string_view::npos) return false;
    at = star;
    next = ++star_next;
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace tidemark
