// What a setting's text means: parsing, and saying what would have been right.

#ifndef TIDEMARK_BASE_SETTINGS_SETTING_VALUE_H_
#define TIDEMARK_BASE_SETTINGS_SETTING_VALUE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/settings/setting_spec.h"

namespace tidemark {

// A value as both of its readers want it: the number for hot paths, the text as CONFIG GET shows it
// (bytes in full, without suffix).
struct SettingValue {
  int64_t number = 0;  // Of a bool, int, bytes, or the index of a choice.
  std::string text;
};

// How the words of a boolean are read.
enum class BoolWords : uint8_t {
  kRedis,  // "yes", "no".
  kAny,    // Also "true", "false", "1", "0".
};

// `current` is the text kept now. The error's message is the detail that Redis gives in CONFIG SET.
absl::StatusOr<SettingValue> ParseSetting(const SettingSpec& spec, std::string_view current,
                                          std::string_view text, BoolWords words);

// What would be right: "a whole number from 0 to 65535".
std::string Expectation(const SettingSpec& spec);

// A size as Redis reads it, without regard to case: b, k (1000), kb (1024), m, mb, g, gb. No sign.
// None if it is not one or does not fit.
std::optional<int64_t> ParseBytes(std::string_view text);

// The largest suffix that divides `bytes`: "512mb", "65535".
std::string FormatBytes(int64_t bytes);

// SettingSpec::canonical of "HOST:PORT"; an IPv6 host is in brackets.
absl::StatusOr<std::string> CanonicalHostAndPort(std::string_view current, std::string_view text);
// As CanonicalHostAndPort; port 0, for which the kernel chooses one, is good too.
absl::StatusOr<std::string> CanonicalHostAndAnyPort(std::string_view current,
                                                    std::string_view text);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_SETTING_VALUE_H_
