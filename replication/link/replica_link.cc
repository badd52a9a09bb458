#include "replication/link/replica_link.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/link/peer_text.h"
#include "base/link/wire_vectors.h"
#include "fmt/format.h"
#include "replication/link/accepted_plan.h"
#include "replication/link/protocol_version.h"

namespace tidemark::replication {
namespace {

// While an earlier connection's frames are still being applied, ask again so soon.
constexpr int64_t kQuiesceRetryMs = 10;
// How long a Goodbye may take to be written.
constexpr int64_t kGoodbyeTimeoutMs = 500;
constexpr int64_t kLongestAdviceMs = 60'000;
constexpr size_t kMaxUncovered = 64;

}  // namespace

ReplicaLink::ReplicaLink(const Options& options, FrameReceiver* receiver, int64_t now_ms)
    : options_(options),
      receiver_(receiver),
      backoff_(options.backoff, options.seed),
      deadline_ms_(now_ms) {}

// --- Connections ---

void ReplicaLink::Attempt(int64_t now_ms) {
  std::optional<ReplicaPosition> position = receiver_->Position();
  if (!position) {
    deadline_ms_ = now_ms + kQuiesceRetryMs;
    return;
  }
  hello_position_ = *std::move(position);
  NameDiverged();
  state_ = State::kConnecting;
  deadline_ms_ = now_ms + options_.connect_timeout_ms;
  ++counters_.attempts;
}

void ReplicaLink::NameDiverged() {
  // Known of one stream. Data of another, or none, is judged by what it is.
  if (hello_position_.history != diverged_history_) diverged_.clear();
  for (const ShardId shard : diverged_) {
    if (shard.value() < hello_position_.shards.size()) hello_position_.diverged.push_back(shard);
  }
}

void ReplicaLink::OnConnected(int64_t now_ms) {
  if (state_ != State::kConnecting) return;
  reader_.emplace(MessageReader::Options{.max_frame_bytes = options_.max_frame_bytes});
  output_.Clear();
  ack_due_ = false;
  reading_paused_ = false;
  last_heard_ms_ = now_ms;

  wire::Hello hello;
  hello.set_min_version(kProtocolVersion);
  hello.set_max_version(kProtocolVersion);
  hello.set_role(wire::Hello::ROLE_REPLICA);
  hello.set_node_id(options_.node_id);
  hello.set_history(hello_position_.history.value());
  hello.set_shard_count(static_cast<uint32_t>(hello_position_.shards.size()));
  for (const ShardPosition& shard : hello_position_.shards) {
    hello.add_applied(shard.sequence.value());
    hello.add_stream_digests(shard.stream_digest);
  }
  hello.set_token(options_.token);
  hello.set_want_zstd(options_.want_zstd);
  hello.set_client_port(options_.client_port);
  hello.set_takes_promotion(true);
  hello.set_takes_mixed_plans(takes_mixed_plans_);
  for (const ShardId shard : hello_position_.diverged) hello.add_diverged(shard.value());
  output_.Push(EncodeControl(hello));
  state_ = State::kHandshake;
  deadline_ms_ = now_ms + options_.accept_timeout_ms;
}

void ReplicaLink::OnConnectFailed(const absl::Status& why, int64_t now_ms) {
  if (state_ == State::kConnecting) Drop(why, now_ms);
}

void ReplicaLink::OnDisconnected(const absl::Status& why, int64_t now_ms) {
  if (!wants_connection()) return;
  // What we said goodbye for explains more than that the connection then ended.
  Drop(state_ == State::kClosing ? last_failure_ : why, now_ms);
}

void ReplicaLink::LoseStream() {
  promotion_ordered_ = false;
  if (std::exchange(stream_open_, false)) receiver_->OnLinkLost();
}

void ReplicaLink::Drop(const absl::Status& why, int64_t now_ms) {
  last_failure_ = why;
  if (accepted() && now_ms - accepted_ms_ >= options_.stable_after_ms) backoff_.Reset();
  LoseStream();
  output_.Clear();
  reader_.reset();
  state_ = stopping_ ? State::kStopped : State::kBackoff;
  deadline_ms_ = std::max(now_ms + backoff_.NextMs(), not_before_ms_);
}

void ReplicaLink::Fail(wire::Goodbye::Code code, const absl::Status& why, int64_t now_ms) {
  if (state_ == State::kConnecting) return Drop(why, now_ms);
  if (state_ != State::kHandshake && !accepted()) return;
  if (accepted() && now_ms - accepted_ms_ >= options_.stable_after_ms) backoff_.Reset();
  // A plan that could not be carried out is not asked for again and again.
  if (state_ == State::kSnapshot && plan_.is_mixed()) takes_mixed_plans_ = false;
  LoseStream();
  wire::Goodbye goodbye;
  goodbye.set_code(code);
  goodbye.set_text(std::string(why.message()));
  output_.Push(EncodeControl(goodbye));
  last_failure_ = why;
  state_ = State::kClosing;
  deadline_ms_ = now_ms + kGoodbyeTimeoutMs;
}

void ReplicaLink::Stop(int64_t now_ms, wire::Goodbye::Code code) {
  stopping_ = true;
  if (state_ == State::kHandshake || accepted()) {
    Fail(code, absl::CancelledError("this replica no longer follows"), now_ms);
  } else if (state_ != State::kClosing) {
    state_ = State::kStopped;
  }
}

// --- Messages ---

void ReplicaLink::OnBytes(std::string_view bytes, int64_t now_ms) {
  if (state_ != State::kHandshake && !accepted()) return;
  last_heard_ms_ = now_ms;
  if (state_ == State::kHandshake) deadline_ms_ = now_ms + options_.accept_timeout_ms;
  if (accepted()) counters_.received_bytes += bytes.size();
  LinkMessage message;
  while (state_ == State::kHandshake || accepted()) {
    const absl::StatusOr<bool> got = reader_->Next(&bytes, &message);
    if (!got.ok()) {
      ++counters_.damaged_messages;
      return Fail(wire::Goodbye::PROTOCOL, got.status(), now_ms);
    }
    if (!*got) return;
    if (const MaybeFault fault = Handle(std::move(message), now_ms)) {
      return Fail(fault->code, absl::FailedPreconditionError(fault->text), now_ms);
    }
  }
}

ReplicaLink::MaybeFault ReplicaLink::Handle(LinkMessage message, int64_t now_ms) {
  if (auto* frame = std::get_if<FrameRef>(&message)) {
    if (!accepted()) return Fault{wire::Goodbye::PROTOCOL, "a frame before Accept"};
    return HandleFrame(std::move(*frame));
  }
  const ControlMessage& control = std::get<ControlMessage>(message);
  if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&control)) {
    return HandleHeartbeat(*heartbeat, now_ms);
  }
  if (const auto* goodbye = std::get_if<wire::Goodbye>(&control)) {
    HandleGoodbye(*goodbye, now_ms);
    return std::nullopt;
  }
  if (const auto* accept = std::get_if<wire::Accept>(&control);
      accept != nullptr && state_ == State::kHandshake) {
    return HandleAccept(*accept, now_ms);
  }
  if (const auto* refusal = std::get_if<wire::Refuse>(&control);
      refusal != nullptr && state_ == State::kHandshake) {
    HandleRefuse(*refusal, now_ms);
    return std::nullopt;
  }
  if (const auto* end = std::get_if<wire::SnapshotEnd>(&control);
      end != nullptr && state_ == State::kSnapshot) {
    return HandleSnapshotEnd(*end);
  }
  if (const auto* promote = std::get_if<wire::Promote>(&control);
      promote != nullptr && state_ == State::kStreaming) {
    return HandlePromote(*promote);
  }
  return Fault{wire::Goodbye::PROTOCOL, fmt::format("{} out of turn", ControlName(control))};
}

