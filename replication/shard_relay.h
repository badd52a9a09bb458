// ShardRelay is one shard of a replica that serves replicas: it hands on the stream that the shard
// applies, frame by frame as they came, keeps the newest of them, and makes snapshots of what the
// shard holds.
//
// The shard's part of the keyspace must be that of the primary's shard of the same number: the two
// nodes have as many shards. Nothing is handed on that is not applied here, so followers are never
// ahead of what readers of this node may see.
//
//   Begin  →  OnApplied, OnFlush …  →  End (the shard is about to hold something else)  →  Begin …
//
// Followers are cut at Begin() and End(), and come back by their position: what they may keep is
// judged by histories and digests, as everywhere.
//
// Threading: confined to the shard's thread, but for Attach() and what publishing() refers to.

#ifndef TIDEMARK_REPLICATION_SHARD_RELAY_H_
#define TIDEMARK_REPLICATION_SHARD_RELAY_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "base/format/frame.h"
#include "cache/keyspace.h"
#include "replication/shard_publisher.h"
#include "replication/snapshot_producer.h"

namespace tidemark::replication {

class ShardRelay {
 public:
  ShardRelay(const ShardPublisher::Options& publisher, const SnapshotProducer::Options& snapshots)
      : snapshot_options_(snapshots), publisher_(publisher) {
    publisher_.StopFollowing();  // Nothing is here to be had before Begin().
  }

  // Borrows the keyspace. Once, before all else.
  void Attach(cache::Keyspace* keyspace) {
    keyspace_ = keyspace;
    snapshots_ = std::make_unique<SnapshotProducer>(snapshot_options_, keyspace, &publisher_);
  }

  // What the shard holds is exactly the stream up to `beginning.end`.
  void Begin(ShardPublisher::Beginning beginning) {
    snapshots_->Abandon();
    publisher_.Follow(std::move(beginning));
  }
  // The keyspace was emptied by a record of the frame that OnApplied() comes with next.
  void OnFlush() { snapshots_->OnFlush(); }
  // All records of the frame are applied.
  void OnApplied(const FrameRef& frame) { publisher_.Relay(frame); }
  void End() {
    snapshots_->Abandon();
    publisher_.StopFollowing();
  }

  // At the end of each of the shard's turns, and in its background slices: true while there is more
  // to do now.
  void OnTurnEnd(int64_t now_ms) { publisher_.OnTurnEnd(now_ms); }
  bool DoSlice() { return snapshots_->DoSlice(); }

  cache::Keyspace& keyspace() { return *keyspace_; }
  ShardPublisher& publisher() { return publisher_; }
  const ShardPublisher& publisher() const { return publisher_; }
  SnapshotProducer& snapshots() { return *snapshots_; }

 private:
  const SnapshotProducer::Options snapshot_options_;
  ShardPublisher publisher_;
  cache::Keyspace* keyspace_ = nullptr;
  std::unique_ptr<SnapshotProducer> snapshots_;  // Before the publisher goes.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHARD_RELAY_H_
