// Eventually is how a test waits for what another thread does: for the thing itself, not for a time
// in which it should have happened.
//
//   ASSERT_TRUE(Eventually([&] { return service.status().completed == 1; }));

#ifndef TIDEMARK_BASE_EVENTUALLY_H_
#define TIDEMARK_BASE_EVENTUALLY_H_

#include <chrono>
#include <thread>

namespace tidemark {

// True as soon as `holds()` is. False if it is not for a minute: what a healthy machine needs, many
// times over.
template <typename Condition>
bool Eventually(Condition&& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace tidemark

#endif  // TIDEMARK_BASE_EVENTUALLY_H_
