#include "server/token_waiters.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tidemark::server {
namespace {

bool EndsWait(const TokenWaiters::Waiter& waiter, Coverage coverage) {
  return coverage == Coverage::kCovered || coverage == Coverage::kLost ||
         (coverage == Coverage::kForeign && waiter.foreign_is_final);
}

}  // namespace

void TokenWaiters::OnPosition(const replication::ServedPosition& position) {
  Finish(std::numeric_limits<int64_t>::min(), position);
}

void TokenWaiters::OnTime(int64_t now_ms, const replication::ServedPosition& position) {
  Finish(now_ms, position);
}

bool TokenWaiters::due(int64_t now_ms) const {
  return std::any_of(waiters_.begin(), waiters_.end(),
                     [&](const Waiter& waiter) { return waiter.deadline_ms <= now_ms; });
}

void TokenWaiters::Finish(int64_t now_ms, const replication::ServedPosition& position) {
  std::vector<std::pair<Waiter, Coverage>> ended;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    const Coverage coverage = CoverageOf(waiter.token, position);
    const bool ends = EndsWait(waiter, coverage);
    if (!ends && waiter.deadline_ms > now_ms) return false;
    ++counters_.waits;
    if (!ends) ++counters_.timeouts;
    ended.emplace_back(std::move(waiter), coverage);
    return true;
  });
  // Only now: what they call may add waiters.
  for (const auto& [waiter, coverage] : ended) waiter.done(coverage, position);
}

}  // namespace tidemark::server
