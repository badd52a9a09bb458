// What a reader may demand of a copy of the data, and whether the copy meets it: a token that it
// must have reached, or bounds of how far it may be behind. docs/freshness.md tells the story.
//
// Plain functions and values, any thread.

#ifndef TIDEMARK_SERVER_FRESHNESS_H_
#define TIDEMARK_SERVER_FRESHNESS_H_

#include <cstdint>
#include <string>

#include "replication/served_position.h"
#include "server/stream_token.h"

namespace tidemark::server {

enum class Coverage {
  kCovered,  // Every reader sees all that the token names.
  kBehind,   // Not yet.
  kForeign,  // The token's history is not known here. It may be later: a primary can change.
  kLost,     // The token lies beyond the fork of an ancestor: it will never be covered.
};

Coverage CoverageOf(const StreamToken& token, const replication::ServedPosition& position);

// What is between the two, for people and without a code: "the token's history is ...", or "33
// records are missing here, 2 of shard 0, ...". Requires: not kCovered.
std::string WhyNotCovered(const StreamToken& token, const replication::ServedPosition& position);

// The reply that says so: "STALE ..." or "HISTORY ...".
std::string NotCoveredError(const StreamToken& token, const replication::ServedPosition& position);

// 0: no bound.
struct StalenessBounds {
  int64_t max_ms = 0;
  uint64_t max_records = 0;

  bool any() const { return max_ms != 0 || max_records != 0; }
};

// The stricter of the two, in each.
StalenessBounds Stricter(const StalenessBounds& a, const StalenessBounds& b);

// The reply to a read of a replica that is `stale_ms` (-1: it was never current) and `lag_records`
// behind: "STALE ..." with both, or empty if it is within the bounds.
std::string StalenessError(const StalenessBounds& bounds, int64_t stale_ms, uint64_t lag_records);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_FRESHNESS_H_
