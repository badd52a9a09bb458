// RelayBacklog keeps the newest frames of the stream that a replica follows, as they came, so that
// once it is promoted the other replicas of the same primary continue from it: one that was a
// little behind at the fork gets those frames rather than a snapshot.
//
// It stands between ReplicaLink and the Applier, and hands everything on. Frames that the applier
// has taken and in the end not applied (a transaction whose other parts never came) are dropped
// again: by the next plan, which says what is applied, or by Take().
//
// Threading: one thread at a time (the link thread).

#ifndef TIDEMARK_REPLICATION_LINK_RELAY_BACKLOG_H_
#define TIDEMARK_REPLICATION_LINK_RELAY_BACKLOG_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "replication/backlog.h"
#include "replication/link/replica_link.h"
#include "replication/stream_tail.h"

namespace tidemark::replication {

// Whether the tail's stream is at `at` after its last frame.
bool EndsAt(const StreamTail& tail, const ShardPosition& at);

class RelayBacklog final : public FrameReceiver {
 public:
  // Borrows `next`. Keeps at most `max_bytes` over all shards; 0: nothing, at no cost.
  RelayBacklog(FrameReceiver* next, size_t max_bytes) : next_(next), max_bytes_(max_bytes) {}

  // What is kept of each of the primary's shards, up to `applied`; empty if nothing is.
  std::vector<StreamTail> Take(const std::vector<ShardPosition>& applied);

  size_t bytes() const { return budget_ == nullptr ? 0 : budget_->used_bytes(); }

  // FrameReceiver.
  std::optional<ReplicaPosition> Position() override { return next_->Position(); }
  ReplicaPosition Held() override { return next_->Held(); }
  bool HoldsKeys() override { return next_->HoldsKeys(); }
  void OnPlan(const StreamPlan& plan) override;
  absl::Status OnFrame(FrameRef frame, Sequence skip_through) override;
  void OnSnapshotEnd() override { next_->OnSnapshotEnd(); }
  void OnLinkLost() override { next_->OnLinkLost(); }

 private:
  void Keep(const FrameRef& frame);
  // Makes shard `index` end at `at`: what is kept beyond is dropped; what does not reach it, too.
  void EndAt(size_t index, const ShardPosition& at);

  FrameReceiver* const next_;
  const size_t max_bytes_;
  std::unique_ptr<BacklogBudget> budget_;           // From the first plan on.
  std::vector<std::unique_ptr<Backlog>> backlogs_;  // By the primary's shard.
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_RELAY_BACKLOG_H_
