// StepRunner has the shards do the steps that an Applier decides, each on its own thread, and lets
// others look at all shards between two steps.
//
// Threading: the link thread, but for what is said to be of a shard's. Borrows all that it is
// given; it, and what it borrows, outlive the shards' threads, on which steps may still run.

#ifndef TIDEMARK_REPLICATION_SHELL_STEP_RUNNER_H_
#define TIDEMARK_REPLICATION_SHELL_STEP_RUNNER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/ids.h"
#include "base/link/link_loop.h"
#include "cache/keyspace.h"
#include "replication/apply/applier.h"
#include "replication/apply/shard_applier.h"
#include "replication/shard_relay.h"
#include "replication/shell/shard_calls.h"

namespace tidemark::replication {

class StepRunner {
 public:
  struct Events {
    // A step that readers will see is about to be handed out.
    std::function<void()> before_visible;
    // A step has ended, or somebody has looked: more may run by now. `status` is what is wrong with
    // the stream, if anything is.
    std::function<void(const absl::Status& status)> on_done;
  };
  // `relays`: one for each keyspace, or none.
  StepRunner(LinkLoop* loop, Applier* applier, const std::vector<cache::Keyspace*>& keyspaces,
             const std::vector<ShardRelay*>& relays, ShardCalls calls, Events events);

  // Hands out what may run by now. Not OK: what the Applier found wrong with the stream.
  absl::Status HandOut();

  struct Observer {
    std::function<void()> before;       // When no step is under way; may be null.
    std::function<void(ShardId)> each;  // On each shard's thread, at one cut of the keyspace.
    // With the history and the applied position of that cut.
    absl::AnyInvocable<void(const ReplicaPosition&)> done;
  };
  // The next HandOut() begins with it: until it is done no step is handed out.
  void Observe(Observer observer) { observers_.push_back(std::move(observer)); }
  // Whether somebody is still owed a look.
  bool observed() const { return !observers_.empty(); }

  uint64_t apply_ns() const { return apply_ns_; }  // Spent by the shards, all together.

  // On the shard's thread; see ReplicaClient.
  bool FreeSome(ShardId shard, size_t max_entries) {
    return shards_[shard.value()]->FreeSome(max_entries);
  }
  void LeaveShard(ShardId shard) { shards_[shard.value()]->Leave(); }

 private:
  struct Round;

  void HandOut(ApplyStep step);
  void OnRoundDone(const Round& round);
  void ServeObserver();

  LinkLoop* const loop_;
  Applier* const applier_;
  const ShardCalls calls_;
  const Events events_;
  std::vector<std::unique_ptr<ShardApplier>> shards_;  // Each used on its shard's thread.
  std::deque<Observer> observers_;
  bool observing_ = false;  // The first one's cut is under way.
  uint64_t apply_ns_ = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_STEP_RUNNER_H_
