// Applier turns the primary's frames into steps for this node's shards, and their completions into
// the applied vector. It is the replica's side of what ReplicaLink has checked, and holds no
// keyspace itself.
//
//   applier.OnFrame(frame, skip_through);        // ReplicaLink calls the FrameReceiver part.
//   applier.NextStep()                           // Until it has none: hand each to its shards, in
//   this order. applier.OnShardDone(id, shard, result);      // Once a shard, when it has done its
//   part. applier.TakeAppliedMoved()                   // Then tell the link.
//
// What it guarantees:
//   - a shard gets the records of a key in the primary's order;
//   - a transaction of several of the primary's shards is in one step, with all its parts;
//   - a change that must be seen whole and touches several of our shards is in a step `at_cut`,
//   which runs
//     alone: everything before it is done, and nothing after it is given out until it is;
//   - applied() holds of what is served, moves only when all shards have done a step, and is always
//   closed:
//     a transaction is at or below it in all its shards or in none;
//   - a snapshot becomes visible at one cut, when it is complete, or never.
//
// A mixed plan, with a snapshot of some of the primary's shards, fills staging as a snapshot of all
// does; the keys of the other shards are copied there from what is served (kept_copy.h), and their
// frames are applied to them. So all becomes visible at one cut, and a transaction is seen whole
// whichever of its shards had a snapshot: up to the snapshots' cut, parts in those shards are in
// the snapshot and are not waited for; after it they come as frames, and are. Frames of the two
// sides of the cut are never in one step, for a flush among the first leaves alone what snapshots
// brought.
//
// Threading: one thread at a time (the link thread).

#ifndef TIDEMARK_REPLICATION_APPLY_APPLIER_H_
#define TIDEMARK_REPLICATION_APPLY_APPLIER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "replication/apply/apply_step.h"
#include "replication/apply/routed_frame.h"
#include "replication/link/replica_link.h"

namespace tidemark::replication {

class Applier final : public FrameReceiver {
 public:
  struct Options {
    int own_shards = 1;
    size_t max_pending_bytes =
        64 << 20;  // Received and not applied; past it stop reading the socket.
    size_t max_held_bytes = 256 << 20;  // Waiting for the other parts of a transaction.
    size_t max_step_bytes =
        1 << 20;                     // Of frames; a step may exceed it to keep a transaction whole.
    size_t max_steps_under_way = 2;  // More would only lengthen a reader's wait.
    size_t keep_entries = 512;       // Copied to staging at once: 100 us of a shard's time.
    // What the shards hold already: a primary's own stream, or an earlier link's. Empty: nothing.
    ReplicaPosition start = {};
    std::vector<Ancestor> start_ancestors = {};  // Of start.history.
    std::vector<uint64_t> start_keys = {};       // By own shard; empty: none.
  };
  explicit Applier(const Options& options);

  // What the shards hold already, from a log of this node's own: all up to `start`, and of the
  // frames that follow the records up to `held`, which may end within a frame. `ancestors`: of its
  // history. `keys`: by own shard. Before anything else.
  void Begin(const ReplicaPosition& start, Watermarks held, std::vector<uint64_t> keys,
             std::vector<Ancestor> ancestors = {});

  // FrameReceiver.
  std::optional<ReplicaPosition> Position() override;
  ReplicaPosition Held() override;
  bool HoldsKeys() override;
  void OnPlan(const StreamPlan& plan) override;
  absl::Status OnFrame(FrameRef frame, Sequence skip_through) override;
  void OnSnapshotEnd() override;
  void OnLinkLost() override;

  // The next step to hand out; null if none can be now. DataLoss: what came cannot be applied; end
  // the link.
  absl::StatusOr<std::optional<ApplyStep>> NextStep();
  // One shard has done its part of a step: those with a slice, and every shard if the step is at a
  // cut or is not kApply. Not OK: a record was damaged, the link must end, and only a snapshot can
  // mend what is served.
  absl::Status OnShardDone(uint64_t step_id, ShardId shard, const StepResult& result);

  // No step is under way: applied() is exactly what the shards hold.
  bool idle() const { return under_way_.empty(); }
  // False while too much is pending: what would be read could not be applied soon. True even then
  // if nothing is under way, for all that is pending then waits for what is still to be read. Ask
  // after NextStep().
  bool wants_input() const {
    return pending_bytes_ < options_.max_pending_bytes || under_way_.size() == keep_steps_;
  }

