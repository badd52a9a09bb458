// The text of INFO, section by section, with the field names that Redis 7 gives them, so that
// dashboards made for it work. Source: redis.io, "INFO"; fields without a meaning here are left
// out.

#ifndef TIDEMARK_SERVER_INFO_H_
#define TIDEMARK_SERVER_INFO_H_

#include <span>
#include <string>
#include <string_view>

#include "server/node_report.h"

namespace tidemark::server {

// The sections that `wanted` names, in any case, in INFO's own order. "default", or nothing, is all
// but commandstats and latencystats; "all" and "everything" are all.
std::string InfoText(const NodeReport& report, std::span<const std::string_view> wanted);

// "1.50M", as INFO's _human fields.
std::string HumanBytes(uint64_t bytes);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_INFO_H_
