// ReceivedStream holds what comes on one connection against the plan that the primary gave: whether
// each frame is the next of its shard, of this stream and no other, and when the snapshots in it
// are whole.
//
//   stream.Begin(&plan);
//   Sequence skip_through;
//   switch (stream.Take(*frame, &skip_through, &fault)) ...   // Each frame.
//   stream.End(snapshot_end, &fault);                         // Each shard's snapshot.
//   if (stream.whole()) ...
//
// It trusts nothing that a frame says: one that does not continue what is here ends the connection,
// by a LinkFault.
//
// A core. Threading: as its ReplicaLink. Ownership: borrows the plan until the next Begin().

#ifndef TIDEMARK_REPLICATION_LINK_RECEIVED_STREAM_H_
#define TIDEMARK_REPLICATION_LINK_RECEIVED_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/format/frame.h"
#include "base/ids.h"
#include "replication/link/control_message.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

// What ends a connection from our side.
struct LinkFault {
  wire::Goodbye::Code code = wire::Goodbye::PROTOCOL;
  std::string text;
};

class ReceivedStream {
 public:
  struct Counters {
    uint64_t received_frames = 0;
    uint64_t skipped_records = 0;  // Received before.
    uint64_t gaps = 0;
    uint64_t digest_mismatches = 0;
  };
  // Adds to *counters, which is borrowed for good.
  explicit ReceivedStream(Counters* counters) : counters_(counters) {}

  // A connection's stream begins.
  void Begin(const StreamPlan* plan);

  enum class Verdict {
    kNew,       // It is the next of its shard. What it holds counts as received.
    kReceived,  // All of it was received before.
    kFault,     // It cannot be; *fault says why. DIGEST: the shard is of another stream.
  };
  // With kNew the records up to *skip_through were received before.
  Verdict Take(const Frame& frame, Sequence* skip_through, LinkFault* fault);
  // The primary says that a shard's snapshot has ended. False: it cannot have.
  bool End(const wire::SnapshotEnd& end, LinkFault* fault);

  // Snapshots have ended, and shards that go on have come to the point where those were begun: up
  // to there transactions may have parts in both. True at once where there are no snapshots.
  bool whole() const { return whole_; }

  const Watermarks& received() const { return received_; }

 private:
  struct SnapshotProgress {
    uint64_t chunks = 0;
    uint64_t entries = 0;
    bool ended = false;  // Or there is none.
  };

  bool BelongsToStream(const Frame& frame) const;
  Verdict TakeChunk(const Frame& frame, LinkFault* fault);
  Verdict TakeMutations(const Frame& frame, Sequence* skip_through, LinkFault* fault);
  void NoteIfWhole();

  Counters* const counters_;
  const StreamPlan* plan_ = nullptr;
  Watermarks received_;
  std::vector<uint64_t> digests_;  // At received_.
  std::vector<SnapshotProgress> snapshots_;
  size_t snapshots_left_ = 0;
  bool whole_ = false;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_RECEIVED_STREAM_H_
