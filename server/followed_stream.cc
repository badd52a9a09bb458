#include "server/followed_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/format/renamed_frame.h"
#include "base/link/wire_vectors.h"
#include "base/log/log.h"
#include "server/stream_positions.h"

namespace tidemark::server {
namespace {

// How full a shard's way to the log may be before the link reads no more, and until it reads again.
constexpr int kPausePercent = 100;
constexpr int kResumePercent = 50;

// Where the log of what a plan brings begins. In a mixed plan, at the cut on every shard: what is
// below it comes into the snapshot that makes such a log whole, and a transaction there may have
// parts that no frame brings.
wal::Positions PositionsOf(const replication::StreamPlan& plan) {
  wal::Positions positions;
  for (const replication::ShardPlan& shard : plan.shards) {
    const bool below_cut = plan.is_mixed() && !shard.is_snapshot();
    positions.push_back(LogPositionOf(below_cut ? shard.cut : shard.at));
  }
  return positions;
}

// Requires: no snapshot in the plan.
bool HeldBeyond(const replication::ReplicaPosition& held, const replication::StreamPlan& plan) {
  if (held.shards.size() != plan.shards.size()) return false;
  for (size_t i = 0; i < plan.shards.size(); ++i) {
    if (held.shards[i].sequence > plan.shards[i].at.sequence) return true;
  }
  return false;
}

}  // namespace

std::optional<Watermarks> DiscardedAfter(const replication::ReplicaPosition& held,
                                         const replication::StreamPlan& plan) {
  const bool same_shards = plan.shards.size() == held.shards.size();
  const bool same = same_shards && plan.history == held.history;
  const std::optional<Watermarks> fork = plan.ForkFrom(held.history);
  const bool forked = same_shards && fork.has_value() && fork->size() == held.shards.size();
  Watermarks after(held.shards.size());
  bool any = false;
  for (size_t i = 0; i < held.shards.size(); ++i) {
    const Sequence last = held.shards[i].sequence;
    // Where a foreign history left ours, if it did, the plan does not say. Nor where within one
    // history a shard's stream became another.
    if (forked) {
      after[i] = std::min(last, (*fork)[i]);
    } else if (same && !plan.shards[i].diverged) {
      after[i] = std::min(last, plan.shards[i].at.sequence);
    }
    any |= last > after[i];
  }
  return any ? std::optional(std::move(after)) : std::nullopt;
}

FollowedStream::FollowedStream(wal::StreamKeeper& keeper, Post post)
    : keeper_(keeper), post_(std::move(post)) {
  if (std::shared_ptr<wal::Log> log = keeper.log(); log != nullptr) UseLog(std::move(log));
  if (post_ == nullptr) thread_ = std::thread([this] { Run(); });
}

FollowedStream::~FollowedStream() { Stop(); }

void FollowedStream::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    on_change_ = [] {};
  }
  posted_.notify_all();
  *alive_ = false;
  if (thread_.joinable()) thread_.join();
  LeaveLog();
}

absl::Status FollowedStream::Finish() {
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
  }
  posted_.notify_all();
  if (thread_.joinable()) thread_.join();
  // The link thread's last turn, in its place.
  OnTurnEnd();
  Stop();
  const std::string why = failure();
  return why.empty() ? absl::OkStatus() : absl::FailedPreconditionError(why);
}

void FollowedStream::Wake() {
  if (told_.exchange(true)) return;
  std::function<void()> on_change;
  {
    const std::lock_guard lock(mutex_);
    on_change = on_change_;
  }
  on_change();
}

std::string FollowedStream::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::string FollowedStream::waiting() const {
  const std::lock_guard lock(mutex_);
  return waits_for_;
}

void FollowedStream::set_on_change(std::function<void()> on_change) {
  const std::lock_guard lock(mutex_);
  on_change_ = std::move(on_change);
}

// --- The link thread ---

void FollowedStream::OnPlan(const replication::StreamPlan& plan,
                            const replication::ReplicaPosition& held) {
  CHECK(!taking_over_);
  // Records that are held beyond where the stream goes on may lie beyond the fork: see
  // Applier::Begin(). A history that began below what the log's snapshot needs could not be
  // recovered.
  ignoring_ = !plan.is_snapshot() && plan.history != plan.continues && HeldBeyond(held, plan);
  if (ignoring_) return;
  taking_over_ = true;
  shards_ = plan.shards.size();
  Enqueue([this, plan, held] { CarryOut(plan, held); });
}

void FollowedStream::Append(FrameRef frame) {
  if (ignoring_) return;
  if (taking_over_) {
    waiting_.push_back(std::move(frame));
  } else if (log_ != nullptr) {
    AppendNow(std::move(frame));
  }
}

void FollowedStream::AppendNow(FrameRef frame) {
  Sequence& appended = appended_[frame->shard().value()];
  if (frame->last_sequence() <= appended) return;
  wal::ShardLog& door = log_->shard(frame->shard());
  if (frame->first_sequence() != Next(appended)) {
    // Frames of one history have the same borders wherever they come from. A log with a frame that
    // is half there would be refused by every reader.
    door.OnHole(frame->last_sequence());
    appended = frame->last_sequence();
    return;
  }
  appended = frame->last_sequence();
  if (frame->history() != log_->history()) frame = RenamedFrame(*frame, log_->history());
  door.Append(std::move(frame));
}

