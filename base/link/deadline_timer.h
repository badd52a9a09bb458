// DeadlineTimer calls its owner when the earliest of the times has come that it was armed for. A
// core's next deadline changes with every event; who drives one arms the timer after each, which
// costs nothing unless the deadline has come nearer.
//
//   DeadlineTimer tick(loop.context(), [this] { OnTick(); return core.NextDeadlineMs(); });
//   tick.ArmBy(core.NextDeadlineMs());
//
// Threading: the loop's.

#ifndef TIDEMARK_BASE_LINK_DEADLINE_TIMER_H_
#define TIDEMARK_BASE_LINK_DEADLINE_TIMER_H_

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <limits>

namespace tidemark {

class DeadlineTimer {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // `on_deadline` returns the next deadline. While it runs the timer is not armed, whatever asks:
  // half of what is due may be done, and its old deadline would come at once again.
  DeadlineTimer(asio::io_context& context, std::function<int64_t()> on_deadline);

  // The callback comes at `at_ms` (LinkLoop::NowMs()), or before it if it was armed for an earlier
  // time.
  void ArmBy(int64_t at_ms);

 private:
  asio::steady_timer timer_;
  const std::function<int64_t()> on_deadline_;
  int64_t at_ms_ = kNever;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_DEADLINE_TIMER_H_
