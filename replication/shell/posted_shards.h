// PostedShards is ShardAccess over ShardCalls: work for the shards is posted to their threads, and
// what follows it back to the link loop.

#ifndef TIDEMARK_REPLICATION_SHELL_POSTED_SHARDS_H_
#define TIDEMARK_REPLICATION_SHELL_POSTED_SHARDS_H_

#include <utility>
#include <vector>

#include "base/link/link_loop.h"
#include "replication/link/shard_access.h"
#include "replication/shell/shard_calls.h"

namespace tidemark::replication {

// Threading: the link thread, but for Emitted().
class PostedShards final : public ShardAccess {
 public:
  // What `shards` refer to outlives the tasks that are posted. `ancestors`: of `history`.
  PostedShards(HistoryId history, std::vector<HistoryId> ancestors,
               std::vector<PublishingShard> shards, ShardCalls calls, LinkLoop::Poster loop);

  // The shards hand on another stream from now on (PrimaryHub::OpenRelay).
  void set_history(HistoryId history, std::vector<HistoryId> ancestors) {
    history_ = history;
    ancestors_ = std::move(ancestors);
  }

  int shard_count() const override { return static_cast<int>(shards_.size()); }
  HistoryId history() const override { return history_; }
  bool Knows(HistoryId history) const override;
  Watermarks Emitted() const override;
  Watermarks BacklogLow() const override;
  void OnEachShard(EachShard each, Done done) override;
  void AtCut(EachShard each, Done done) override;

  // Makes the shard run a turn.
  void Wake(ShardId shard) const {
    calls_.post(shard, [] {});
  }

 private:
  HistoryId history_;
  std::vector<HistoryId> ancestors_;
  const std::vector<PublishingShard> shards_;
  const ShardCalls calls_;
  const LinkLoop::Poster loop_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_POSTED_SHARDS_H_