void FollowedStream::OnServed() {
  Enqueue([this] { keeper_.OnServed(); });
}

void FollowedStream::OnTurnEnd() {
  told_.store(false);
  if (taking_over_) TakeOutcome();
  // Meanwhile the log may be stopping, which takes what its doors hold: they are not touched.
  if (taking_over_ || log_ == nullptr) return;
  for (size_t i = 0; i < log_->shard_count(); ++i) {
    log_->shard(ShardId(static_cast<uint16_t>(i))).OnTurnEnd();
  }
  PauseIfFull();
}

void FollowedStream::TakeOutcome() {
  std::optional<Outcome> outcome;
  {
    const std::lock_guard lock(mutex_);
    outcome.swap(outcome_);
  }
  if (!outcome.has_value()) return;
  taking_over_ = false;
  const std::vector<FrameRef> waiting = std::exchange(waiting_, {});
  if (!outcome->ok()) return LeaveLog();
  if (**outcome != log_) {
    LeaveLog();
    UseLog(**outcome);
  }
  for (const FrameRef& frame : waiting) AppendNow(frame);
}

void FollowedStream::UseLog(std::shared_ptr<wal::Log> log) {
  log_ = std::move(log);
  appended_ = wal::SequencesOf(log_->begin().positions);
  shards_ = appended_.size();
  listener_ = log_->AddListener([this] { Wake(); });
}

void FollowedStream::LeaveLog() {
  if (log_ == nullptr) return;
  log_->RemoveListener(listener_);
  log_ = nullptr;
  paused_ = false;
}

void FollowedStream::PauseIfFull() {
  int percent = 0;
  for (size_t i = 0; i < log_->shard_count(); ++i) {
    const wal::ShardLog& door = log_->shard(ShardId(static_cast<uint16_t>(i)));
    percent = std::max(percent, door.utilisation_percent());
  }
  // Looked at again with the link's next heartbeat at the latest.
  paused_ = percent >= (paused_ ? kResumePercent : kPausePercent) &&
            log_->state() != wal::LogState::kFailed;
}

Watermarks FollowedStream::Durable() const {
  if (taking_over_ || ignoring_) return {};
  if (log_ == nullptr) return Watermarks(shards_);
  return keeper_.durable();
}

// --- This object's thread ---

void FollowedStream::Enqueue(std::function<void()> job) {
  if (post_ != nullptr) {
    return post_([alive = alive_, job = std::move(job)] {
      if (*alive) job();
    });
  }
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  posted_.notify_all();
}

void FollowedStream::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    posted_.wait(lock, [this] { return stopping_ || finishing_ || !jobs_.empty(); });
    if (stopping_ || jobs_.empty()) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

void FollowedStream::CarryOut(const replication::StreamPlan& plan,
                              const replication::ReplicaPosition& held) {
  Outcome outcome = TakeOver(plan, held);
  while (absl::IsResourceExhausted(outcome.status()) && AwaitRetry(outcome.status())) {
    if (post_ != nullptr) return Enqueue([this, plan, held] { CarryOut(plan, held); });
    outcome = TakeOver(plan, held);
  }
  if (!outcome.ok()) NoteFailure(outcome.status());
  {
    const std::lock_guard lock(mutex_);
    waits_for_.clear();
    outcome_ = std::move(outcome);
  }
  Wake();
}

bool FollowedStream::AwaitRetry(const absl::Status& why) {
  std::unique_lock lock(mutex_);
  if (waits_for_.empty()) {
    delayed_plans_.fetch_add(1, std::memory_order_relaxed);
    Log(LogLevel::kWarning,
        fmt::format("this replica reads no more of its primary's stream until its disk takes the "
                    "change of it: {}",
                    std::string(why.message())));
  }
  waits_for_ = std::string(why.message());
  if (post_ != nullptr) return true;
  const auto ends = [this] { return stopping_ || finishing_; };
  return !posted_.wait_for(lock, std::chrono::milliseconds(kRetryMs), ends);
}

FollowedStream::Outcome FollowedStream::TakeOver(const replication::StreamPlan& plan,
                                                 const replication::ReplicaPosition& held) {
  if (!plan.is_snapshot()) {
    return keeper_.Continue(plan.continues, plan.history, PositionsOf(plan));
  }
  return keeper_.Restart(plan.history, PositionsOf(plan), [&] { NameDiscarded(held, plan); });
}

void FollowedStream::NameDiscarded(const replication::ReplicaPosition& held,
                                   const replication::StreamPlan& plan) {
  std::optional<Watermarks> after = DiscardedAfter(held, plan);
  if (!after.has_value() || on_discard_ == nullptr) return;
  // Each telling saves files anew, of which only so many are kept.
  if (named_.has_value() && named_->held == held && Covers(*after, named_->after)) return;
  on_discard_(held, *after);
  named_ = {.held = held, .after = *std::move(after)};
}

void FollowedStream::NoteFailure(const absl::Status& why) {
  std::string text(why.message());
  // While the disk is full only this object's end gives up; the next one may go on.
  if (!absl::IsResourceExhausted(why)) {
    Log(LogLevel::kError,
        fmt::format("this replica keeps nothing on disk until it is restarted: {}", text));
  }
  const std::lock_guard lock(mutex_);
  failure_ = std::move(text);
}

}  // namespace tidemark::server
