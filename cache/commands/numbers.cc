#include "cache/commands/numbers.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cache/commands/errors.h"

namespace tidemark::cache {

std::optional<int64_t> ParseInteger(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.starts_with('0') && text.size() > 1) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseInteger(std::string_view text, ReplyBuilder& reply) {
  const std::optional<int64_t> value = ParseInteger(text);
  if (!value) reply.Error(kNotAnInteger);
  return value;
}

std::optional<long double> ParseLongDouble(std::string_view text) {
  char copy[5 * 1024];
  if (text.empty() || text.size() >= sizeof(copy)) return std::nullopt;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  const bool leading_space = copy[0] == ' ' || (copy[0] >= '\t' && copy[0] <= '\r');
  char* end = nullptr;
  errno = 0;
  const long double value = std::strtold(copy, &end);
  const bool out_of_range = errno == ERANGE && (std::isinf(value) || value == 0);
  if (leading_space || end != copy + text.size() || out_of_range || std::isnan(value)) {
    return std::nullopt;
  }
  return value;
}

DecimalText::DecimalText(long double value) {
  const int written = std::snprintf(digits_, sizeof(digits_), "%.17Lf", value);
  size_ = static_cast<size_t>(written);
  while (digits_[size_ - 1] == '0') --size_;
  if (digits_[size_ - 1] == '.') --size_;
  if (view() == "-0") {
    digits_[0] = '0';
    size_ = 1;
  }
}

}  // namespace tidemark::cache
