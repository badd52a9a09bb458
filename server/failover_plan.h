// FailoverPlan decides when a primary that hands its role to a replica takes which step; RoleKeeper
// takes them.
//
//   catching up   writes go on until the target is nearly there, so that the pause is short;
//   paused        no new writes; what was under way ends, and the target applies it;
//   ended         the stream has its last record, and the target applies that;
//   then          the target is told, and nothing can be taken back.
//
// Up to that point a timeout, a lost target or ABORT ends it and the node is what it was. FORCE
// means: at the timeout, tell the target whatever it lacks.
//
// Times are milliseconds of one monotonic clock.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_SERVER_FAILOVER_PLAN_H_
#define TIDEMARK_SERVER_FAILOVER_PLAN_H_

#include <cstdint>
#include <string>
#include <utility>

namespace tidemark::server {

class FailoverPlan {
 public:
  struct Options {
    int64_t timeout_ms = 10'000;
    bool force = false;
    // Mutations that a target applies while clients hardly notice the pause.
    uint64_t near_records = 4'096;
  };
  FailoverPlan(const Options& options, int64_t now_ms)
      : options_(options), deadline_ms_(now_ms + options.timeout_ms) {}

  // The target, as of now.
  struct Target {
    bool online = false;
    uint64_t lag_records = 0;  // Of what is emitted by now.
    bool has_all = false;      // Of what was assigned at the latest step.
  };
  enum class Step {
    kWait,       // Ask again soon.
    kPause,      // Hold writes back, and note what is assigned.
    kEndStream,  // Let the stream end at a cut, and note where.
    kPromote,    // Tell the target; it has everything.
    kForce,      // Tell the target whatever it has.
    kGiveUp,     // Be what the node was; see why().
  };
  Step Next(const Target& target, int64_t now_ms) {
    if (stage_ == Stage::kOver) return Step::kWait;
    if (!target.online) return GiveUp("the target is not connected any more");
    const bool late = now_ms >= deadline_ms_;
    if (late && !options_.force) return GiveUp("the target had not everything in time");
    switch (stage_) {
      case Stage::kCatchingUp:
        if (!late && target.lag_records > options_.near_records) return Step::kWait;
        stage_ = Stage::kPaused;
        return Step::kPause;
      case Stage::kPaused:
        if (!late && !target.has_all) return Step::kWait;
        stage_ = Stage::kEnded;
        return Step::kEndStream;
      case Stage::kEnded:
        if (!late && !target.has_all) return Step::kWait;
        stage_ = Stage::kOver;
        return target.has_all ? Step::kPromote : Step::kForce;
      case Stage::kOver:
        break;
    }
    return Step::kWait;
  }
  const std::string& why() const { return why_; }

 private:
  enum class Stage { kCatchingUp, kPaused, kEnded, kOver };

  Step GiveUp(std::string why) {
    stage_ = Stage::kOver;
    why_ = std::move(why);
    return Step::kGiveUp;
  }

  const Options options_;
  const int64_t deadline_ms_;
  Stage stage_ = Stage::kCatchingUp;
  std::string why_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_FAILOVER_PLAN_H_
