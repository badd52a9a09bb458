#include "replication/link/relay_gate.h"

#include <utility>

#include "fmt/format.h"

namespace tidemark::replication {

RelayGate::Next RelayGate::Close(std::string why) {
  const bool nobody_is_there = state_ != State::kHeld && state_ != State::kOpen;
  state_ = state_ == State::kBeginning || state_ == State::kStale ? State::kStale : State::kClosed;
  if (nobody_is_there && why == why_) return Next::kNothing;
  why_ = std::move(why);
  return Next::kClose;
}

RelayGate::Next RelayGate::Ask(const Seen& seen) {
  if (plans_ != seen.plans) {
    plans_ = seen.plans;
    const StreamPlan& plan = *seen.plan;
    if (plan.shards.size() != own_shards_) {
      return Close(
          fmt::format("this node has {} shards and follows one that has {}: only with as many can "
                      "it serve replicas of its own",
                      own_shards_, plan.shards.size()));
    }
    if (plan.is_snapshot()) return Close("this node takes a snapshot of its own primary");
    if (plan.history != history_ || plan.path != path_) {
      return Close("this node follows another stream now");
    }
  }
  if (!seen.streaming) {
    if (state_ != State::kOpen) return Next::kNothing;
    state_ = State::kHeld;
    why_ = "this node is a replica that has no link to its own primary";
    return Next::kHold;
  }
  if (state_ == State::kHeld) {
    state_ = State::kOpen;
    return Next::kAdmit;
  }
  if (state_ != State::kClosed || !seen.exact || seen.plan->shards.size() != own_shards_) {
    return Next::kNothing;
  }
  state_ = State::kBeginning;
  history_ = seen.plan->history;
  path_ = seen.plan->path;
  return Next::kBegin;
}

}  // namespace tidemark::replication
