// NodeTier is a node's disk tier as the settings describe it: the value log on disk, a front of it
// at every shard, and the pool that takes values back into memory that are read again.
//
// A value that a command read from disk is scheduled by --tier_promotion. A worker of the pool
// takes it to its shard, where it lands if the entry is still where it was read and memory allows.
//
// Threading: Open, Attach, Stop and the destructor on the main thread; the rest on any.
// Ownership: owns the log and the pool. Outlives the engine's shards: their entries free locations
// to the last.

#ifndef TIDEMARK_SERVER_NODE_TIER_H_
#define TIDEMARK_SERVER_NODE_TIER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/settings/settings.h"
#include "cache/engine.h"
#include "server/tier_view.h"
#include "tier/promotion_pool.h"
#include "tier/second_hit_marks.h"
#include "tier/value_tier.h"
#include "wal/disk/disk.h"

namespace tidemark::server {

class NodeTier {
 public:
  // Opens the directory that --tier_dir names, which is emptied. Borrows what is passed.
  static absl::StatusOr<std::unique_ptr<NodeTier>> Open(const Settings& settings, int shards,
                                                        wal::Disk& disk, const Clock& clock);
  ~NodeTier();
  NodeTier(const NodeTier&) = delete;
  NodeTier& operator=(const NodeTier&) = delete;

  // Lets the shards' values go to disk. Before they run.
  void Attach(cache::Engine& engine);
  // While the shards still run: what waits for the disk is answered with an error, and nothing is
  // promoted any more.
  void Stop();
  // Once they have stopped, and while the engine is there: waits for promotions under way.
  void Join();

  TierView View() const;

 private:
  explicit NodeTier(const Settings& settings);

  tier::PromotionPolicy policy() const {
    return settings_.Choice<tier::PromotionPolicy>(Setting::kTierPromotion);
  }
  // On the shard's thread: a command has read this value from disk.
  void OnDiskHit(ShardId shard, std::string_view key, const tier::ValueLocation& at,
                 const tier::ReadValue& value);
  // On a worker's.
  absl::Status Promote(const tier::PromotionRequest& request);

  const Settings& settings_;
  cache::Engine* engine_ = nullptr;
  std::unique_ptr<tier::ValueTier> tier_;
  std::vector<tier::SecondHitMarks> marks_;    // By shard, each on its thread.
  std::unique_ptr<tier::PromotionPool> pool_;  // Last: its workers use the rest.
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_NODE_TIER_H_
