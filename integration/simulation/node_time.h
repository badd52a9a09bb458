// NodeTime is time as one simulated machine has it: its events, which die when the node crashes and
// wait while it is stopped (SIGSTOP, a pause of the virtual machine), and its own wall clock, which
// may step.
//
// Interval time is the same everywhere and never steps: the monotonic clock of a machine that was
// stopped shows the whole pause when it goes on.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows the simulation. Outlives the lives of its node: events of an earlier life that
// are still queued find that it has ended, and do nothing.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_NODE_TIME_H_
#define TIDEMARK_INTEGRATION_SIMULATION_NODE_TIME_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "replication/link/simulated_network.h"

namespace tidemark::simulation {

using replication::Simulation;

class NodeTime final : public Clock {
 public:
  explicit NodeTime(Simulation* sim) : sim_(sim) {}

  Simulation& sim() const { return *sim_; }
  int64_t now_us() const { return sim_->now_us(); }
  int64_t now_ms() const { return sim_->now_ms(); }

  // Runs `event` after `delay_us`, or when the node is no longer stopped; never in another life.
  void In(int64_t delay_us, std::function<void()> event);

  // True while this life lasts; shared with whoever may outlive it.
  std::shared_ptr<const bool> life() const { return life_; }
  // All events of this life are void from here on, and another life begins.
  void EndLife();
  // Nothing of this node runs until then.
  void StopUntil(int64_t us);
  bool stopped() const { return sim_->now_us() < stopped_until_us_; }
  int64_t stopped_until_us() const { return stopped_until_us_; }

  // Steps wall time, as an operator or a time server may.
  void StepWall(int64_t ms) { wall_step_ms_ += ms; }

  // Clock.
  int64_t UnixMillis() const override { return kEpochMs + sim_->now_ms() + wall_step_ms_; }
  int64_t MonotonicNanos() const override { return sim_->now_us() * 1'000; }

 private:
  static constexpr int64_t kEpochMs = 1'700'000'000'000;

  using Life = std::shared_ptr<bool>;  // False once it has ended.
  void Run(const Life& life, const std::function<void()>& event);

  Simulation* const sim_;
  int64_t stopped_until_us_ = 0;
  int64_t wall_step_ms_ = 0;
  Life life_ = std::make_shared<bool>(true);
};

// NodeEvents is what one object of a node has under way: its events are void once it is gone,
// although the node's process may live on, in another role.
class NodeEvents {
 public:
  explicit NodeEvents(NodeTime* time) : time_(time) {}
  ~NodeEvents() { *alive_ = false; }
  NodeEvents(const NodeEvents&) = delete;
  NodeEvents& operator=(const NodeEvents&) = delete;

  NodeTime& time() const { return *time_; }
  Simulation& sim() const { return time_->sim(); }
  void In(int64_t delay_us, std::function<void()> event) {
    time_->In(delay_us, [alive = alive_, event = std::move(event)] {
      if (*alive) event();
    });
  }
  std::shared_ptr<const bool> alive() const { return alive_; }

 private:
  NodeTime* const time_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_NODE_TIME_H_
