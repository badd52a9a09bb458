// The table that `tidectl top` prints, from INFO.

#ifndef TIDEMARK_TOOLS_TIDECTL_TOP_TABLE_H_
#define TIDEMARK_TOOLS_TIDECTL_TOP_TABLE_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tidemark::tidectl {

struct NodeLoad {
  std::string name;  // HOST:PORT.
  absl::StatusOr<std::string> info;
  // Of an earlier look, and how long ago that was; empty: there was none.
  std::string info_before = {};
  double seconds_between = 0;
};

// The value of a field of INFO. None if there is no such line.
std::optional<std::string_view> InfoField(std::string_view info, std::string_view field);

// The same, or a dash.
std::string_view FieldOrDash(std::string_view info, std::string_view field);

std::string TopTable(std::span<const NodeLoad> nodes);

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_TOP_TABLE_H_
