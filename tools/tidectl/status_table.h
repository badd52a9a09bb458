// The table that `tidectl status` prints.

#ifndef TIDEMARK_TOOLS_TIDECTL_STATUS_TABLE_H_
#define TIDEMARK_TOOLS_TIDECTL_STATUS_TABLE_H_

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "tools/tidectl/tide_reply.h"

namespace tidemark::tidectl {

struct NodeStatus {
  std::string name;  // HOST:PORT.
  absl::StatusOr<NodeWatermarks> watermarks;
  std::string info = {};  // INFO's text; empty: not asked, or not answered.
};

// A row for each node, then one for each replica that one of them serves, then a line for each node
// under pressure with what it is under pressure by.
std::string StatusTable(std::span<const NodeStatus> nodes);

// "[12 9]"; of more than eight shards, how many and their sum.
std::string VectorText(const Vector& vector);

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_STATUS_TABLE_H_
