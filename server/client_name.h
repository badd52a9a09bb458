// What clients may call themselves: names show in the lines of CLIENT LIST, separated by blanks.

#ifndef TIDEMARK_SERVER_CLIENT_NAME_H_
#define TIDEMARK_SERVER_CLIENT_NAME_H_

#include <algorithm>
#include <string_view>

namespace tidemark::server {

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

inline bool IsOneVisibleWord(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_CLIENT_NAME_H_
