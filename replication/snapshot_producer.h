// SnapshotProducer sends snapshots of one shard to the subscribers that need them, while the shard
// serves.
//
// A snapshot begins by sealing the open frame: its sequence is the watermark W. From then on its
// subscribers get live frames and, between them in the same queues, chunks with the entries as they
// were at W. An entry that is about to change before the walk has reached it is put into the open
// chunk, and the open chunk leaves before the next frame does. A receiver that applies chunks and
// frames as they arrive therefore holds the exact state at every moment after the last chunk, and
// nobody stores a tail of writes.
//
// A flush makes what the walk has not reached worthless: the walk stops, and the last chunk follows
// the flush.
//
// What is on disk is read on the way, so that its chunk comes later than its turn. A subscriber
// then gets such an entry as it is by that time, if it has changed: the frames with the changes are
// ahead of the chunk, and those that are still to come change nothing that they say twice. A file
// needs it as it was at W. With values on disk, subscribers and files therefore do not share walks.
//
// Those who ask before a walk begins share it; those who ask during one wait for the next. The walk
// goes at the pace of its slowest subscriber: it pauses while a chunk waits in one of their queues
// (Subscriber::HasRoom), so it cannot take more of the core than the links keep up with.
//
// A ChunkTarget (a snapshot file) takes part in walks like a subscriber, and gets chunks only: what
// they hold together is the state at W, in whatever order they come to the live frames.
//
// Memory: one open chunk, and what the queues hold. A slice takes about `slice_bytes`, guessing
// from the entries so far how many it may ask for; where entries are of very uneven size it
// overshoots by one guess.
//
// Threading: confined to its shard's thread.

#ifndef TIDEMARK_REPLICATION_SNAPSHOT_PRODUCER_H_
#define TIDEMARK_REPLICATION_SNAPSHOT_PRODUCER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "cache/keyspace.h"
#include "replication/chunk_target.h"
#include "replication/shard_publisher.h"
#include "replication/snapshot_encoder.h"
#include "replication/subscriber.h"

namespace tidemark::replication {

class SnapshotProducer final : public SnapshotSource, private cache::WalkVisitor {
 public:
  struct Options {
    size_t chunk_bytes = 16 << 10;  // A chunk leaves once it has this much; 4 KiB to 64 MiB.
    size_t slice_bytes = 4 << 10;   // What one DoSlice() encodes, of at most 256 entries.
  };
  // Borrows both, for its life; makes itself the publisher's source of snapshots.
  SnapshotProducer(const Options& options, cache::Keyspace* keyspace, ShardPublisher* publisher);
  // Ends a walk under way.
  ~SnapshotProducer() override;
  SnapshotProducer(const SnapshotProducer&) = delete;
  SnapshotProducer& operator=(const SnapshotProducer&) = delete;

  // A slice of background work: begins a snapshot if one was asked for and no other walk is under
  // way (a digest's), or takes the walk on. True while there is more to do now. False: nothing to
  // do, or no room, in which case LinkWaker::WakeShard() comes. Between commands only.
  bool DoSlice();

  // SnapshotSource, for the publisher.
  void Request(SubscriberRef subscriber) override;
  void BeforeFrame() override;
  void OnFlush() override;
  void Withdraw(const Subscriber* subscriber) override;

  // The keyspace is about to be another (ShardPublisher::StopFollowing): ends the walk, and cuts
  // all who wait for it or for the next.
  void Abandon();

  // A snapshot for `target`, which is let go of once it has its last chunk or is no longer active.
  void RequestChunks(ChunkTargetRef target) { waiting_targets_.push_back(std::move(target)); }

  bool walking() const { return encoder_.has_value(); }
  size_t waiting() const { return waiting_.size() + waiting_targets_.size(); }
  uint64_t completed() const { return completed_; }
  uint64_t aborted() const { return aborted_; }        // Because all its receivers had gone.
  uint64_t unreadable() const { return unreadable_; }  // Entries whose values the disk has lost.

 private:
  void OnEntry(const cache::Entry& entry) override;
  void OnLateEntry(const cache::Entry& entry, const cache::Entry* now) override;
  // A subscriber does without the key, as this node's own clients must. A file must not: whoever
  // prunes the log by it would lose the last copy.
  void OnUnreadable(const cache::Entry& entry, const absl::Status& why) override;
  void Add(const cache::Entry& entry);
  void Begin();
  void End();
  void DropInactive();
  void AbortIfAlone();
  bool HasRoom() const;
  size_t EntriesForSlice() const;
  void SendChunk(SnapshotEncoder::Place place);
  void SignalReceiving();

  const Options options_;
  cache::Keyspace* const keyspace_;
  ShardPublisher* const publisher_;

  std::vector<SubscriberRef> waiting_;    // For the next walk.
  std::vector<SubscriberRef> receiving_;  // Of this one.
  std::vector<ChunkTargetRef> waiting_targets_;
  std::vector<ChunkTargetRef> receiving_targets_;
  std::optional<SnapshotEncoder> encoder_;
  bool in_slice_ = false;
  bool flushed_ = false;        // Since the walk began.
  size_t displaced_bytes_ = 0;  // In the open chunk, of entries that were about to change.
  uint64_t completed_ = 0;
  uint64_t aborted_ = 0;
  uint64_t unreadable_ = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SNAPSHOT_PRODUCER_H_
