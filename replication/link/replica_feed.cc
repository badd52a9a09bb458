#include "replication/link/replica_feed.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "fmt/format.h"

namespace tidemark::replication {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

// --- Beginning and ending ---

void ReplicaFeed::Begin(const ReplicaPosition& position, LastRung last, int queue_growth,
                        OnPlan on_plan, int64_t now_ms) {
  CHECK(state_ == State::kNone && request_ == nullptr);
  now_ms_ = now_ms;
  state_ = State::kDeciding;
  queue_growth_ = queue_growth;
  CatchUp::RequestRef request = catch_up_->Begin(
      position, last, queue_growth,
      [this, on_plan = std::move(on_plan)](Feed feed) { OnDecided(std::move(feed), on_plan); });
  // The answer may have come from within, and have led to the end.
  if (state_ != State::kNone) {
    request_ = std::move(request);
  } else {
    catch_up_->End(request);
  }
}

void ReplicaFeed::OnDecided(Feed feed, const OnPlan& on_plan) {
  at_.history = feed.plan.history;
  at_.shards.clear();
  for (const ShardPlan& shard : feed.plan.shards) at_.shards.push_back(shard.at);
  if (feed.cursor != nullptr) {
    ++counters_->began_in_log;
  } else if (feed.plan.is_snapshot()) {
    snapshot_shards_left_ = feed.plan.snapshots();
  }
  const StreamPlan plan = feed.plan;
  OnReturned(std::move(feed));
  on_plan(plan);
}

void ReplicaFeed::End() {
  state_ = State::kNone;
  subscriber_ = nullptr;
  cursor_ = nullptr;
  read_.clear();
  next_read_ = 0;
  reading_ = false;
  if (request_ != nullptr) catch_up_->End(std::exchange(request_, nullptr));
}

void ReplicaFeed::Fail(absl::Status failure, bool needs_snapshot) {
  failure_ = std::move(failure);
  needs_snapshot_ = needs_snapshot;
  End();
  waker_->Wake();
}

// --- Down the ladder and back ---

void ReplicaFeed::Return(LastRung last) {
  state_ = last == LastRung::kBacklog ? State::kJoining : State::kReturning;
  if (request_ != nullptr) catch_up_->End(std::exchange(request_, nullptr));
  const State waiting = state_;
  CatchUp::RequestRef request = catch_up_->Begin(at_, last, queue_growth_, [this](Feed feed) {
    const bool had_left = state_ == State::kReturning;
    if (feed.subscriber != nullptr) ++counters_->returned;
    if (feed.cursor != nullptr && had_left) ++counters_->fell_to_log;
    OnReturned(std::move(feed));
  });
  if (state_ == waiting || subscriber_ != nullptr) {
    request_ = std::move(request);
  } else {
    catch_up_->End(request);
  }
}

void ReplicaFeed::OnReturned(Feed feed) {
  if (feed.subscriber != nullptr) {
    subscriber_ = std::move(feed.subscriber);
    cursor_ = nullptr;
    state_ = snapshot_shards_left_ > 0 ? State::kSnapshot : State::kLive;
    live_since_ms_ = now_ms_;
  } else if (feed.cursor != nullptr) {
    cursor_ = std::move(feed.cursor);
    state_ = State::kLog;
    proved_.assign(at_.shards.size(), false);
    progress_ms_ = now_ms_;
    OnRead({.status = absl::OkStatus(), .frames = std::move(feed.first)});
  } else if (state_ == State::kJoining) {
    state_ = State::kLog;  // The backlog has moved on; so does the log.
    may_join_ = false;
  } else {
    ++counters_->out_of_reach;
    Fail(absl::OutOfRangeError("it fell behind further than the backlog and the log reach"), false);
  }
  waker_->Wake();
}

void ReplicaFeed::OnCut() {
  const CutCause cause = subscriber_->cause();
  if (cause == CutCause::kNewStream) {
    return Fail(absl::UnavailableError("this node's own stream begins anew"), false);
  }
  const bool overflowed = cause == CutCause::kTooManyBytes || cause == CutCause::kTooManyFrames;
  if (!overflowed) {
    return Fail(absl::OutOfRangeError(std::string(CutCauseName(cause))), true);
  }
  if (state_ == State::kSnapshot) {
    ++counters_->snapshot_overflows;
    return Fail(absl::ResourceExhaustedError(fmt::format(
                    "{} during its snapshot: more was written meanwhile than the bounds "
                    "subscriber_queue_bytes and subscriber_queue_frames let wait",
                    CutCauseName(cause))),
                false);
  }
  ++counters_->left_live;
  subscriber_ = nullptr;
  catch_up_->End(std::exchange(request_, nullptr));
  state_ = State::kLeft;
}

// --- Taking ---

void ReplicaFeed::Tick(int64_t now_ms) {
  now_ms_ = now_ms;
  if (subscriber_ != nullptr && !subscriber_->active()) OnCut();
}

bool ReplicaFeed::Take(size_t max_frames, size_t max_bytes, int64_t now_ms,
                       std::vector<FrameRef>* frames) {
  Tick(now_ms);
  switch (state_) {
    case State::kSnapshot:
    case State::kLive:
      return TakeLive(max_frames, max_bytes, now_ms, frames);
    case State::kLeft:
      Return(LastRung::kArchive);
      return false;
    case State::kLog:
      return TakeFromLog(max_frames, max_bytes, now_ms, frames);
    case State::kNone:
    case State::kDeciding:
    case State::kReturning:
    case State::kJoining:
      return false;
  }
  return false;
}

bool ReplicaFeed::TakeLive(size_t max_frames, size_t max_bytes, int64_t now_ms,
                           std::vector<FrameRef>* frames) {
  const size_t before = frames->size();
  subscriber_->BeginDrain();
  const bool more = subscriber_->Drain(max_frames, max_bytes, frames);
  for (size_t i = before; i < frames->size(); ++i) {
    const Frame& frame = *(*frames)[i];
    if (frame.kind() == FrameKind::kMutations) {
      at_.shards[frame.shard().value()] = {frame.last_sequence(), frame.stream_digest()};
    } else if (frame.is_last_chunk() && --snapshot_shards_left_ == 0) {
      state_ = State::kLive;
      live_since_ms_ = now_ms;
    }
  }
  return more;
}

bool ReplicaFeed::TakeFromLog(size_t max_frames, size_t max_bytes, int64_t now_ms,
                              std::vector<FrameRef>* frames) {
  size_t taken = 0;
  size_t bytes = 0;
  for (; next_read_ < read_.size() && taken < max_frames && bytes < max_bytes; ++next_read_) {
    FrameRef frame = std::move(read_[next_read_]);
    if (frame->last_sequence() <= at_.shards[frame->shard().value()].sequence) continue;
    if (!Advance(*frame)) {
      Fail(absl::OutOfRangeError(fmt::format("the log does not continue its stream in shard {}",
                                             frame->shard().value())),
           true);
      return false;
    }
    ++taken;
    ++counters_->log_frames;
    bytes += frame->bytes().size();
    frames->push_back(std::move(frame));
  }
  counters_->log_bytes += bytes;
  if (next_read_ < read_.size()) return true;
  read_.clear();
  next_read_ = 0;
  if (reading_) return false;
  if (may_join_ && WithinBacklog()) {
    Return(LastRung::kBacklog);
  } else if (!read_nothing_ || now_ms >= read_at_ms_) {
    if (read_nothing_ && now_ms - progress_ms_ >= options_.log_stuck_ms) {
      ++counters_->out_of_reach;
      Fail(absl::OutOfRangeError("the log goes on no further, and the backlog begins behind it"),
           true);
      return false;
    }
    ReadOn();
  }
  return false;
}

bool ReplicaFeed::Advance(const Frame& frame) {
  const size_t shard = frame.shard().value();
  ShardPosition& at = at_.shards[shard];
  if (frame.first_sequence() != Next(at.sequence)) return false;
  // Once a shard: that the log's stream is the replica's. From there on the log has checked itself.
  if (!proved_[shard] && StreamDigest(at.stream_digest, frame.payload()) != frame.stream_digest()) {
    return false;
  }
  proved_[shard] = true;
  at = {frame.last_sequence(), frame.stream_digest()};
  return true;
}

void ReplicaFeed::ReadOn() {
  reading_ = true;
  cursor_->Read(catch_up_->options().archive_read_bytes,
                [this](ArchiveBatch batch) { OnRead(std::move(batch)); });
}

void ReplicaFeed::OnRead(ArchiveBatch batch) {
  reading_ = false;
  if (!batch.status.ok()) {
    ++counters_->out_of_reach;
    return Fail(absl::OutOfRangeError(fmt::format("the log cannot be read on: {}",
                                                  std::string(batch.status.message()))),
                !absl::IsNotFound(batch.status));
  }
  read_ = std::move(batch.frames);
  next_read_ = 0;
  read_nothing_ = read_.empty();
  may_join_ = true;
  if (read_nothing_) {
    read_at_ms_ = now_ms_ + options_.log_wait_ms;
  } else {
    progress_ms_ = now_ms_;
  }
  waker_->Wake();
}

bool ReplicaFeed::WithinBacklog() const {
  const Watermarks low = shards_->BacklogLow();
  for (size_t i = 0; i < low.size(); ++i) {
    if (at_.shards[i].sequence < low[i]) return false;
  }
  return true;
}

// --- Seeing it ---

int64_t ReplicaFeed::NextDeadlineMs() const {
  const bool waits = state_ == State::kLog && !reading_ && read_nothing_ && read_.empty();
  return waits ? read_at_ms_ : kNever;
}

size_t ReplicaFeed::queued_bytes() const {
  size_t bytes = subscriber_ != nullptr ? subscriber_->queued_bytes() : 0;
  for (size_t i = next_read_; i < read_.size(); ++i) bytes += read_[i]->bytes().size();
  return bytes;
}

size_t ReplicaFeed::queue_high_bytes() const {
  return subscriber_ != nullptr ? subscriber_->high_watermark_bytes() : 0;
}

std::string_view ReplicaFeed::source_name() const {
  switch (state_) {
    case State::kSnapshot:
      return "snapshot";
    case State::kLive:
      return "live";
    case State::kLog:
    case State::kJoining:
      return "log";
    case State::kLeft:
    case State::kReturning:
      return "returning";
    case State::kNone:
    case State::kDeciding:
      break;
  }
  return "none";
}

}  // namespace tidemark::replication
