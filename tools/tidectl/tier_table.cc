#include "tools/tidectl/tier_table.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

namespace tidemark::tidectl {
namespace {

constexpr std::string_view kRow = "{:<22} {:>11} {:>7} {:>7} {:>10} {:>10} {:>8} {:>9} {:>9}\n";

std::optional<double> Number(std::string_view info, std::string_view field) {
  const std::string_view text = InfoField(info, field).value_or("");
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string Share(std::string_view info, std::string_view field) {
  const std::optional<double> ratio = Number(info, field);
  return ratio ? fmt::format("{:.1f}%", 100 * *ratio) : "-";
}

// How fast a counter has grown since the earlier look.
std::string Rate(const NodeLoad& node, std::string_view field) {
  const std::optional<double> before = Number(node.info_before, field);
  const std::optional<double> now = Number(*node.info, field);
  // One that has fallen is another process'.
  if (!before || !now || node.seconds_between <= 0 || *now < *before) return "-";
  return fmt::format("{:.0f}", (*now - *before) / node.seconds_between);
}

}  // namespace

std::string TierTable(std::span<const NodeLoad> nodes) {
  std::string rows;
  for (const NodeLoad& node : nodes) {
    if (!node.info.ok() || InfoField(*node.info, "tier_enabled") != "1") continue;
    const std::string_view info = *node.info;
    rows += fmt::format(
        kRow, node.name, FieldOrDash(info, "tier_cold_keys"), Share(info, "tier_hit_ratio_memory"),
        Share(info, "tier_hit_ratio_disk"), Rate(node, "tier_promoted"), Rate(node, "tier_demoted"),
        FieldOrDash(info, "tier_queued_reads"), FieldOrDash(info, "tier_read_p50_usec"),
        FieldOrDash(info, "tier_read_p99_usec"));
  }
  if (rows.empty()) return rows;
  return fmt::format(kRow, "disk tier", "keys there", "in RAM", "on disk", "promoted/s",
                     "demoted/s", "reading", "p50 us", "p99 us") +
         rows;
}

}  // namespace tidemark::tidectl
