#include "integration/simulation/node_time.h"

#include <algorithm>
#include <utility>

namespace tidemark::simulation {

void NodeTime::In(int64_t delay_us, std::function<void()> event) {
  sim_->In(delay_us, [this, life = life_, event = std::move(event)] { Run(life, event); });
}

void NodeTime::Run(const Life& life, const std::function<void()>& event) {
  if (!*life) return;
  if (!stopped()) return event();
  // Events that fall due while the node is stopped run when it goes on, in the order in which they
  // would have: the queue keeps the order of equal times.
  sim_->In(stopped_until_us_ - sim_->now_us(), [this, life, event] { Run(life, event); });
}

void NodeTime::EndLife() {
  *life_ = false;
  life_ = std::make_shared<bool>(true);
  stopped_until_us_ = 0;
}

void NodeTime::StopUntil(int64_t us) { stopped_until_us_ = std::max(stopped_until_us_, us); }

}  // namespace tidemark::simulation
