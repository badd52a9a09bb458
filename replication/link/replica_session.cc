#include "replication/link/replica_session.h"

#include <algorithm>
#include <utility>

#include "base/link/wire_vectors.h"
#include "fmt/format.h"
#include "replication/link/primary_hub.h"

namespace tidemark::replication {
namespace {

constexpr size_t kFramesPerTake = 64;

std::string_view StateName(PrimaryLink::State state) {
  switch (state) {
    case PrimaryLink::State::kHello:
      return "handshake";
    case PrimaryLink::State::kDeciding:
      return "wait";
    case PrimaryLink::State::kSnapshot:
      return "sync";
    case PrimaryLink::State::kStreaming:
      return "online";
    case PrimaryLink::State::kClosing:
    case PrimaryLink::State::kClosed:
      return "closing";
  }
  return "unknown";
}

}  // namespace

ReplicaSession::ReplicaSession(PrimaryHub* hub, uint64_t id, std::string host, int64_t now_ms)
    : hub_(hub),
      id_(id),
      host_(std::move(host)),
      link_(hub->options_.link, this, now_ms),
      feed_(hub->options_.feed, &hub->catch_up_, hub->shards_, hub->waker_, &hub->feed_counters_) {}

ReplicaSession::~ReplicaSession() { Release(); }

void ReplicaSession::OnBytes(std::string_view bytes, int64_t now_ms) {
  hub_->now_ms_ = now_ms;
  link_.OnBytes(bytes, now_ms);
  AfterChange(now_ms);
}

void ReplicaSession::OnWritten(size_t bytes, int64_t now_ms) {
  link_.OnWritten(bytes, now_ms);
  Pump(now_ms);
}

void ReplicaSession::Tick(int64_t now_ms) {
  link_.Tick(now_ms);
  AfterChange(now_ms);
}

void ReplicaSession::AfterChange(int64_t now_ms) {
  Pump(now_ms);
  if (std::exchange(seen_acks_, link_.acks()) != link_.acks()) OnAcked(now_ms);
}

void ReplicaSession::OnAcked(int64_t now_ms) {
  // Until a snapshot is swapped in, acks speak of nothing that could be kept for the replica.
  bool counts = true;
  for (size_t i = 0; i < link_.plan().shards.size(); ++i) {
    counts &= link_.applied()[i] >= link_.plan().shards[i].at.sequence;
  }
  if (counts) {
    hub_->registry_.OnAck(link_.identity().node_id, link_.plan().history, link_.applied(),
                          feed_.live_since_ms(), now_ms);
  }
  hub_->OnAck();
}

void ReplicaSession::Pump(int64_t now_ms) {
  if (!link_.streaming()) {
    if (!link_.deciding()) Release();
    return;
  }
  feed_.Tick(now_ms);
  const size_t limit = hub_->options_.max_output_bytes;
  bool more = true;
  while (more && link_.output_bytes() < limit) {
    taken_.clear();
    more = feed_.Take(kFramesPerTake, limit - link_.output_bytes(), now_ms, &taken_);
    for (FrameRef& frame : taken_) {
      const bool compress = hub_->options_.zstd && link_.identity().wants_zstd;
      const Frame* twin = compress ? &hub_->compressor_.Compress(*frame) : frame.get();
      link_.Send(std::move(frame), twin);
    }
  }
  taken_.clear();
  if (!feed_.failure().ok()) return OnFeedFailed(now_ms);
  if (hub_->stopping_ && Covers(link_.sent(), hub_->stop_target_)) {
    hub_->SayStopping(this, now_ms);
  }
}

void ReplicaSession::OnFeedFailed(int64_t now_ms) {
  if (absl::IsUnavailable(feed_.failure())) {  // No fault of the replica's.
    link_.Close(wire::Goodbye::NEW_STREAM, std::string(feed_.failure().message()), now_ms);
    return Release();
  }
  hub_->registry_.OnFeedFailed(link_.identity().node_id, feed_.needs_snapshot(), now_ms);
  link_.Close(wire::Goodbye::OVERFLOW, std::string(feed_.failure().message()), now_ms);
  Release();
}

int64_t ReplicaSession::NextDeadlineMs() const {
  // While the output is full nothing is taken, whatever the time; OnWritten() takes more.
  if (link_.output_bytes() >= hub_->options_.max_output_bytes) return link_.NextDeadlineMs();
  return std::min(link_.NextDeadlineMs(), feed_.NextDeadlineMs());
}

std::optional<wire::Refuse> ReplicaSession::Admit(const ReplicaIdentity& replica) {
  std::optional<wire::Refuse> refusal = hub_->Admit(this, replica);
  admitted_ = !refusal.has_value();
  return refusal;
}

void ReplicaSession::Subscribe(const ReplicaPosition& position) {
  if (hub_->IsBehind(position)) {
    return link_.Close(wire::Goodbye::BEHIND,
                       "this node is a replica itself and has not yet got what you have",
                       hub_->now_ms_);
  }
  const std::string& node_id = link_.identity().node_id;
  const ReplicaRegistry::Terms terms = hub_->registry_.TermsFor(node_id);
  const bool each_shard = terms.last == LastRung::kSnapshot && link_.identity().takes_mixed_plans;
  known_ = true;
  hub_->registry_.OnConnected(node_id, fmt::format("{}:{}", host_, link_.identity().client_port));
  feed_.Begin(
      position, each_shard ? LastRung::kShardSnapshots : terms.last, terms.queue_growth,
      [this](const StreamPlan& plan) {
        joined_ms_ = hub_->now_ms_;
        hub_->registry_.OnPlan(link_.identity().node_id, plan);
        link_.OnPlan(plan, hub_->now_ms_);
        Pump(hub_->now_ms_);
      },
      hub_->now_ms_);
}

void ReplicaSession::Release() { feed_.End(); }

Watermarks ReplicaSession::Emitted() { return hub_->EmittedAtSource(); }

int64_t ReplicaSession::BehindMs(int64_t now_ms) { return hub_->BehindMs(now_ms); }

int64_t ReplicaSession::UnixMillis() { return hub_->options_.clock->UnixMillis(); }

ReplicaStatus ReplicaSession::Status(const Watermarks& emitted, int64_t now_ms) const {
  ReplicaStatus status;
  status.id = id_;
  status.address = fmt::format("{}:{}", host_, link_.identity().client_port);
  status.node_id = link_.identity().node_id;
  status.state = StateName(link_.state());
  status.acked = link_.applied();
  if (link_.state() == PrimaryLink::State::kStreaming && feed_.live_since_ms() == 0) {
    status.state = "catchup";
  }
  status.queue_bytes = link_.output_bytes() + feed_.queued_bytes();
  status.queue_high_bytes = feed_.queue_high_bytes();
  for (size_t i = 0; i < status.acked.size(); ++i) {
    if (emitted[i] > status.acked[i]) {
      status.lag_records += emitted[i].value() - status.acked[i].value();
    }
  }
  if (status.lag_records > 0) {
    status.lag_ms = now_ms - (link_.covered_ms() > 0 ? link_.covered_ms() : joined_ms_);
  }
  return status;
}

}  // namespace tidemark::replication
