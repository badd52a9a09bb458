#include "replication/link/relay_backlog.h"

#include <utility>

namespace tidemark::replication {
namespace {

// All that `backlog` keeps up to `at`, which need not be where it ends.
StreamTail TailOf(const Backlog& backlog, Sequence at) {
  StreamTail tail{.before = backlog.low(), .digest_before = backlog.digest_before_first()};
  Backlog::CatchUp kept = backlog.Since(tail.before, tail.digest_before);
  for (FrameRef& frame : kept.frames) {
    if (frame->last_sequence() <= at) tail.frames.push_back(std::move(frame));
  }
  return tail;
}

}  // namespace

bool EndsAt(const StreamTail& tail, const ShardPosition& at) {
  if (tail.frames.empty())
    return tail.before == at.sequence && tail.digest_before == at.stream_digest;
  return tail.frames.back()->last_sequence() == at.sequence &&
         tail.frames.back()->stream_digest() == at.stream_digest;
}

void RelayBacklog::OnPlan(const StreamPlan& plan) {
  next_->OnPlan(plan);
  if (max_bytes_ == 0) return;
  if (plan.is_snapshot() || backlogs_.size() != plan.shards.size()) {
    backlogs_.clear();
    budget_ = std::make_unique<BacklogBudget>(max_bytes_, static_cast<int>(plan.shards.size()));
    for (const ShardPlan& shard : plan.shards) {
      backlogs_.push_back(std::make_unique<Backlog>(budget_.get()));
      backlogs_.back()->Activate(shard.at.sequence, shard.at.stream_digest);
    }
    return;
  }
  for (size_t i = 0; i < plan.shards.size(); ++i) EndAt(i, plan.shards[i].at);
}

void RelayBacklog::EndAt(size_t index, const ShardPosition& at) {
  Backlog& backlog = *backlogs_[index];
  if (backlog.high() == at.sequence) return;
  StreamTail tail = TailOf(backlog, at.sequence);
  if (!EndsAt(tail, at)) return backlog.Activate(at.sequence, at.stream_digest);
  backlog.Activate(tail.before, tail.digest_before);
  for (FrameRef& frame : tail.frames) backlog.Append(std::move(frame));
}

absl::Status RelayBacklog::OnFrame(FrameRef frame, Sequence skip_through) {
  if (max_bytes_ == 0 || frame->kind() != FrameKind::kMutations) {
    return next_->OnFrame(std::move(frame), skip_through);
  }
  const absl::Status taken = next_->OnFrame(frame, skip_through);
  if (taken.ok()) Keep(frame);
  return taken;
}

void RelayBacklog::Keep(const FrameRef& frame) {
  Backlog& backlog = *backlogs_[frame->shard().value()];
  if (frame->first_sequence() == Next(backlog.high())) {
    backlog.Append(frame);
  } else {
    // It begins in what is here: a reader could not resume in its middle.
    backlog.Activate(frame->last_sequence(), frame->stream_digest());
  }
  backlog.YieldToClaims();
}

std::vector<StreamTail> RelayBacklog::Take(const std::vector<ShardPosition>& applied) {
  std::vector<StreamTail> tails;
  if (backlogs_.size() != applied.size()) return tails;
  for (size_t i = 0; i < applied.size(); ++i) {
    EndAt(i, applied[i]);
    tails.push_back(TailOf(*backlogs_[i], applied[i].sequence));
  }
  backlogs_.clear();
  return tails;
}

}  // namespace tidemark::replication
