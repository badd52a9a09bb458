#include "base/settings/output_buffer_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/settings/setting_value.h"
#include "base/text.h"

namespace tidemark {
namespace {

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    const size_t end = std::min(text.find_first_of(" \t", begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

OutputBufferLimit* ClassNamed(std::string_view name, OutputBufferLimits& limits) {
  if (EqualsIgnoreCase(name, "normal")) return &limits.normal;
  if (EqualsIgnoreCase(name, "replica") || EqualsIgnoreCase(name, "slave")) {
    return &limits.replica;
  }
  if (EqualsIgnoreCase(name, "pubsub")) return &limits.pubsub;
  return nullptr;
}

std::optional<int64_t> ParseSeconds(std::string_view text) {
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return ParseBytes(text);
}

}  // namespace

absl::StatusOr<OutputBufferLimits> ParseOutputBufferLimits(const OutputBufferLimits& current,
                                                           std::string_view text) {
  const std::vector<std::string_view> words = Words(text);
  if (words.size() % 4 != 0) {
    return absl::InvalidArgumentError("Wrong number of arguments in buffer limit configuration.");
  }
  OutputBufferLimits limits = current;
  for (size_t i = 0; i < words.size(); i += 4) {
    OutputBufferLimit* limit = ClassNamed(words[i], limits);
    if (limit == nullptr) {
      return absl::InvalidArgumentError(
          "Invalid client class specified in buffer limit configuration.");
    }
    const std::optional<int64_t> hard = ParseBytes(words[i + 1]);
    const std::optional<int64_t> soft = ParseBytes(words[i + 2]);
    const std::optional<int64_t> seconds = ParseSeconds(words[i + 3]);
    if (!hard || !soft || !seconds) {
      return absl::InvalidArgumentError(
          "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
    *limit = {.hard_bytes = *hard, .soft_bytes = *soft, .soft_seconds = *seconds};
  }
  return limits;
}

std::string FormatOutputBufferLimits(const OutputBufferLimits& limits) {
  const auto one = [](std::string_view name, const OutputBufferLimit& limit) {
    return fmt::format("{} {} {} {}", name, limit.hard_bytes, limit.soft_bytes, limit.soft_seconds);
  };
  return fmt::format("{} {} {}", one("normal", limits.normal), one("slave", limits.replica),
                     one("pubsub", limits.pubsub));
}

absl::StatusOr<std::string> CanonicalOutputBufferLimits(std::string_view current,
                                                        std::string_view text) {
  OutputBufferLimits now;
  if (!current.empty()) {
    absl::StatusOr<OutputBufferLimits> parsed = ParseOutputBufferLimits({}, current);
    if (!parsed.ok()) return parsed.status();
    now = *parsed;
  }
  absl::StatusOr<OutputBufferLimits> limits = ParseOutputBufferLimits(now, text);
  if (!limits.ok()) return limits.status();
  return FormatOutputBufferLimits(*limits);
}

}  // namespace tidemark
