// What `tidectl top` says of the disk tiers, from INFO.

#ifndef TIDEMARK_TOOLS_TIDECTL_TIER_TABLE_H_
#define TIDEMARK_TOOLS_TIDECTL_TIER_TABLE_H_

#include <span>
#include <string>

#include "tools/tidectl/top_table.h"

namespace tidemark::tidectl {

// A row for each node that has a tier; empty if none has. Rates need an earlier INFO.
std::string TierTable(std::span<const NodeLoad> nodes);

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_TIER_TABLE_H_
