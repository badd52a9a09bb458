// Names are ASCII and mean the same in upper and lower case: of commands, their options, settings.

#ifndef TIDEMARK_BASE_TEXT_H_
#define TIDEMARK_BASE_TEXT_H_

#include <algorithm>
#include <string>
#include <string_view>

namespace tidemark {

// Other than std::tolower() these know no locale, and take any char.
constexpr char LowerCase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
constexpr char UpperCase(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c; }

constexpr bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerCase(x) == LowerCase(y); });
}

inline std::string ToLower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), LowerCase);
  return result;
}

inline std::string ToUpper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), UpperCase);
  return result;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_TEXT_H_
