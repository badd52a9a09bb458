#include "tools/tidectl/top_table.h"

#include <fmt/format.h>

namespace tidemark::tidectl {
namespace {

constexpr std::string_view kRow = "{:<22} {:<8} {:>9} {:>8} {:>11} {:>11} {:>11} {:>14}\n";

// The number of keys, from "db0:keys=12,expires=0,avg_ttl=0"; INFO has no such line for no keys.
std::string_view Keys(std::string_view info) {
  std::string_view line = InfoField(info, "db0").value_or("keys=0");
  line.remove_prefix(line.find('=') + 1);
  return line.substr(0, line.find(','));
}

}  // namespace

std::optional<std::string_view> InfoField(std::string_view info, std::string_view field) {
  while (!info.empty()) {
    const std::string_view line = info.substr(0, info.find("\r\n"));
    if (line.size() > field.size() && line.starts_with(field) && line[field.size()] == ':') {
      return line.substr(field.size() + 1);
    }
    info.remove_prefix(std::min(line.size() + 2, info.size()));
  }
  return std::nullopt;
}

std::string_view FieldOrDash(std::string_view info, std::string_view field) {
  return InfoField(info, field).value_or("-");
}

std::string TopTable(std::span<const NodeLoad> nodes) {
  std::string out = fmt::format(kRow, "node", "role", "ops/s", "clients", "in KB/s", "out KB/s",
                                "keys", "resident");
  for (const NodeLoad& node : nodes) {
    if (!node.info.ok()) {
      const auto& why = node.info.status().message();
      out += fmt::format("{:<22} {}\n", node.name, std::string_view(why.data(), why.size()));
      continue;
    }
    const std::string_view info = *node.info;
    const std::string_view role = FieldOrDash(info, "role");
    out += fmt::format(kRow, node.name, role == "master" ? "primary" : "replica",
                       FieldOrDash(info, "instantaneous_ops_per_sec"),
                       FieldOrDash(info, "connected_clients"),
                       FieldOrDash(info, "instantaneous_input_kbps"),
                       FieldOrDash(info, "instantaneous_output_kbps"), Keys(info),
                       FieldOrDash(info, "used_memory_rss_human"));
  }
  return out;
}

}  // namespace tidemark::tidectl
