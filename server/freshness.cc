#include "server/freshness.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "server/history_text.h"

namespace tidemark::server {
namespace {

using replication::Ancestor;
using replication::ServedPosition;

bool IsBelow(const Watermarks& target, const Watermarks& marks) {
  if (target.size() != marks.size()) return false;
  return std::equal(target.begin(), target.end(), marks.begin(),
                    [](Sequence wanted, Sequence has) { return wanted <= has; });
}

// How much of the history `from` is in the history of `position`: nothing if it is no ancestor.
std::optional<Watermarks> SharedWith(HistoryId from, const ServedPosition& position) {
  std::optional<Watermarks> shared;
  for (const Ancestor& ancestor : position.ancestors) {
    if (!shared) {
      if (ancestor.history == from) shared = ancestor.fork;
      continue;
    }
    // A descendant cannot hold more of an ancestor than the least of the forks on the way to it.
    if (ancestor.fork.size() != shared->size()) return std::nullopt;
    for (size_t i = 0; i < shared->size(); ++i) {
      (*shared)[i] = std::min((*shared)[i], ancestor.fork[i]);
    }
  }
  return shared;
}

int64_t StricterOf(int64_t a, int64_t b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

}  // namespace

Coverage CoverageOf(const StreamToken& token, const ServedPosition& position) {
  if (token.history != position.history) {
    const std::optional<Watermarks> shared = SharedWith(token.history, position);
    if (!shared) return Coverage::kForeign;
    if (!IsBelow(token.sequences, *shared)) return Coverage::kLost;
  }
  if (token.sequences.size() != position.reached.size()) return Coverage::kForeign;
  // While a snapshot of another history moves in, nobody can say what a reader sees.
  if (!position.settled()) return Coverage::kBehind;
  return IsBelow(token.sequences, position.reached) ? Coverage::kCovered : Coverage::kBehind;
}

std::string WhyNotCovered(const StreamToken& token, const ServedPosition& position) {
  const Coverage coverage = CoverageOf(token, position);
  if (coverage == Coverage::kForeign) {
    return fmt::format("the token is of history {}, which is not that of this node, {}",
                       HistoryHex(token.history), HistoryHex(position.history));
  }
  if (coverage == Coverage::kLost) {
    return fmt::format(
        "the token is of history {} and lies beyond the point where this node's, {}, left it: what "
        "it names was lost",
        HistoryHex(token.history), HistoryHex(position.history));
  }
  if (!position.settled()) return "a snapshot of another history is taking the place of the data";
  uint64_t missing = 0;
  size_t worst = 0;
  uint64_t worst_missing = 0;
  for (size_t i = 0; i < token.sequences.size(); ++i) {
    if (token.sequences[i] <= position.reached[i]) continue;
    const uint64_t here = token.sequences[i].value() - position.reached[i].value();
    missing += here;
    if (here <= worst_missing) continue;
    worst_missing = here;
    worst = i;
  }
  return fmt::format("{} records are missing here, {} of them of shard {}, which is at {}", missing,
                     worst_missing, worst, position.reached[worst].value());
}

std::string NotCoveredError(const StreamToken& token, const ServedPosition& position) {
  const std::string_view code =
      CoverageOf(token, position) == Coverage::kBehind ? "STALE" : "HISTORY";
  return fmt::format("{} {}", code, WhyNotCovered(token, position));
}

StalenessBounds Stricter(const StalenessBounds& a, const StalenessBounds& b) {
  return {.max_ms = StricterOf(a.max_ms, b.max_ms),
          .max_records = static_cast<uint64_t>(StricterOf(static_cast<int64_t>(a.max_records),
                                                          static_cast<int64_t>(b.max_records)))};
}

std::string StalenessError(const StalenessBounds& bounds, int64_t stale_ms, uint64_t lag_records) {
  if (!bounds.any()) return "";
  if (stale_ms < 0) return "STALE this replica has not caught up with its primary yet";
  std::string limit;
  if (bounds.max_ms != 0 && stale_ms > bounds.max_ms) {
    limit = fmt::format("{} ms", bounds.max_ms);
  } else if (bounds.max_records != 0 && lag_records > bounds.max_records) {
    limit = fmt::format("{} records", bounds.max_records);
  } else {
    return "";
  }
  return fmt::format("STALE this replica is {} ms and {} records behind its primary, more than {}",
                     stale_ms, lag_records, limit);
}

}  // namespace tidemark::server
