#include "base/settings/setting_value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "base/check.h"
#include "base/text.h"

namespace tidemark {
namespace {

struct Suffix {
  std::string_view text;
  int64_t bytes;
};
constexpr Suffix kSuffixes[] = {
    {"", 1},          {"b", 1},        {"k", 1000},          {"kb", 1 << 10},
    {"m", 1'000'000}, {"mb", 1 << 20}, {"g", 1'000'000'000}, {"gb", 1 << 30},
};

// The whole of `text` as a number; none if it is not one.
std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<bool> ParseBool(std::string_view text, BoolWords words) {
  const bool any = words == BoolWords::kAny;
  if (EqualsIgnoreCase(text, "yes")) return true;
  if (EqualsIgnoreCase(text, "no")) return false;
  if (any && (EqualsIgnoreCase(text, "true") || text == "1")) return true;
  if (any && (EqualsIgnoreCase(text, "false") || text == "0")) return false;
  return std::nullopt;
}

absl::Status CheckRange(const SettingSpec& spec, int64_t number) {
  if (number >= spec.min && number <= spec.max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("argument must be between {} and {} inclusive", spec.min, spec.max));
}

absl::StatusOr<SettingValue> NumberIn(const SettingSpec& spec, std::optional<int64_t> number,
                                      std::string_view what_it_is_not) {
  if (!number) return absl::InvalidArgumentError(std::string(what_it_is_not));
  if (absl::Status in_range = CheckRange(spec, *number); !in_range.ok()) return in_range;
  return SettingValue{.number = *number, .text = std::to_string(*number)};
}

absl::StatusOr<SettingValue> ParseChoice(const SettingSpec& spec, std::string_view text) {
  for (size_t i = 0; i < spec.choices.size(); ++i) {
    if (!EqualsIgnoreCase(text, spec.choices[i])) continue;
    return SettingValue{.number = static_cast<int64_t>(i), .text = std::string(spec.choices[i])};
  }
  return absl::InvalidArgumentError(
      fmt::format("argument(s) must be one of the following: {}", fmt::join(spec.choices, ", ")));
}

absl::StatusOr<SettingValue> ParseString(const SettingSpec& spec, std::string_view current,
                                         std::string_view text) {
  if (spec.canonical == nullptr) return SettingValue{.text = std::string(text)};
  absl::StatusOr<std::string> canonical = spec.canonical(current, text);
  if (!canonical.ok()) return canonical.status();
  return SettingValue{.text = *std::move(canonical)};
}

}  // namespace

absl::StatusOr<SettingValue> ParseSetting(const SettingSpec& spec, std::string_view current,
                                          std::string_view text, BoolWords words) {
  switch (spec.type) {
    case SettingType::kBool: {
      const std::optional<bool> on = ParseBool(text, words);
      if (!on) return absl::InvalidArgumentError("argument must be 'yes' or 'no'");
      return SettingValue{.number = *on, .text = *on ? "yes" : "no"};
    }
    case SettingType::kInt:
      if (spec.may_be_none && EqualsIgnoreCase(text, "none")) {
        return SettingValue{.number = -1, .text = "none"};
      }
      return NumberIn(spec, ParseInteger(text), "argument couldn't be parsed into an integer");
    case SettingType::kBytes:
      return NumberIn(spec, ParseBytes(text), "argument must be a memory value");
    case SettingType::kChoice:
      return ParseChoice(spec, text);
    case SettingType::kString:
    case SettingType::kSecret:
      return ParseString(spec, current, text);
  }
  CHECK(false);
}

std::string Expectation(const SettingSpec& spec) {
  switch (spec.type) {
    case SettingType::kBool:
      return "yes or no";
    case SettingType::kInt:
      return fmt::format("a whole number{}{} {}{}", spec.unit.empty() ? "" : " of ", spec.unit,
                         spec.max == INT64_MAX ? fmt::format("not below {}", spec.min)
                                               : fmt::format("from {} to {}", spec.min, spec.max),
                         spec.may_be_none ? ", or none" : "");
    case SettingType::kBytes:
      return spec.max == INT64_MAX
                 ? fmt::format("a size like 64mb, not below {}", FormatBytes(spec.min))
                 : fmt::format("a size like 64mb, from {} to {}", FormatBytes(spec.min),
                               FormatBytes(spec.max));
    case SettingType::kChoice:
      return fmt::format("one of {}", fmt::join(spec.choices, ", "));
    case SettingType::kString:
    case SettingType::kSecret:
      return "a string";
  }
  CHECK(false);
}

std::optional<int64_t> ParseBytes(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<int64_t> number = ParseInteger(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const Suffix& suffix : kSuffixes) {
    if (!EqualsIgnoreCase(text.substr(digits), suffix.text)) continue;
    if (*number > INT64_MAX / suffix.bytes) return std::nullopt;
    return *number * suffix.bytes;
  }
  return std::nullopt;
}

std::string FormatBytes(int64_t bytes) {
  for (std::string_view text : {"gb", "mb", "kb"}) {
    const int64_t unit = text == "gb" ? 1 << 30 : text == "mb" ? 1 << 20 : 1 << 10;
    if (bytes != 0 && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, text);
  }
  return std::to_string(bytes);
}

namespace {

absl::StatusOr<std::string> HostAndPort(std::string_view text, int64_t least_port) {
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && colon > 0) {
    const std::string_view host = text.substr(0, colon);
    const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
    const std::optional<int64_t> port = ParseInteger(text.substr(colon + 1));
    if ((bracketed || host.find_first_of(":[]") == std::string_view::npos) && port &&
        *port >= least_port && *port <= 65535) {
      return std::string(text);
    }
  }
  return absl::InvalidArgumentError("argument must be HOST:PORT, such as 127.0.0.1:7631");
}

}  // namespace

absl::StatusOr<std::string> CanonicalHostAndPort(std::string_view, std::string_view text) {
  return HostAndPort(text, 1);
}

absl::StatusOr<std::string> CanonicalHostAndAnyPort(std::string_view, std::string_view text) {
  return HostAndPort(text, 0);
}

}  // namespace tidemark
