#include "base/link/deadline_timer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/link/link_loop.h"

namespace tidemark {

DeadlineTimer::DeadlineTimer(asio::io_context& context, std::function<int64_t()> on_deadline)
    : timer_(context), on_deadline_(std::move(on_deadline)) {}

void DeadlineTimer::ArmBy(int64_t at_ms) {
  if (at_ms >= at_ms_) return;
  at_ms_ = at_ms;
  timer_.expires_after(std::chrono::milliseconds(std::max<int64_t>(at_ms - LinkLoop::NowMs(), 0)));
  timer_.async_wait([this](const asio::error_code& cancelled) {
    if (cancelled) return;  // Armed for an earlier time, or the end.
    at_ms_ = std::numeric_limits<int64_t>::min();
    const int64_t next_ms = on_deadline_();
    at_ms_ = kNever;
    ArmBy(next_ms);
  });
}

}  // namespace tidemark
