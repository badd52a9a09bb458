#include "replication/link/replica_session.h"

#include <utility>

#include "base/link/wire_vectors.h"
#include "fmt/format.h"
#include "replication/link/primary_hub.h"

namespace tidemark::replication {
namespace {

constexpr size_t kFramesPerDrain = 64;

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
    : hub_(hub), id_(id), host_(std::move(host)), link_(hub->options_.link, this, now_ms) {}

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
  if (std::exchange(seen_acks_, link_.acks()) != link_.acks()) hub_->OnAck();
}

void ReplicaSession::Pump(int64_t now_ms) {
  if (!link_.streaming()) {
    if (!link_.deciding()) Release();
    return;
  }
  if (!subscriber_->active()) {
    link_.Close(wire::Goodbye::OVERFLOW, std::string(CutCauseName(subscriber_->cause())), now_ms);
    return Release();
  }
  subscriber_->BeginDrain();
  const size_t limit = hub_->options_.max_output_bytes;
  bool more = true;
  while (more && link_.output_bytes() < limit) {
    drained_.clear();
    more = subscriber_->Drain(kFramesPerDrain, limit - link_.output_bytes(), &drained_);
    for (FrameRef& frame : drained_) {
      const bool compress = hub_->options_.zstd && link_.identity().wants_zstd;
      const Frame* twin = compress ? &hub_->compressor_.Compress(*frame) : frame.get();
      link_.Send(std::move(frame), twin);
    }
  }
  drained_.clear();
  if (hub_->stopping_ && Covers(link_.sent(), hub_->stop_target_)) {
    hub_->SayStopping(this, now_ms);
  }
}

std::optional<wire::Refuse> ReplicaSession::Admit(const ReplicaIdentity& replica) {
  std::optional<wire::Refuse> refusal = hub_->Admit(this, replica);
  admitted_ = !refusal.has_value();
  return refusal;
}

void ReplicaSession::Subscribe(const ReplicaPosition& position) {
  CatchUp::RequestRef request =
      hub_->catch_up_.Begin(position, [this](SubscriberRef subscriber, const StreamPlan& plan) {
        subscriber_ = std::move(subscriber);
        joined_ms_ = hub_->now_ms_;
        link_.OnPlan(plan, hub_->now_ms_);
        Pump(hub_->now_ms_);
      });
  request_ = std::move(request);
}

void ReplicaSession::Release() {
  subscriber_ = nullptr;
  if (request_ != nullptr) hub_->catch_up_.End(std::exchange(request_, nullptr));
}

Watermarks ReplicaSession::Emitted() { return hub_->shards_->Emitted(); }

int64_t ReplicaSession::UnixMillis() { return hub_->options_.clock->UnixMillis(); }

ReplicaStatus ReplicaSession::Status(const Watermarks& emitted, int64_t now_ms) const {
  ReplicaStatus status;
  status.id = id_;
  status.address = fmt::format("{}:{}", host_, link_.identity().client_port);
  status.node_id = link_.identity().node_id;
  status.state = StateName(link_.state());
  status.acked = link_.applied();
  status.queue_bytes =
      link_.output_bytes() + (subscriber_ != nullptr ? subscriber_->queued_bytes() : 0);
  if (subscriber_ != nullptr) status.queue_high_bytes = subscriber_->high_watermark_bytes();
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