  // Of what is served; its history is position's.
  HistoryId history() const { return history_; }
  const std::vector<Ancestor>& ancestors() const { return ancestors_; }  // Of history().
  const Watermarks& applied() const { return applied_; }
  // What the shards hold: applied(), and what of a frame that is to come again was recovered. Who
  // is to be promoted is chosen by this.
  Watermarks Holds() const;
  // Whether what is served, once idle(), is exactly position(), a place in the stream of this
  // connection: nothing of a snapshot is still to come, and nothing beyond is here (see Begin()).
  bool exact() const;
  // False: a step failed halfway, and no position describes what is served.
  bool whole() const { return !position_void_; }
  const std::vector<uint64_t>& keys() const { return keys_; }  // By own shard, as last reported.
  // What readers may see some of: applied(), and the steps under way.
  Watermarks Shown() const;
  // A snapshot is taking the place of what is served, which is then staged(), of the plan's
  // history.
  bool swapping() const { return swap_under_way_; }
  const Watermarks& staged() const { return staged_; }
  ReplicaPosition position() const;  // Both, with the stream's digests.
  // What an ack may say of this connection's stream: applied(), or zeros until a snapshot is
  // swapped in.
  Watermarks AckableApplied() const;
  // Whether AckableApplied() has changed since the last call.
  bool TakeAppliedMoved() { return std::exchange(applied_moved_, false); }
  // A snapshot was swapped in, or a stream continued, at least once: reads make sense.
  bool synced() const { return synced_; }
  size_t pending_bytes() const { return pending_bytes_; }

  struct Counters {
    uint64_t applied_records = 0;
    uint64_t steps = 0;
    uint64_t steps_at_cut = 0;
    uint64_t snapshots_swapped_in = 0;
    uint64_t snapshots_dropped = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  // Frames of one of the primary's shards that are not yet in a step, numbered from the
  // connection's begin.
  struct Stream {
    std::deque<RoutedFrame> frames;
    uint64_t first = 0;  // The number of frames.front().
    uint64_t swap_barrier =
        0;  // Once the snapshot has ended: frames below belong to what is swapped in.

    uint64_t end() const { return first + frames.size(); }
    const RoutedFrame& at(uint64_t number) const { return frames[number - first]; }
  };
  // Where one part of a transaction is among the streams.
  struct PartPlace {
    ShardId shard;
    uint64_t number;
  };
  // A choice of frames: of each stream those below `ends`.
  struct Choice {
    bool below_cut = false;  // Of a mixed plan: on which side of the cut it is.
    std::vector<uint64_t> ends;
    size_t bytes = 0;
    bool needs_cut = false;
    bool empty = true;
  };
  struct StepUnderWay {
    uint64_t id = 0;
    ApplyStep::Kind kind = ApplyStep::Kind::kApply;
    bool to_staging = false;
    bool at_cut = false;
    size_t shards_left = 0;
    size_t bytes = 0;
    std::vector<std::pair<ShardId, ShardPosition>>
        reaches;  // Where the primary's shards are after it.
  };

  absl::Status NoteTransactions(const RoutedFrame& routed, uint64_t number);
  void Take(uint64_t number, const Stream& stream, Choice* choice) const;
  bool Extend(size_t shard, Choice* choice) const;
  Choice Choose(bool below_cut) const;
  bool Kept(size_t shard) const { return !kept_.empty() && kept_[shard]; }
  // Takes what is covered by the snapshots out of what the frame's transactions wait for.
  void DropCoveredParts(RoutedFrame* routed) const;
  absl::Status MoveFrames(const Choice& choice, ApplyStep* step, StepUnderWay* under_way);
  bool SwapBarrierReached() const;
  void DropQueued();
  ApplyStep Issue(ApplyStep step, StepUnderWay under_way);
  ApplyStep IssueForAll(ApplyStep::Kind kind);
  void Finish(const StepUnderWay& step);
  void FinishDone();

  const Options options_;
  HistoryId history_;  // Of what is served.
  std::vector<Ancestor> ancestors_;
  Watermarks applied_;
  std::vector<uint64_t> applied_digests_;
  bool position_void_ = false;  // A step failed halfway: only a snapshot helps.
  bool synced_ = false;
  bool applied_moved_ = false;
  std::vector<uint64_t> keys_;  // Of each own shard, as last reported.
  // What the shards may hold some of beyond applied_: see Begin(), and steps that failed. Empty:
  // nothing.
  Watermarks held_;
  bool fail_due_ = false;  // position_void_ is new: the link is of no use.

  // Of this connection.
  StreamPlan plan_;
  std::vector<Stream> streams_;  // Indexed by the primary's shard.
  absl::flat_hash_map<uint64_t, std::vector<PartPlace>> transactions_;  // Those in streams_, by id.
  bool staging_ = false;  // From OnPlan of a snapshot to its swap or loss.
  // Of a mixed plan: by the primary's shard, whether it goes on from what is served. Else empty.
  std::vector<bool> kept_;
  bool keeping_ = false;    // Not all of them is copied to staging yet.
  bool keep_more_ = false;  // The step of copying that is under way has found more on some shard.
  size_t keep_steps_ = 0;   // Under way: one at most.
  Watermarks staged_;       // What staging holds.
  std::vector<uint64_t> staged_digests_;
  bool begin_staging_due_ = false;
  bool swap_due_ = false;
  bool swap_under_way_ = false;
  bool drop_staging_due_ = false;
  bool link_lost_ = false;  // Nothing more comes; what has come is still being applied.

  std::deque<StepUnderWay> under_way_;
  uint64_t next_step_id_ = 1;
  size_t queued_bytes_ = 0;   // Of frames in streams_.
  size_t pending_bytes_ = 0;  // Those, and of frames in under_way_.
  Counters counters_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_APPLY_APPLIER_H_