void ReplicaLink::HandleGoodbye(const wire::Goodbye& goodbye, int64_t now_ms) {
  constexpr size_t kLongestHostBytes = 255;
  if (goodbye.code() == wire::Goodbye::MOVED && !goodbye.moved_host().empty() &&
      goodbye.moved_host().size() <= kLongestHostBytes && goodbye.moved_port() > 0 &&
      goodbye.moved_port() <= std::numeric_limits<uint16_t>::max()) {
    new_primary_ = {.host = PeerText(goodbye.moved_host()),
                    .port = static_cast<uint16_t>(goodbye.moved_port())};
  }
  Drop(absl::UnavailableError(fmt::format("the primary said goodbye ({}): {}",
                                          wire::Goodbye::Code_Name(goodbye.code()),
                                          PeerText(goodbye.text()))),
       now_ms);
}

ReplicaLink::MaybeFault ReplicaLink::HandlePromote(const wire::Promote& promote) {
  if (promote.token() != options_.token) {
    return Fault{wire::Goodbye::PROMOTION_REFUSED, "the order came with another token"};
  }
  const Watermarks emitted = FromWire(promote.emitted());
  if (HistoryId(promote.history()) != plan_.history || emitted.size() != plan_.shards.size()) {
    return Fault{wire::Goodbye::PROMOTION_REFUSED, "the order is of another history"};
  }
  if (!promote.force() && (applied_.empty() || !Covers(applied_, emitted))) {
    return Fault{wire::Goodbye::PROMOTION_REFUSED,
                 "not all that the primary has emitted is applied here"};
  }
  emitted_ = emitted;
  promotion_ordered_ = true;
  return std::nullopt;
}

