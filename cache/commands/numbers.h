// Numbers as Redis reads and writes them in values and arguments.

#ifndef TIDEMARK_CACHE_COMMANDS_NUMBERS_H_
#define TIDEMARK_CACHE_COMMANDS_NUMBERS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "cache/reply.h"

namespace tidemark::cache {

// A whole number in the one way that it would be written: no spaces, '+', "-0" or leading zeros.
std::optional<int64_t> ParseInteger(std::string_view text);
// As above; what is not one is answered with Redis' error.
std::optional<int64_t> ParseInteger(std::string_view text, ReplyBuilder& reply);

// What strtold takes, whole and without spaces before it; no NaN, no overflow or underflow.
std::optional<long double> ParseLongDouble(std::string_view text);

// A finite number in decimal notation, rounded to 17 places after the point, without trailing
// zeros.
class DecimalText {
 public:
  explicit DecimalText(long double value);
  std::string_view view() const { return {digits_, size_}; }

 private:
  // The largest long double has 4933 digits before the point.
  char digits_[5 * 1024];
  size_t size_ = 0;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_NUMBERS_H_
