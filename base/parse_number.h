// Strict parsing of the numbers that clients send: the whole text or nothing.

#ifndef TIDEMARK_BASE_PARSE_NUMBER_H_
#define TIDEMARK_BASE_PARSE_NUMBER_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidemark {

// A decimal integer in its shortest form: no sign but '-', no leading zeros, no spaces.
std::optional<int64_t> ParseInt64(std::string_view text);

// A finite or infinite number, not NaN, without spaces around it.
std::optional<double> ParseDouble(std::string_view text);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_PARSE_NUMBER_H_