void ReplicaLink::HandleRefuse(const wire::Refuse& refusal, int64_t now_ms) {
  refused_ = true;
  not_before_ms_ = now_ms + std::min<int64_t>(refusal.retry_after_ms(), kLongestAdviceMs);
  Drop(absl::PermissionDeniedError(fmt::format("the primary refused ({}): {}",
                                               wire::Refuse::Code_Name(refusal.code()),
                                               PeerText(refusal.text()))),
       now_ms);
}

ReplicaLink::MaybeFault ReplicaLink::HandleAccept(const wire::Accept& accept, int64_t now_ms) {
  absl::StatusOr<StreamPlan> plan = PlanFrom(accept, hello_position_, takes_mixed_plans_);
  if (!plan.ok()) return Fault{wire::Goodbye::PROTOCOL, std::string(plan.status().message())};
  const ReplicaPosition held = receiver_->Held();
  if (MaybeFault fault = CheckForeignHistory(*plan, held)) {
    refused_ = true;
    backoff_.Lengthen();
    return fault;
  }
  refused_ = false;
  plan_ = *std::move(plan);
  accepted_ms_ = now_ms;
  last_ack_ms_ = now_ms;
  heartbeat_interval_ms_ = accept.heartbeat_interval_ms();
  uncovered_.clear();
  covered_ms_ = 0;
  emitted_.clear();
  emitted_as_of_ms_ = 0;
  applied_.clear();
  stream_.Begin(&plan_);
  // The log says anew what it has of this stream.
  if (!durable_.empty()) durable_.assign(plan_.shards.size(), Sequence());
  ++counters_.connections;
  if (plan_.is_snapshot()) {
    ++counters_.plans_with_snapshot;
    if (plan_.is_mixed()) ++counters_.plans_mixed;
    state_ = State::kSnapshot;
  } else {
    ++counters_.plans_without_snapshot;
    applied_ = stream_.received();
    state_ = State::kStreaming;
  }
  NoteDiscarded(held);
  stream_open_ = true;
  receiver_->OnPlan(plan_);
  return std::nullopt;
}

void ReplicaLink::NoteDiscarded(const ReplicaPosition& held) {
  discarded_.clear();
  if (!plan_.is_snapshot()) return;
  // What is beyond is in no stream of the primary's.
  const std::optional<Watermarks> fork = plan_.ForkFrom(held.history);
  if (!fork || fork->size() != held.shards.size()) return;
  for (size_t i = 0; i < fork->size(); ++i) {
    const Sequence last = held.shards[i].sequence;
    if (last <= (*fork)[i]) continue;
    discarded_.push_back({ShardId(static_cast<uint16_t>(i)), Next((*fork)[i]), last});
    counters_.discarded_records += last.value() - (*fork)[i].value();
  }
}

