// FairShare keeps one tenant from taking all of what a shard can have in flight at once: each of
// those active now may have an equal part, and never less than a floor, so that a crowd cannot lock
// one out.

#ifndef TIDEMARK_BASE_FAIR_SHARE_H_
#define TIDEMARK_BASE_FAIR_SHARE_H_

#include <algorithm>

namespace tidemark {

// One per shard, on its thread.
class FairShare {
 public:
  static constexpr int kFloor = 2;

  // `total`: requests in flight that the shard allows to all tenants together.
  explicit FairShare(int total) { Recompute(total, 1); }

  // From the shard's tick; a cap that is a tick old is as fair as this needs to be.
  void Recompute(int total, int active_tenants) {
    cap_ = std::max(kFloor, total / std::max(1, active_tenants));
  }

  // Whether a tenant with `in_flight` requests may start another.
  bool Admits(int in_flight) const { return in_flight < cap_; }

  int cap() const { return cap_; }

 private:
  int cap_ = kFloor;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_FAIR_SHARE_H_
