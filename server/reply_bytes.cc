#include "server/reply_bytes.h"

#include <charconv>
#include <cstdint>

namespace tidemark::server {

size_t ReplySize(std::string_view bytes) {
  size_t at = 0;
  // Values still to be passed. Nesting needs no stack: an aggregate adds its elements.
  for (uint64_t left = 1; left > 0;) {
    const size_t line = bytes.find("\r\n", at);
    if (line == std::string_view::npos) return 0;
    const char type = bytes[at];
    int64_t count = 0;
    std::from_chars(bytes.data() + at + 1, bytes.data() + line, count);
    at = line + 2;
    --left;
    const uint64_t elements = count > 0 ? static_cast<uint64_t>(count) : 0;
    switch (type) {
      case '$':
      case '=':
        if (count >= 0) at += elements + 2;
        break;
      case '*':
      case '~':
      case '>':
        left += elements;
        break;
      case '%':
        left += 2 * elements;
        break;
      case '|':
        left += 2 * elements + 1;  // And the value that it is about.
        break;
      default:
        break;
    }
    if (at > bytes.size()) return 0;
  }
  return at;
}

}  // namespace tidemark::server
