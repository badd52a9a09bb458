// Small text helpers that the server's commands share.

#ifndef TIDEMARK_SERVER_TEXT_H_
#define TIDEMARK_SERVER_TEXT_H_

#include <algorithm>
#include <string>
#include <string_view>

namespace tidemark::server {

inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

inline char LowerCase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

inline bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerCase(x) == LowerCase(y); });
}

inline std::string ToLower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), LowerCase);
  return result;
}

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_TEXT_H_
