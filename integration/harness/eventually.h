// Eventually waits for something that another process does. It is the one place where tests poll.

#ifndef TIDEMARK_INTEGRATION_HARNESS_EVENTUALLY_H_
#define TIDEMARK_INTEGRATION_HARNESS_EVENTUALLY_H_

#include <chrono>
#include <thread>

namespace tidemark::integration {

using Duration = std::chrono::milliseconds;

// What a healthy machine needs, many times over: a test that reaches it has failed, not been slow.
inline constexpr Duration kPatience = std::chrono::seconds(60);

// True as soon as `condition()` is, which is asked at once and then every few milliseconds; false
// if it is not within `deadline`.
template <typename Condition>
bool Eventually(Duration deadline, Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_EVENTUALLY_H_
