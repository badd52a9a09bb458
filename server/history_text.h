// How a history is shown: 40 hexadecimal digits, as Redis shows a replication id, of which the last
// 16 are the number.

#ifndef TIDEMARK_SERVER_HISTORY_TEXT_H_
#define TIDEMARK_SERVER_HISTORY_TEXT_H_

#include <fmt/format.h>

#include <string>

#include "base/ids.h"

namespace tidemark::server {

inline std::string HistoryHex(HistoryId history) { return fmt::format("{:040x}", history.value()); }

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_HISTORY_TEXT_H_
