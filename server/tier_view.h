// TierView is a node's disk tier as INFO and the metrics show it.

#ifndef TIDEMARK_SERVER_TIER_VIEW_H_
#define TIDEMARK_SERVER_TIER_VIEW_H_

#include <string>

#include "tier/promotion_queue.h"
#include "tier/value_tier.h"

namespace tidemark::server {

struct TierView {
  bool enabled = false;
  std::string promotion_policy = {};
  tier::TierStats log = {};
  tier::PromotionCounts promotions = {};
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_TIER_VIEW_H_
