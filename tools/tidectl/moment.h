// A moment that a restore goes back to, as people write it.

#ifndef TIDEMARK_TOOLS_TIDECTL_MOMENT_H_
#define TIDEMARK_TOOLS_TIDECTL_MOMENT_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/ids.h"

namespace tidemark::tidectl {

// A vector or a time.
struct Moment {
  HistoryId history;  // HistoryId(): the newest.
  Watermarks sequences;
  std::optional<int64_t> time_ms;  // Unix time; then there are no sequences.
};

//   "1,2,3"  or  "HISTORY:1,2,3"     a sequence for each shard; HISTORY in hexadecimal
//   "2024-05-06T07:08:09.5+02:00"    RFC 3339
//   "t1715000000000"                 unix time in milliseconds
// A bare number is the vector of a history with one shard, unless it is so large that it can only
// be unix milliseconds (13 digits).
absl::StatusOr<Moment> ParseMoment(std::string_view text);

// From hexadecimal digits, with any number of leading zeros. 0 is none.
std::optional<HistoryId> ParseHistory(std::string_view hex);

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_MOMENT_H_
