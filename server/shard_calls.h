// How the link thread reaches the engine's shards.

#ifndef TIDEMARK_SERVER_SHARD_CALLS_H_
#define TIDEMARK_SERVER_SHARD_CALLS_H_

#include <utility>

#include "cache/engine.h"
#include "replication/shell/shard_calls.h"

namespace tidemark::server {

// Borrows `engine`.
inline replication::ShardCalls CallsInto(cache::Engine& engine) {
  return {
      .post =
          [&engine](ShardId shard, absl::AnyInvocable<void()> task) {
            engine.Post(shard, [task = std::move(task)](cache::Shard&) mutable { task(); });
          },
      .at_cut =
          [&engine](std::function<void(ShardId)> each, absl::AnyInvocable<void()> done) {
            engine.RunAtCut(
                ShardId(0), [each = std::move(each)](cache::Shard& shard) { each(shard.id()); },
                [done = std::move(done)](cache::Shard&) mutable { done(); });
          },
  };
}

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_SHARD_CALLS_H_
