// Any pattern, any text: never out of bounds, and equal to an obvious matcher that tries
// everything. Input: the pattern, a zero byte, the text.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/glob.h"

namespace tidemark {
namespace {

// The definition as a recursion on stars; elements of one byte are the matcher's own.
bool Reference(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    for (size_t i = 0; i <= text.size(); ++i) {
      if (Reference(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
  }
  if (text.empty()) return false;
  size_t end = 1;
  if (pattern[0] == '\\' && pattern.size() > 1) end = 2;
  if (pattern[0] == '[') {
    if (end < pattern.size() && pattern[end] == '^') ++end;
    while (end < pattern.size() && pattern[end] != ']') {
      if (pattern[end] == '\\' && end + 1 < pattern.size()) {
        end += 2;
      } else {
        end += end + 2 < pattern.size() && pattern[end + 1] == '-' ? 3 : 1;
      }
    }
    if (end < pattern.size()) ++end;
  }
  return GlobMatch(pattern.substr(0, end), text.substr(0, 1)) &&
         Reference(pattern.substr(end), text.substr(1));
}

}  // namespace
}  // namespace tidemark

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tidemark::GlobCase;
  using tidemark::GlobMatch;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), input.size());
  const std::string_view pattern = input.substr(0, zero);
  const std::string_view text = input.substr(std::min(zero + 1, input.size()));
  const bool matches = GlobMatch(pattern, text);
  GlobMatch(pattern, text, GlobCase::kInsensitive);
  // The reference takes exponential time: small inputs only.
  if (input.size() <= 24) CHECK(matches == tidemark::Reference(pattern, text));
  return 0;
}
