#include "tools/tidectl/moment.h"

#include <charconv>
#include <string>
#include <system_error>

#include "absl/time/time.h"

namespace tidemark::tidectl {
namespace {

constexpr size_t kUnixMsDigits = 13;

std::optional<uint64_t> ParseNumber(std::string_view text, int base = 10) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<HistoryId> ParseHistory(std::string_view hex) {
  const std::optional<uint64_t> number = ParseNumber(hex, 16);
  if (!number.has_value() || *number == 0) return std::nullopt;
  return HistoryId(*number);
}

absl::StatusOr<Moment> ParseMoment(std::string_view text) {
  const absl::Status wrong = absl::InvalidArgumentError(
      "'" + std::string(text) +
      "' is no moment: HISTORY:1,2,3 or 1,2,3 (a sequence for each shard), an RFC 3339 time, or "
      "unix milliseconds");
  Moment moment;
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, std::string(text), &time, &error)) {
    moment.time_ms = absl::ToUnixMillis(time);
    return moment;
  }
  const bool marked = text.starts_with('t');
  const std::string_view digits = marked ? text.substr(1) : text;
  if (marked || (digits.size() >= kUnixMsDigits && digits.find(',') == std::string_view::npos)) {
    const std::optional<uint64_t> ms = ParseNumber(digits);
    if (ms.has_value() && *ms <= uint64_t{1} << 62) {
      moment.time_ms = static_cast<int64_t>(*ms);
      return moment;
    }
    if (marked) return wrong;
  }
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    const std::optional<HistoryId> history = ParseHistory(text.substr(0, colon));
    if (!history.has_value()) return wrong;
    moment.history = *history;
    text.remove_prefix(colon + 1);
  }
  while (true) {
    const size_t comma = text.find(',');
    const std::optional<uint64_t> sequence = ParseNumber(text.substr(0, comma));
    if (!sequence.has_value() || moment.sequences.size() == kMaxShards) return wrong;
    moment.sequences.push_back(Sequence(*sequence));
    if (comma == std::string_view::npos) return moment;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace tidemark::tidectl
