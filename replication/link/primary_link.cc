#include "replication/link/primary_link.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/link/peer_text.h"
#include "base/link/refusal.h"
#include "base/link/wire_vectors.h"
#include "fmt/format.h"
#include "replication/link/protocol_version.h"

namespace tidemark::replication {
namespace {

constexpr size_t kMaxNodeIdBytes = 128;
// A replica that reads so slowly that this much is waiting hears that instead of more heartbeats.
constexpr size_t kHeartbeatQueueBytes = 4 << 20;
// Of the ancestors in an Accept: 32 KiB, beside the plans of at most 1024 shards.
constexpr size_t kMaxAncestorSequences = 4096;

void AddAncestors(const std::vector<Ancestor>& ancestors, size_t shards, wire::Accept* accept) {
  const size_t room = kMaxAncestorSequences / shards;
  const size_t first = ancestors.size() > room ? ancestors.size() - room : 0;
  for (size_t i = first; i < ancestors.size(); ++i) {
    // Of a primary that had another number of shards: its sequences say nothing here.
    if (ancestors[i].fork.size() != shards) continue;
    wire::Ancestor* out = accept->add_ancestors();
    out->set_history(ancestors[i].history.value());
    ToWire(ancestors[i].fork, out->mutable_fork());
  }
}

// Why a Hello contradicts itself; empty: it does not.
std::string HelloFault(const wire::Hello& hello) {
  if (hello.role() != wire::Hello::ROLE_REPLICA) {
    return fmt::format("role {} is not known here", static_cast<int>(hello.role()));
  }
  if (hello.applied_size() != hello.stream_digests_size()) {
    return fmt::format("{} applied sequences but {} digests", hello.applied_size(),
                       hello.stream_digests_size());
  }
  if (hello.applied_size() > kMaxShards ||
      static_cast<uint32_t>(hello.applied_size()) != hello.shard_count()) {
    return fmt::format("{} applied sequences for {} shards", hello.applied_size(),
                       hello.shard_count());
  }
  if (hello.node_id().empty() || hello.node_id().size() > kMaxNodeIdBytes) {
    return fmt::format("a node id of {} bytes", hello.node_id().size());
  }
  if (hello.diverged_size() > hello.applied_size() ||
      std::any_of(hello.diverged().begin(), hello.diverged().end(),
                  [&](uint32_t shard) { return shard >= hello.shard_count(); })) {
    return "divergence of shards that it does not have";
  }
  if (hello.client_port() > std::numeric_limits<uint16_t>::max()) {
    return fmt::format("client port {}", hello.client_port());
  }
  return "";
}

// Whether a replica that has `received` so much may say `durable` of its disk. Nothing (empty)
// means that it keeps no log. It may be less than before: a replica whose log begins anew says so.
bool DurableCanBe(const Watermarks& durable, const Watermarks& received) {
  return durable.empty() || (durable.size() == received.size() && Covers(received, durable));
}

ReplicaPosition PositionOf(const wire::Hello& hello) {
  ReplicaPosition position;
  position.history = HistoryId(hello.history());
  for (int i = 0; i < hello.applied_size(); ++i) {
    position.shards.push_back({Sequence(hello.applied(i)), hello.stream_digests(i)});
  }
  for (const uint32_t shard : hello.diverged()) {
    position.diverged.push_back(ShardId(static_cast<uint16_t>(shard)));
  }
  return position;
}

}  // namespace

PrimaryLink::PrimaryLink(const Options& options, StreamSource* source, int64_t now_ms)
    : options_(options),
      source_(source),
      reader_({.frames_allowed = false}),
      opened_ms_(now_ms),
      last_heard_ms_(now_ms),
      write_progress_ms_(now_ms) {}

void PrimaryLink::OnBytes(std::string_view bytes, int64_t now_ms) {
  LinkMessage message;
  while (state_ != State::kClosing && state_ != State::kClosed) {
    const absl::StatusOr<bool> got = reader_.Next(&bytes, &message);
    if (!got.ok()) {
      Close(wire::Goodbye::PROTOCOL, std::string(got.status().message()), now_ms);
      return;
    }
    if (!*got) return;
    last_heard_ms_ = now_ms;
    Handle(std::get<ControlMessage>(message), now_ms);
  }
}

void PrimaryLink::Handle(const ControlMessage& message, int64_t now_ms) {
  if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) {
    state_ = State::kClosed;
    heard_goodbye_ = *goodbye;
    cause_ = absl::UnavailableError(fmt::format("the replica said goodbye ({}): {}",
                                                wire::Goodbye::Code_Name(goodbye->code()),
                                                PeerText(goodbye->text())));
    return;
  }
  if (const auto* hello = std::get_if<wire::Hello>(&message); hello && state_ == State::kHello) {
    return HandleHello(*hello, now_ms);
  }
  if (const auto* ack = std::get_if<wire::Ack>(&message); ack && streaming()) {
    return HandleAck(*ack, now_ms);
  }
  Close(wire::Goodbye::PROTOCOL, fmt::format("{} out of turn", ControlName(message)), now_ms);
}

