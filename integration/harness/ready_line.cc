#include "integration/harness/ready_line.h"

#include <fmt/format.h>

#include <regex>

namespace tidemark::integration {

absl::StatusOr<ReadyLine> ParseReadyLine(std::string_view line) {
  static const std::regex form(
      R"(tidemark ready role=(primary|replica) port=(\d{1,5})( replication_port=(\d{1,5}))?)"
      R"(( export_port=(\d{1,5}))?)"
      R"( shards=(\d{1,4}) pid=(\d{1,9}))");
  const std::string text(line);
  std::smatch parts;
  if (!std::regex_match(text, parts, form)) {
    return absl::InvalidArgumentError(fmt::format("not a ready line: {}", line));
  }
  ReadyLine ready;
  ready.role = parts[1];
  ready.port = std::stoi(parts[2]);
  if (parts[4].matched) ready.replication_port = std::stoi(parts[4]);
  if (parts[6].matched) ready.export_port = std::stoi(parts[6]);
  ready.shards = std::stoi(parts[7]);
  ready.pid = std::stoi(parts[8]);
  return ready;
}

}  // namespace tidemark::integration
