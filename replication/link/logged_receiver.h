// LoggedReceiver puts a log before a replica's receiver: each frame of mutations goes to the log as
// it came, and then on to be applied. What is applied is therefore never ahead of what the log was
// given.
//
// Threading: the link thread. Ownership: borrows both.

#ifndef TIDEMARK_REPLICATION_LINK_LOGGED_RECEIVER_H_
#define TIDEMARK_REPLICATION_LINK_LOGGED_RECEIVER_H_

#include <optional>
#include <utility>

#include "replication/link/replica_link.h"
#include "replication/stream_log.h"

namespace tidemark::replication {

class LoggedReceiver final : public FrameReceiver {
 public:
  explicit LoggedReceiver(FrameReceiver* to) : to_(to) {}

  // Null, as at first: nothing is kept.
  void set_log(StreamLog* log) { log_ = log; }
  StreamLog* log() const { return log_; }

  std::optional<ReplicaPosition> Position() override {
    if (log_ != nullptr && log_->busy()) return std::nullopt;
    return to_->Position();
  }
  ReplicaPosition Held() override { return to_->Held(); }
  bool HoldsKeys() override { return to_->HoldsKeys(); }
  void OnPlan(const StreamPlan& plan) override {
    if (log_ != nullptr) log_->OnPlan(plan, to_->Held());
    to_->OnPlan(plan);
  }
  absl::Status OnFrame(FrameRef frame, Sequence skip_through) override {
    if (log_ != nullptr && frame->kind() == FrameKind::kMutations) log_->Append(frame);
    return to_->OnFrame(std::move(frame), skip_through);
  }
  void OnSnapshotEnd() override { to_->OnSnapshotEnd(); }
  void OnLinkLost() override { to_->OnLinkLost(); }

 private:
  FrameReceiver* const to_;
  StreamLog* log_ = nullptr;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_LOGGED_RECEIVER_H_