void PrimaryLink::HandleHello(const wire::Hello& hello, int64_t now_ms) {
  if (hello.min_version() > kProtocolVersion || hello.max_version() < kProtocolVersion) {
    return Refuse(MakeRefusal<wire::Refuse>(
        wire::Refuse::VERSION,
        fmt::format("this primary speaks protocol version {}, the replica {} to {}",
                    kProtocolVersion, hello.min_version(), hello.max_version()),
        30'000));
  }
  if (!options_.tokens.Admits(hello.token())) {
    return Refuse(MakeRefusal<wire::Refuse>(wire::Refuse::TOKEN,
                                            "the replication token is not this primary's", 5'000));
  }
  if (std::string fault = HelloFault(hello); !fault.empty()) {
    return Refuse(MakeRefusal<wire::Refuse>(wire::Refuse::BAD_HELLO, std::move(fault), 30'000));
  }
  identity_ = {.node_id = hello.node_id(),
               .client_port = static_cast<uint16_t>(hello.client_port()),
               .wants_zstd = hello.want_zstd(),
               .takes_promotion = hello.takes_promotion(),
               .takes_mixed_plans = hello.takes_mixed_plans()};
  token_ = hello.token();
  if (const std::optional<wire::Refuse> refusal = source_->Admit(identity_)) {
    return Refuse(*refusal);
  }
  state_ = State::kDeciding;
  heartbeat_ms_ = now_ms;
  asked_to_resume_ = hello.history() != 0;
  source_->Subscribe(PositionOf(hello));
}

void PrimaryLink::OnPlan(const StreamPlan& plan, int64_t now_ms) {
  CHECK(state_ == State::kDeciding);
  CHECK(!plan.is_mixed() || identity_.takes_mixed_plans);
  plan_ = plan;
  wire::Accept accept;
  accept.set_version(kProtocolVersion);
  accept.set_history(plan.history.value());
  const bool goes_on = plan.snapshots() < plan.shards.size();
  if (goes_on && plan.continues != plan.history) {
    accept.set_continues(plan.continues.value());
  }
  accept.set_heartbeat_interval_ms(static_cast<uint32_t>(options_.heartbeat_interval_ms));
  for (const ShardPlan& shard : plan.shards) {
    wire::ShardPlan* out = accept.add_shards();
    out->set_source(static_cast<wire::ShardPlan::Source>(shard.source));
    out->set_watermark(shard.at.sequence.value());
    out->set_stream_digest(shard.at.stream_digest);
    out->set_entries(shard.entries);
    out->set_cut(shard.cut.sequence.value());
    out->set_cut_digest(shard.cut.stream_digest);
    out->set_diverged(shard.diverged);
    sent_.push_back(shard.at.sequence);
  }
  AddAncestors(options_.ancestors, plan.shards.size(), &accept);
  for (const std::string& node_id : options_.path) accept.add_path(node_id);
  received_.assign(plan.shards.size(), Sequence());
  applied_.assign(plan.shards.size(), Sequence());
  if (plan.is_snapshot()) {
    ++counters_.plans_with_snapshot;
    if (plan.is_mixed()) ++counters_.plans_mixed;
    if (asked_to_resume_) ++counters_.positions_refused;
    snapshot_.resize(plan.shards.size());
    snapshot_shards_left_ = plan.snapshots();
    state_ = State::kSnapshot;
  } else {
    ++counters_.plans_without_snapshot;
    state_ = State::kStreaming;
  }
  last_heard_ms_ = now_ms;
  Push(accept);
  QueueHeartbeat(now_ms);
}

void PrimaryLink::Send(FrameRef frame, const Frame* twin) {
  DCHECK(streaming());
  ++counters_.sent_frames;
  counters_.sent_records += frame->record_count();
  counters_.sent_bytes += twin->bytes().size();
  counters_.sent_bytes_uncompressed += frame->bytes().size();
  const Frame& sent = *frame;
  output_.Push(std::move(frame), twin);
  if (sent.kind() == FrameKind::kSnapshotChunk) {
    NoteChunk(sent);
  } else {
    sent_[sent.shard().value()] = sent.last_sequence();
  }
}

void PrimaryLink::NoteChunk(const Frame& frame) {
  ++counters_.sent_chunks;
  SnapshotProgress& progress = snapshot_[frame.shard().value()];
  ++progress.chunks;
  progress.entries += frame.record_count();
  if (!frame.is_last_chunk()) return;
  wire::SnapshotEnd end;
  end.set_shard(frame.shard().value());
  end.set_chunks(progress.chunks);
  end.set_entries(progress.entries);
  Push(end);
  if (--snapshot_shards_left_ == 0) state_ = State::kStreaming;
}

void PrimaryLink::HandleAck(const wire::Ack& ack, int64_t now_ms) {
  const Watermarks received = FromWire(ack.received());
  const Watermarks applied = FromWire(ack.applied());
  const Watermarks durable = FromWire(ack.durable());
  const bool fits = received.size() == sent_.size() && applied.size() == sent_.size();
  // An ack that claims more than was sent would make WAIT lie; one that goes back, lag.
  if (!fits || !Covers(sent_, received) || !Covers(received, applied) ||
      !Covers(received, received_) || !Covers(applied, applied_) ||
      !DurableCanBe(durable, received)) {
    return Close(wire::Goodbye::PROTOCOL, "an ack that cannot be", now_ms);
  }
  received_ = received;
  applied_ = applied;
  durable_ = durable;
  covered_ms_ = std::min(std::max(covered_ms_, ack.covered_ms()), now_ms);
  ++acks_;
}

void PrimaryLink::QueueHeartbeat(int64_t now_ms) {
  heartbeat_ms_ = now_ms;
  if (output_.bytes() > kHeartbeatQueueBytes) return;
  wire::Heartbeat heartbeat;
  ToWire(source_->Emitted(), heartbeat.mutable_emitted());
  heartbeat.set_sent_ms(now_ms);
  heartbeat.set_wall_ms(source_->UnixMillis());
  heartbeat.set_behind_ms(std::max<int64_t>(source_->BehindMs(now_ms), -1));
  Push(heartbeat);
}

void PrimaryLink::Tick(int64_t now_ms) {
  if (state_ == State::kClosed) return;
  if (output_.empty()) write_progress_ms_ = now_ms;
  if (now_ms - write_progress_ms_ >= options_.write_timeout_ms) {
    if (cause_.ok()) {
      cause_ = absl::DeadlineExceededError(
          fmt::format("no byte could be sent for {} ms", options_.write_timeout_ms));
    }
    state_ = State::kClosed;
    return;
  }
  if (state_ == State::kHello && now_ms - opened_ms_ >= options_.hello_timeout_ms) {
    return Refuse(MakeRefusal<wire::Refuse>(
        wire::Refuse::NO_HELLO, fmt::format("no hello within {} ms", options_.hello_timeout_ms),
        0));
  }
  if (streaming() && now_ms - last_heard_ms_ >= options_.silence_timeout_ms) {
    return Close(wire::Goodbye::SILENCE,
                 fmt::format("nothing was heard for {} ms", options_.silence_timeout_ms), now_ms);
  }
  if ((streaming() || deciding()) && now_ms - heartbeat_ms_ >= options_.heartbeat_interval_ms) {
    QueueHeartbeat(now_ms);
  }
}

int64_t PrimaryLink::NextDeadlineMs() const {
  if (state_ == State::kClosed) return std::numeric_limits<int64_t>::max();
  int64_t deadline = write_progress_ms_ + options_.write_timeout_ms;
  if (state_ == State::kHello) {
    deadline = std::min(deadline, opened_ms_ + options_.hello_timeout_ms);
  }
  if (streaming()) deadline = std::min(deadline, last_heard_ms_ + options_.silence_timeout_ms);
  if (streaming() || deciding()) {
    deadline = std::min(deadline, heartbeat_ms_ + options_.heartbeat_interval_ms);
  }
  return deadline;
}

void PrimaryLink::Close(wire::Goodbye::Code code, std::string_view text, int64_t now_ms) {
  if (state_ == State::kClosing || state_ == State::kClosed) return;
  wire::Goodbye goodbye;
  goodbye.set_code(code);
  goodbye.set_text(std::string(text));
  SayGoodbye(goodbye);
}

void PrimaryLink::CloseMoved(std::string_view host, uint16_t port, int64_t now_ms) {
  if (state_ == State::kClosing || state_ == State::kClosed) return;
  wire::Goodbye goodbye;
  goodbye.set_code(wire::Goodbye::MOVED);
  goodbye.set_text(fmt::format("the primary is now {}:{}", host, port));
  goodbye.set_moved_host(std::string(host));
  goodbye.set_moved_port(port);
  SayGoodbye(goodbye);
}

void PrimaryLink::SayGoodbye(const wire::Goodbye& goodbye) {
  Push(goodbye);
  BeginClosing(absl::AbortedError(
      fmt::format("{}: {}", wire::Goodbye::Code_Name(goodbye.code()), goodbye.text())));
}

void PrimaryLink::Promote(bool force) {
  DCHECK(streaming() && identity_.takes_promotion);
  wire::Promote promote;
  promote.set_history(plan_.history.value());
  ToWire(source_->Emitted(), promote.mutable_emitted());
  promote.set_force(force);
  promote.set_token(token_);
  Push(promote);
}

void PrimaryLink::Refuse(const wire::Refuse& refusal) {
  Push(refusal);
  BeginClosing(absl::PermissionDeniedError(
      fmt::format("refused ({}): {}", wire::Refuse::Code_Name(refusal.code()), refusal.text())));
}

void PrimaryLink::BeginClosing(absl::Status cause) {
  state_ = State::kClosing;
  cause_ = std::move(cause);
}

void PrimaryLink::OnDisconnected(const absl::Status& why) {
  if (cause_.ok()) cause_ = why;
  state_ = State::kClosed;
}

void PrimaryLink::OnWritten(size_t bytes, int64_t now_ms) {
  output_.Consume(bytes);
  write_progress_ms_ = now_ms;
  if (state_ == State::kClosing && output_.empty()) state_ = State::kClosed;
}

}  // namespace tidemark::replication