ReplicaLink::MaybeFault ReplicaLink::CheckForeignHistory(const StreamPlan& plan,
                                                         const ReplicaPosition& held) {
  using enum AcceptForeignHistory;
  // A mixed plan goes on with what is here: that history is not foreign.
  if (plan.snapshots() < plan.shards.size()) return std::nullopt;
  if (plan.history == held.history) return std::nullopt;
  if (options_.accept_foreign_history == kAlways || !receiver_->HoldsKeys()) return std::nullopt;
  uint64_t entries = 0;
  for (const ShardPlan& shard : plan.shards) entries += shard.entries;
  if (options_.accept_foreign_history == kNonempty && entries > 0) return std::nullopt;
  return Fault{
      wire::Goodbye::FOREIGN_HISTORY,
      fmt::format("this replica holds data of history {:016x} and the primary offers {} keys of "
                  "history {:016x}; it keeps what it has. Restore the primary's data, or restart "
                  "this replica empty, or set accept_foreign_history=always",
                  held.history.value(), entries, plan.history.value())};
}

ReplicaLink::MaybeFault ReplicaLink::HandleFrame(FrameRef frame) {
  Sequence skip_through;
  Fault fault;
  switch (stream_.Take(*frame, &skip_through, &fault)) {
    case ReceivedStream::Verdict::kReceived:
      return std::nullopt;
    case ReceivedStream::Verdict::kFault:
      if (fault.code == wire::Goodbye::DIGEST) NoteDivergence(frame->shard());
      return fault;
    case ReceivedStream::Verdict::kNew:
      break;
  }
  const absl::Status taken = receiver_->OnFrame(std::move(frame), skip_through);
  if (!taken.ok()) return Fault{wire::Goodbye::PROTOCOL, std::string(taken.message())};
  EndSnapshotIfWhole();
  return std::nullopt;
}

void ReplicaLink::NoteDivergence(ShardId shard) {
  if (diverged_history_ != plan_.history) diverged_.clear();
  diverged_history_ = plan_.history;
  if (std::find(diverged_.begin(), diverged_.end(), shard) == diverged_.end()) {
    diverged_.push_back(shard);
  }
}

ReplicaLink::MaybeFault ReplicaLink::HandleSnapshotEnd(const wire::SnapshotEnd& end) {
  Fault fault;
  if (!stream_.End(end, &fault)) return fault;
  EndSnapshotIfWhole();
  return std::nullopt;
}

void ReplicaLink::EndSnapshotIfWhole() {
  if (state_ != State::kSnapshot || !stream_.whole()) return;
  state_ = State::kStreaming;
  for (size_t i = 0; i < plan_.shards.size(); ++i) {
    if (plan_.shards[i].is_snapshot()) std::erase(diverged_, ShardId(static_cast<uint16_t>(i)));
  }
  takes_mixed_plans_ = true;
  receiver_->OnSnapshotEnd();
}

// --- Acks and heartbeats ---

ReplicaLink::MaybeFault ReplicaLink::HandleHeartbeat(const wire::Heartbeat& heartbeat,
                                                     int64_t now_ms) {
  if (!accepted()) return std::nullopt;  // The primary is still deciding.
  if (static_cast<size_t>(heartbeat.emitted_size()) != plan_.shards.size()) {
    return Fault{wire::Goodbye::PROTOCOL, "a heartbeat for another number of shards"};
  }
  emitted_ = FromWire(heartbeat.emitted());
  if (heartbeat.behind_ms() < 0) {  // Whom we follow does not know how old its news is.
    QueueAck(now_ms);
    return std::nullopt;
  }
  emitted_as_of_ms_ = std::max(emitted_as_of_ms_, now_ms - heartbeat.behind_ms());
  if (uncovered_.size() == kMaxUncovered) {
    // Far behind: keep every second, so that what is left still spans the whole time.
    std::deque<Uncovered> thinned;
    for (size_t i = 0; i < uncovered_.size(); i += 2) thinned.push_back(std::move(uncovered_[i]));
    uncovered_ = std::move(thinned);
  }
  uncovered_.push_back({emitted_, heartbeat.sent_ms(), emitted_as_of_ms_});
  NoteCovered();
  QueueAck(now_ms);
  return std::nullopt;
}

void ReplicaLink::NoteCovered() {
  if (applied_.empty()) return;
  while (!uncovered_.empty() && Covers(applied_, uncovered_.front().emitted)) {
    covered_ms_ = uncovered_.front().sent_ms;
    current_as_of_ms_ = std::max(current_as_of_ms_, uncovered_.front().as_of_ms);
    uncovered_.pop_front();
  }
}

