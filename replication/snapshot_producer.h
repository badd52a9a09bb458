// SnapshotProducer sends snapshots of one shard to the subscribers that need them, while the shard
// serves.
//
// A snapshot begins by sealing the open frame: its sequence is the watermark W. From then on its
// subscribers get live frames, and between them, in the same queues, chunks with the entries as
// they were at W. An entry that is about to change before the walk has reached it is put into a
// chunk first, and every open chunk leaves before the next frame. A receiver that applies chunks
// and frames as they arrive therefore holds the exact state of every moment after the last chunk,
// and nobody stores a tail of writes.
//
// Those who ask before a walk begins share it; those who ask during one wait for the next. The walk
// goes at the pace of its slowest subscriber: it pauses while one of their queues is half full.
//
// Memory: one open chunk, and what the queues hold. The walk takes about `slice_bytes` a slice, by
// guessing from the entries before how many it may ask for; entries of very uneven size make it
// overshoot by one guess.
//
// Threading: confined to its shard's thread.

#ifndef TIDEMARK_REPLICATION_SNAPSHOT_PRODUCER_H_
#define TIDEMARK_REPLICATION_SNAPSHOT_PRODUCER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cache/keyspace.h"
#include "replication/shard_publisher.h"
#include "replication/snapshot_encoder.h"
#include "replication/subscriber.h"

namespace tidemark::replication {

class SnapshotProducer final : public SnapshotSource {
 public:
  struct Options {
    size_t chunk_bytes = 1 << 20;   // A chunk is sent once it has this much; never less than 4 KiB.
    size_t slice_bytes = 64 << 10;  // What one DoSlice() encodes.
  };
  // Borrows both; makes itself the publisher's source of snapshots.
  SnapshotProducer(const Options& options, cache::Keyspace* keyspace, ShardPublisher* publisher);
  // Ends a walk under way.
  ~SnapshotProducer() override;
  SnapshotProducer(const SnapshotProducer&) = delete;
  SnapshotProducer& operator=(const SnapshotProducer&) = delete;

  // A slice of background work: begins a snapshot if one was asked for and no other walk is under
  // way (a digest's), or takes the walk on. True while there is more to do now. False: nothing to
  // do, or no room, in which case LinkWaker::WakeShard() will come. Not in a transaction.
  bool DoSlice();

  // SnapshotSource.
  void Request(SubscriberRef subscriber) override;
  void BeforeFrame() override;
  // Forgets a subscriber; the walk ends when its last one has gone.
  void Withdraw(const Subscriber* subscriber) override;

  bool walking() const { return encoder_.has_value(); }
  size_t waiting() const { return waiting_.size(); }
  uint64_t completed() const { return completed_; }
  uint64_t aborted() const {
    return aborted_;
  }  // All subscribers gone, or an entry too large for a frame.

 private:
  void Begin();
  void End();
  void Abort();
  // Lets go of those that were cut. False: nobody is left.
  bool KeepActive();
  bool HasRoom();
  void SendChunk(uint16_t flags);
  size_t EntriesForSlice() const;

  const Options options_;
  cache::Keyspace* const keyspace_;
  ShardPublisher* const publisher_;

  std::vector<SubscriberRef> waiting_;    // For the next walk.
  std::vector<SubscriberRef> receiving_;  // Of this one.
  std::optional<SnapshotEncoder> encoder_;
  size_t walked_bytes_ =
      0;  // Of the open chunk: what the walk put in, rather than a change to an entry.
  uint64_t total_bytes_ = 0;  // Of this walk, to guess an entry's size.
  uint64_t completed_ = 0;
  uint64_t aborted_ = 0;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SNAPSHOT_PRODUCER_H_
