// ShardCalls is how a link thread gets something done on the shards' threads. The node fills it in
// from its engine.

#ifndef TIDEMARK_REPLICATION_SHELL_SHARD_CALLS_H_
#define TIDEMARK_REPLICATION_SHELL_SHARD_CALLS_H_

#include <cstddef>
#include <functional>

#include "absl/functional/any_invocable.h"
#include "base/ids.h"

namespace tidemark::replication {

struct ShardCalls {
  // Runs `task` on the shard's thread, after what was posted to that shard before (Engine::Post).
  std::function<void(ShardId shard, absl::AnyInvocable<void()> task)> post;
  // Runs `each` on every shard's thread at one cut of the keyspace, then `done` on some thread
  // (Engine::RunAtCut).
  std::function<void(std::function<void(ShardId)> each, absl::AnyInvocable<void()> done)> at_cut;
  // On the shard's thread, after applying so many bytes there: calls `done` once the shard can take
  // more, now or later (Shard::PaceApply). Null: it always can.
  std::function<void(ShardId shard, size_t bytes, absl::AnyInvocable<void()> done)> pace = nullptr;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_SHARD_CALLS_H_
