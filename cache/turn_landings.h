// TurnLandings are the promotions that a shard carries out itself, at the end of the turn in which
// it read their values for commands: by then those have been answered, and nobody waits for a copy.
// To hand one to a thread and take it back costs the shard two wakes, more than the promotion.
//
// Bounds: so many values and bytes a turn; what is beyond them is the promotion pool's
// (tier/promotion_pool.h).
//
// Threading: confined to its shard's thread.

#ifndef TIDEMARK_CACHE_TURN_LANDINGS_H_
#define TIDEMARK_CACHE_TURN_LANDINGS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tier/tier_front.h"

namespace tidemark::cache {

class TurnLandings {
 public:
  static constexpr size_t kMaxValues = 32;
  static constexpr size_t kMaxBytes = 64 * 1024;

  struct Landing {
    std::string key;
    tier::ValueLocation at;
    tier::ReadValue value;
  };

  // Shares the value's bytes. False: this turn takes no more, and took nothing.
  bool Add(std::string_view key, const tier::ValueLocation& at, const tier::ReadValue& value) {
    if (landings_.size() == kMaxValues || value.bytes.size() > kMaxBytes - bytes_) return false;
    bytes_ += value.bytes.size();
    landings_.push_back({std::string(key), at, value});
    return true;
  }

  bool empty() const { return landings_.empty(); }
  // In the order in which they came. The next turn begins.
  std::vector<Landing> Take() {
    bytes_ = 0;
    return std::exchange(landings_, {});
  }

 private:
  std::vector<Landing> landings_;
  size_t bytes_ = 0;  // Of their values; at most kMaxBytes.
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_TURN_LANDINGS_H_