void ReplicaLink::OnApplied(const Watermarks& applied, int64_t now_ms) {
  if (!accepted() || applied.size() != plan_.shards.size()) return;
  applied_ = applied;
  NoteCovered();
  QueueAck(now_ms);
}

void ReplicaLink::OnDurable(const Watermarks& durable, int64_t now_ms) {
  if (durable == durable_) return;
  durable_ = durable;
  if (accepted()) QueueAck(now_ms);
}

void ReplicaLink::QueueAck(int64_t now_ms) {
  last_ack_ms_ = now_ms;
  ack_due_ = !output_.empty();
  if (ack_due_) return;  // OnWritten() makes one of what is true by then.
  wire::Ack ack;
  const size_t shards = received().size();
  ToWire(received(), ack.mutable_received());
  ToWire(applied_.empty() ? Watermarks(shards) : applied_, ack.mutable_applied());
  if (durable_.size() == shards) {
    // The log is ahead of the shards. Who is promoted is the one that has applied the most, so what
    // is not applied yet must not count as saved.
    for (size_t i = 0; i < durable_.size(); ++i) {
      const Sequence applied = applied_.empty() ? Sequence() : applied_[i];
      ack.add_durable(std::min(durable_[i], applied).value());
    }
  }
  ack.set_covered_ms(covered_ms_);
  output_.Push(EncodeControl(ack));
}

void ReplicaLink::OnWritten(size_t bytes, int64_t now_ms) {
  output_.Consume(bytes);
  if (!output_.empty()) return;
  if (state_ == State::kClosing) {
    Drop(last_failure_, now_ms);
  } else if (ack_due_ && accepted()) {
    QueueAck(now_ms);
  }
}

void ReplicaLink::OnReadingPaused(int64_t now_ms) { reading_paused_ = true; }

void ReplicaLink::OnReadingResumed(int64_t now_ms) {
  reading_paused_ = false;
  last_heard_ms_ = now_ms;
}

// --- Time ---

int64_t ReplicaLink::SilenceDeadlineMs() const {
  if (reading_paused_) return std::numeric_limits<int64_t>::max();
  return last_heard_ms_ + std::max(options_.silence_timeout_ms, 4 * heartbeat_interval_ms_);
}

void ReplicaLink::Tick(int64_t now_ms) {
  if (accepted()) {
    if (now_ms >= SilenceDeadlineMs()) {
      return Fail(wire::Goodbye::SILENCE,
                  absl::DeadlineExceededError(fmt::format("nothing came from the primary for {} ms",
                                                          now_ms - last_heard_ms_)),
                  now_ms);
    }
    if (now_ms - last_ack_ms_ >= heartbeat_interval_ms_) QueueAck(now_ms);
    return;
  }
  if (now_ms < deadline_ms_) return;
  switch (state_) {
    case State::kBackoff:
      return Attempt(now_ms);
    case State::kConnecting:
      return Drop(absl::DeadlineExceededError(
                      fmt::format("no connection within {} ms", options_.connect_timeout_ms)),
                  now_ms);
    case State::kHandshake:
      return Drop(absl::DeadlineExceededError(
                      fmt::format("no answer to hello for {} ms", options_.accept_timeout_ms)),
                  now_ms);
    case State::kClosing:
      return Drop(last_failure_, now_ms);
    case State::kSnapshot:
    case State::kStreaming:
    case State::kStopped:
      return;
  }
}

int64_t ReplicaLink::NextDeadlineMs() const {
  if (state_ == State::kStopped) return std::numeric_limits<int64_t>::max();
  if (!accepted()) return deadline_ms_;
  return std::min(SilenceDeadlineMs(), last_ack_ms_ + heartbeat_interval_ms_);
}

std::string_view ReplicaLink::state_name() const {
  switch (state_) {
    case State::kBackoff:
      return refused_ ? "refused" : "connect";
    case State::kConnecting:
    case State::kHandshake:
    case State::kClosing:
      return "connecting";
    case State::kSnapshot:
      return "sync";
    case State::kStreaming:
      return "connected";
    case State::kStopped:
      return "stopped";
  }
  return "unknown";
}

}  // namespace tidemark::replication
