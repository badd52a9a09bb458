// How other threads reach the engine's shards.

#ifndef TIDEMARK_SERVER_SHARD_CALLS_H_
#define TIDEMARK_SERVER_SHARD_CALLS_H_

#include <functional>
#include <latch>
#include <memory>
#include <utility>

#include "cache/engine.h"
#include "replication/shell/shard_calls.h"

namespace tidemark::server {

// Runs `each` on every shard's thread, several at once, and returns when all have. Not from a
// shard's thread. Requires: the engine runs.
inline void RunOnShards(cache::Engine& engine, const std::function<void(cache::Shard&)>& each) {
  // Shared: the last shard may still be inside count_down() when wait() has returned.
  const auto left = std::make_shared<std::latch>(engine.shard_count());
  for (int i = 0; i < engine.shard_count(); ++i) {
    engine.Post(ShardId(static_cast<uint16_t>(i)), [&each, left](cache::Shard& shard) {
      each(shard);
      left->count_down();
    });
  }
  left->wait();
}

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
      .pace =
          [&engine](ShardId shard, size_t bytes, absl::AnyInvocable<void()> done) {
            engine.shard(shard).PaceApply(bytes, std::move(done));
          },
  };
}

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_SHARD_CALLS_H_
