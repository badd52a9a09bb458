#include "replication/shard_publisher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/format/record.h"

namespace tidemark::replication {
namespace {

// One thread writes, so reading and writing need not be one step.
void Add(std::atomic<uint64_t>& counter, uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

void Show(std::atomic<uint64_t>& gauge, uint64_t value) {
  gauge.store(value, std::memory_order_relaxed);
}

uint8_t CauseFlag(cache::DeleteCause cause) {
  switch (cause) {
    case cache::DeleteCause::kCommand:
      return 0;
    case cache::DeleteCause::kExpired:
      return kRecordExpired;
    case cache::DeleteCause::kEvicted:
      return kRecordEvicted;
  }
  return 0;
}

}  // namespace

ShardPublisher::ShardPublisher(const Options& options)
    : options_(options),
      history_(options.history),
      builder_(options.shard, options.limits),
      backlog_(options.budget) {}

void ShardPublisher::Begin(Beginning beginning) {
  CHECK(assigned() == Sequence() && !streaming_);
  history_ = beginning.history;
  ancestors_ = std::move(beginning.ancestors);
  log_ = beginning.log;
  builder_.BeginAt(beginning.end.last, beginning.end.digest);
  if (log_ != nullptr || beginning.has_readers) {
    streaming_ = true;
    ActivateBacklog();
  }
  TakeTail(std::move(beginning.tail));
  Show(assigned_, assigned().value());
  ShowEmitted();
}

void ShardPublisher::TakeTail(StreamTail tail) {
  if (tail.frames.empty()) return;
  CHECK(tail.frames.back()->last_sequence() == emitted());
  backlog_.Activate(tail.before, tail.digest_before);
  for (FrameRef& frame : tail.frames) backlog_.Append(std::move(frame));
}

// --- Following ---

void ShardPublisher::Follow(Beginning beginning) {
  CHECK(builder_.empty() && log_ == nullptr);
  CutAll(CutCause::kNewStream);
  const bool goes_on =
      following_ && beginning.end.last == emitted() && beginning.end.digest == builder_.digest();
  history_ = beginning.history;
  ancestors_ = std::move(beginning.ancestors);
  following_ = streaming_ = true;
  between_streams_ = false;
  if (!goes_on) {
    builder_.BeginAt(beginning.end.last, beginning.end.digest);
    ActivateBacklog();
    TakeTail(std::move(beginning.tail));
  }
  Show(assigned_, assigned().value());
  ShowEmitted();
}

void ShardPublisher::Relay(const FrameRef& frame) {
  if (!following_ || frame->last_sequence() <= emitted()) return;
  // Only what is applied comes here, and the applier has no gaps.
  CHECK(frame->first_sequence() <= Next(emitted()));
  if (snapshots_ != nullptr) snapshots_->BeforeFrame();
  const bool follows = frame->first_sequence() == Next(emitted());
  builder_.BeginAt(frame->last_sequence(), frame->stream_digest());
  Add(counters_.emitted_mutations, frame->record_count());
  Add(counters_.emitted_frames, 1);
  if (follows) {
    backlog_.Append(frame);
  } else {
    // It begins in what is here: a reader could not resume in its middle.
    ActivateBacklog();
  }
  ShowEmitted();
  Broadcast(frame);
}

void ShardPublisher::StopFollowing() {
  following_ = false;
  between_streams_ = true;
  CutAll(CutCause::kNewStream);
}

void ShardPublisher::CutAll(CutCause cause) {
  for (const SubscriberRef& subscriber : live_) {
    subscriber->Cut(cause);
    Add(counters_.drops, 1);
  }
  live_.clear();
}

void ShardPublisher::Set(std::string_view key, std::string_view value, const Expiry& expiry) {
  if (!streaming_) return builder_.Skip();
  builder_.Set(key, value, expiry);
  PublishIfFull();
}

void ShardPublisher::Delete(std::string_view key, cache::DeleteCause cause) {
  if (!streaming_) return builder_.Skip();
  builder_.Delete(key, CauseFlag(cause));
  PublishIfFull();
}

void ShardPublisher::Expire(std::string_view key, const Expiry& expiry) {
  if (!streaming_) return builder_.Skip();
  builder_.Expire(key, expiry);
  PublishIfFull();
}

void ShardPublisher::SetRange(std::string_view key, uint64_t offset, std::string_view bytes) {
  if (!streaming_) return builder_.Skip();
  builder_.SetRange(key, offset, bytes);
  PublishIfFull();
}

void ShardPublisher::Flush() {
  if (!streaming_) return builder_.Skip();
  builder_.Flush();
  if (snapshots_ != nullptr) snapshots_->OnFlush();
  PublishIfFull();
}

void ShardPublisher::BeginTransaction(const cache::TransactionInfo& info) {
  if (!streaming_) return builder_.Skip();
  builder_.BeginTransaction(info.id, info.participants);
}

void ShardPublisher::EndTransaction() {
  if (!streaming_) return;
  builder_.EndTransaction();
  PublishIfFull();
}

void ShardPublisher::OnTurnEnd(int64_t now_ms) {
  now_ms_ = now_ms;
  Show(assigned_, assigned().value());
  if (!streaming_) return ShowEmitted();
  const bool delayed = options_.limits.max_delay_ns != 0;
  if (builder_.Due(delayed ? options_.clock->MonotonicNanos() : 0)) Publish();
  if (log_ != nullptr) log_->OnTurnEnd();
  backlog_.YieldToClaims();
  std::erase_if(live_, [](const SubscriberRef& subscriber) { return !subscriber->active(); });
  SignalLive();
  backlog_low_.store(backlog_.low().value(), std::memory_order_release);
  Show(counters_.subscribers, live_.size());
  Show(counters_.backlog_bytes, backlog_.bytes());
  Show(counters_.backlog_frames, backlog_.frames());
}

void ShardPublisher::SealNow() {
  if (!builder_.empty()) Publish();
  SignalLive();
}

void ShardPublisher::LeaveLog() {
  CHECK(builder_.empty());
  if (log_ != nullptr) std::exchange(log_, nullptr)->OnTurnEnd();
}

void ShardPublisher::Publish() {
  if (builder_.failed()) return GiveUpBatch();
  if (snapshots_ != nullptr) snapshots_->BeforeFrame();
  const FrameRef frame =
      builder_.Seal(history_, static_cast<uint16_t>(options_.shard_count), now_ms_);
  if (log_ != nullptr) log_->Append(frame);
  Add(counters_.emitted_mutations, frame->record_count());
  Add(counters_.emitted_frames, 1);
  backlog_.Append(frame);
  ShowEmitted();
  Broadcast(frame);
}

void ShardPublisher::ShowEmitted() {
  // Release: who reads it and asks the backlog, by a posted task or its ring, finds the frame.
  emitted_.store(emitted().value(), std::memory_order_release);
}

void ShardPublisher::Broadcast(const FrameRef& frame) {
  unsignalled_ = true;
  std::erase_if(live_, [&](const SubscriberRef& subscriber) {
    const Subscriber::PushResult result = subscriber->Push(options_.shard, frame);
    if (result == Subscriber::PushResult::kPushed) {
      CountSent(*frame);
      return false;
    }
    if (result == Subscriber::PushResult::kCutNow) Add(counters_.backpressure_events, 1);
    Add(counters_.drops, 1);
    return true;
  });
}

void ShardPublisher::CountSent(const Frame& frame) {
  Add(counters_.sent_frames, 1);
  Add(counters_.sent_records, frame.record_count());
  Add(counters_.sent_bytes, frame.bytes().size());
}

void ShardPublisher::SignalLive() {
  if (!unsignalled_) return;
  unsignalled_ = false;
  for (const SubscriberRef& subscriber : live_) subscriber->Signal();
}

void ShardPublisher::GiveUpBatch() {
  // Sequences were promised for mutations whose bytes are lost. Whoever was listening, or would
  // catch up from before, has a hole that only a snapshot closes.
  builder_.Abandon();
  writes_refused_.store(true, std::memory_order_relaxed);
  Add(counters_.encode_failures, 1);
  if (log_ != nullptr) log_->OnHole(emitted());
  hole_ = emitted();
  ActivateBacklog();
  ShowEmitted();
  CutAll(CutCause::kStreamBroken);
}

void ShardPublisher::ActivateBacklog() {
  backlog_.Activate(emitted(), builder_.digest());
  backlog_low_.store(backlog_.low().value(), std::memory_order_release);
}

Join ShardPublisher::Subscribe(SubscriberRef subscriber, const StreamPosition& position) {
  Join join = Resume(subscriber, position);
  if (join.kind != Join::Kind::kEvicted && join.kind != Join::Kind::kNotOurs) return join;
  join.kind = Join::Kind::kSnapshot;
  if (between_streams_) return join;  // It has been cut.
  Add(counters_.catch_up_snapshot, 1);
  CHECK(snapshots_ != nullptr);
  snapshots_->Request(std::move(subscriber));
  return join;
}

Join ShardPublisher::Resume(SubscriberRef subscriber, const StreamPosition& position) {
  CHECK(!builder_.in_transaction());
  if (between_streams_) {
    subscriber->Cut(CutCause::kNewStream);
    return {.kind = Join::Kind::kNotOurs};
  }
  if (!streaming_) {
    streaming_ = true;
    ActivateBacklog();
    ShowEmitted();  // What this turn has numbered without a frame is as sent as it will ever be.
  }
  // What is in the open frame reaches the subscriber with that frame, like everybody.
  Join join{.kind = Join::Kind::kUpToDate, .emitted = emitted()};
  // Before a hole no place that keeps frames has all that follow.
  const bool ours = IsOurs(position) && position.applied >= hole_;
  Backlog::CatchUp catch_up{.kind = Backlog::CatchUp::Kind::kNotOurs, .frames = {}};
  if (ours) catch_up = backlog_.Since(position.applied, position.digest);
  switch (catch_up.kind) {
    case Backlog::CatchUp::Kind::kEvicted:
      join.kind = Join::Kind::kEvicted;
      return join;
    case Backlog::CatchUp::Kind::kNotOurs:
      join.kind = Join::Kind::kNotOurs;
      return join;
    case Backlog::CatchUp::Kind::kNothing:
      Add(counters_.catch_up_nothing, 1);
      break;
    case Backlog::CatchUp::Kind::kFrames:
      join.kind = Join::Kind::kBacklog;
      Add(counters_.catch_up_backlog, 1);
      break;
  }
  join.frames = catch_up.frames.size();
  for (const FrameRef& frame : catch_up.frames) {
    join.bytes += frame->bytes().size();
    CountSent(*frame);
  }
  subscriber->Open(options_.shard, std::move(catch_up.frames));
  subscriber->Signal();
  live_.push_back(std::move(subscriber));
  return join;
}

bool ShardPublisher::IsOurs(const StreamPosition& position) const {
  if (position.history == history_) return true;
  // A descendant cannot hold more of an ancestor than the least of the forks on the way to it.
  Sequence fork = position.applied;
  bool found = false;
  for (const StreamAncestor& ancestor : ancestors_) {
    found |= ancestor.history == position.history;
    if (found) fork = std::min(fork, ancestor.fork);
  }
  return found && fork == position.applied;
}

void ShardPublisher::Unsubscribe(const Subscriber* subscriber) {
  std::erase_if(live_, [&](const SubscriberRef& live) { return live.get() == subscriber; });
  if (snapshots_ != nullptr) snapshots_->Withdraw(subscriber);
}

void ShardPublisher::GoLive(SubscriberRef subscriber) {
  subscriber->Open(options_.shard, {});
  live_.push_back(std::move(subscriber));
}

void ShardPublisher::SendChunk(Subscriber* subscriber, const FrameRef& chunk,
                               size_t counted_bytes) {
  switch (subscriber->Push(options_.shard, chunk, counted_bytes)) {
    case Subscriber::PushResult::kPushed:
      CountSent(*chunk);
      return;
    case Subscriber::PushResult::kCutNow:
      Add(counters_.backpressure_events, 1);
      [[fallthrough]];
    case Subscriber::PushResult::kCutBefore:
      Add(counters_.drops, 1);
  }
}

}  // namespace tidemark::replication
