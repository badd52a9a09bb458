// ShardAccess is how the link thread reaches the primary's shards: it names the work, the node runs
// it on the shards' threads.

#ifndef TIDEMARK_REPLICATION_LINK_SHARD_ACCESS_H_
#define TIDEMARK_REPLICATION_LINK_SHARD_ACCESS_H_

#include <functional>

#include "absl/functional/any_invocable.h"
#include "base/ids.h"
#include "cache/keyspace.h"
#include "replication/shard_publisher.h"
#include "replication/snapshot_producer.h"

namespace tidemark::replication {

// One shard, on its own thread, between two commands.
struct PublishingShard {
  cache::Keyspace& keyspace;
  ShardPublisher& publisher;
  SnapshotProducer& snapshots;
};

class ShardAccess {
 public:
  virtual ~ShardAccess() = default;

  virtual int shard_count() const = 0;
  virtual HistoryId history() const = 0;
  // Whether a prefix of that history is one of ours: it is history() or an ancestor of it. How long
  // a prefix, each shard's publisher knows.
  virtual bool Knows(HistoryId history) const { return history == this->history(); }
  // The newest sequence of each shard that every reader can get. Any thread.
  virtual Watermarks Emitted() const = 0;

  // The oldest position of each shard that its backlog can go on from, as of a moment ago. Any
  // thread.
  virtual Watermarks BacklogLow() const = 0;

  using EachShard = std::function<void(PublishingShard&)>;
  using Done = absl::AnyInvocable<void()>;
  // Runs `each` on every shard's thread (at the same time, perhaps), and when all have, `done` on
  // the caller's thread: later, or from within the call.
  virtual void OnEachShard(EachShard each, Done done) = 0;
  // As above, at one cut of the keyspace: no command runs between the first shard's `each` and the
  // last one's, and no transaction is half done.
  virtual void AtCut(EachShard each, Done done) = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_SHARD_ACCESS_H_
