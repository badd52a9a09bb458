#include "replication/shell/posted_shards.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

namespace tidemark::replication {

PostedShards::PostedShards(HistoryId history, std::vector<HistoryId> ancestors,
                           std::vector<PublishingShard> shards, ShardCalls calls,
                           LinkLoop::Poster loop)
    : history_(history),
      ancestors_(std::move(ancestors)),
      shards_(std::move(shards)),
      calls_(std::move(calls)),
      loop_(std::move(loop)) {}

bool PostedShards::Knows(HistoryId history) const {
  return history == history_ ||
         std::find(ancestors_.begin(), ancestors_.end(), history) != ancestors_.end();
}

Watermarks PostedShards::Emitted() const {
  Watermarks emitted;
  emitted.reserve(shards_.size());
  for (const PublishingShard& shard : shards_) {
    emitted.push_back(shard.publisher.published_emitted());
  }
  return emitted;
}

Watermarks PostedShards::BacklogLow() const {
  Watermarks low;
  low.reserve(shards_.size());
  for (const PublishingShard& shard : shards_) {
    low.push_back(shard.publisher.published_backlog_low());
  }
  return low;
}

void PostedShards::OnEachShard(EachShard each, Done done) {
  struct Round {
    EachShard each;
    Done done;
    std::atomic<size_t> left;
  };
  const auto round = std::make_shared<Round>();
  round->each = std::move(each);
  round->done = std::move(done);
  round->left = shards_.size();
  for (size_t i = 0; i < shards_.size(); ++i) {
    calls_.post(ShardId(static_cast<uint16_t>(i)),
                [round, shard = shards_[i], loop = loop_]() mutable {
                  round->each(shard);
                  // The last one sees what all the others did.
                  if (round->left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
                  loop.Post([round = std::move(round)] { round->done(); });
                });
  }
}

void PostedShards::AtCut(EachShard each, Done done) {
  calls_.at_cut(
      [shards = shards_, each = std::move(each)](ShardId id) {
        PublishingShard shard = shards[id.value()];
        each(shard);
      },
      [loop = loop_, done = std::move(done)]() mutable { loop.Post(std::move(done)); });
}

}  // namespace tidemark::replication
