#include "server/token_waiters.h"

namespace tidemark::server {
namespace {

bool EndsWait(Coverage coverage) {
  return coverage == Coverage::kCovered || coverage == Coverage::kLost;
}

}  // namespace

void TokenWaiters::OnPosition(const replication::ServedPosition& position) {
  Finish(std::numeric_limits<int64_t>::min(), position);
}

void TokenWaiters::OnTime(int64_t now_ms, const replication::ServedPosition& position) {
  Finish(now_ms, position);
}

void TokenWaiters::Forget(uint64_t client) {
  std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.client == client; });
}

void TokenWaiters::Finish(int64_t now_ms, const replication::ServedPosition& position) {
  std::vector<std::pair<Waiter, Coverage>> ended;
  earliest_deadline_ms_ = std::numeric_limits<int64_t>::max();
  std::erase_if(waiters_, [&](Waiter& waiter) {
    const Coverage coverage = CoverageOf(waiter.token, position);
    const bool ends = EndsWait(coverage);
    if (!ends && waiter.deadline_ms > now_ms) {
      earliest_deadline_ms_ = std::min(earliest_deadline_ms_, waiter.deadline_ms);
      return false;
    }
    ++counters_.waits;
    if (!ends) ++counters_.timeouts;
    ended.emplace_back(std::move(waiter), coverage);
    return true;
  });
  // Only now: what they call may add waiters.
  for (const auto& [waiter, coverage] : ended) waiter.done(coverage, position);
}

}  // namespace tidemark::server
