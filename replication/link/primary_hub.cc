#include "replication/link/primary_hub.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/link/peer_text.h"
#include "base/link/wire_vectors.h"
#include "fmt/format.h"

namespace tidemark::replication {
namespace {

Subscriber::Options WithShards(Subscriber::Options options, int shard_count) {
  options.shard_count = shard_count;
  return options;
}

wire::Refuse MakeRefuse(wire::Refuse::Code code, std::string text) {
  wire::Refuse refusal;
  refusal.set_code(code);
  refusal.set_text(std::move(text));
  refusal.set_retry_after_ms(1'000);
  return refusal;
}

void Accumulate(const PrimaryLink::Counters& from, PrimaryLink::Counters* to) {
  to->sent_frames += from.sent_frames;
  to->sent_records += from.sent_records;
  to->sent_bytes += from.sent_bytes;
  to->sent_bytes_uncompressed += from.sent_bytes_uncompressed;
  to->sent_chunks += from.sent_chunks;
  to->plans_with_snapshot += from.plans_with_snapshot;
  to->plans_without_snapshot += from.plans_without_snapshot;
  to->positions_refused += from.positions_refused;
}

PromotionOutcome OutcomeOf(const PrimaryLink& link) {
  const std::optional<wire::Goodbye>& goodbye = link.heard_goodbye();
  if (!goodbye) {
    return {.kind = PromotionOutcome::Kind::kUnknown, .text = std::string(link.cause().message())};
  }
  if (goodbye->code() == wire::Goodbye::PROMOTED) {
    return {.kind = PromotionOutcome::Kind::kPromoted, .text = ""};
  }
  // Whatever else it says: who says goodbye for another reason takes no promotion after it.
  return {.kind = PromotionOutcome::Kind::kRefused, .text = PeerText(goodbye->text())};
}

}  // namespace

PrimaryHub::PrimaryHub(const Options& options, ShardAccess* shards, LinkWaker* waker)
    : options_(options),
      shards_(shards),
      compressor_(options.compressor),
      catch_up_(WithShards(options.subscriber, shards->shard_count()), shards, waker) {}

ReplicaSession* PrimaryHub::Add(std::string host, int64_t now_ms) {
  now_ms_ = now_ms;
  const int handshakes = static_cast<int>(sessions_.size()) - CountAdmitted();
  if (handshakes >= options_.max_handshakes) return nullptr;
  const uint64_t id = next_id_++;
  auto session = std::make_unique<ReplicaSession>(this, id, std::move(host), now_ms);
  return sessions_.emplace(id, std::move(session)).first->second.get();
}

void PrimaryHub::Remove(ReplicaSession* session) {
  Accumulate(session->link().counters(), &sent_by_gone_);
  if (promoting_ == session->id()) {
    promoting_.reset();
    std::exchange(on_promotion_, nullptr)(OutcomeOf(session->link()));
  }
  sessions_.erase(session->id());
}

void PrimaryHub::Promote(uint64_t replica, bool force, PromotionCallback callback) {
  const auto refuse = [&](std::string text) {
    callback({.kind = PromotionOutcome::Kind::kRefused, .text = std::move(text)});
  };
  const auto found = sessions_.find(replica);
  if (found == sessions_.end() || !found->second->link().streaming()) {
    return refuse("the replica is not connected any more");
  }
  PrimaryLink& link = found->second->link();
  if (!link.identity().takes_promotion) {
    return refuse("the replica is of a version that cannot be promoted by its primary");
  }
  if (promoting_) return refuse("another replica is being promoted");
  promoting_ = replica;
  on_promotion_ = std::move(callback);
  link.Promote(force);
}

std::optional<wire::Refuse> PrimaryHub::Admit(ReplicaSession* session,
                                              const ReplicaIdentity& replica) {
  if (stopping_) return MakeRefuse(wire::Refuse::STOPPING, "the primary is shutting down");
  if (!options_.node_id.empty() && replica.node_id == options_.node_id) {
    return MakeRefuse(wire::Refuse::SELF, "this is the node itself");
  }
  for (const auto& [id, other] : sessions_) {
    if (other.get() == session || other->link_.identity().node_id != replica.node_id) continue;
    // The same node, back before its old connection was noticed to be dead.
    other->link_.Close(wire::Goodbye::SUPERSEDED, "this node has connected again", now_ms_);
    other->admitted_ = false;
    other->Release();
  }
  if (CountAdmitted() >= options_.max_replicas) {
    return MakeRefuse(wire::Refuse::TOO_MANY_REPLICAS,
                      fmt::format("{} replicas are connected, the most that max_replicas allows",
                                  options_.max_replicas));
  }
  return std::nullopt;
}

int PrimaryHub::CountAdmitted() const {
  return static_cast<int>(std::count_if(sessions_.begin(), sessions_.end(),
                                        [](const auto& entry) { return entry.second->admitted_; }));
}

// --- Time ---

void PrimaryHub::Tick(int64_t now_ms) {
  now_ms_ = now_ms;
  catch_up_.Tick(now_ms);
  for (const auto& [id, session] : sessions_) session->Tick(now_ms);
  std::vector<Waiter> due;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    if (now_ms < waiter.deadline_ms) return false;
    due.push_back(std::move(waiter));
    return true;
  });
  for (Waiter& waiter : due) waiter.callback(CountCovering(waiter.target));
}

int64_t PrimaryHub::NextDeadlineMs() const {
  int64_t deadline = catch_up_.NextDeadlineMs();
  for (const auto& [id, session] : sessions_) {
    deadline = std::min(deadline, session->link().NextDeadlineMs());
  }
  for (const Waiter& waiter : waiters_) deadline = std::min(deadline, waiter.deadline_ms);
  return deadline;
}

// --- Waiting for replicas ---

void PrimaryHub::WaitFor(const Watermarks& target, int replicas, int64_t deadline_ms,
                         WaitCallback callback, int64_t now_ms) {
  const int covering = CountCovering(target);
  if (covering >= replicas || now_ms >= deadline_ms) return callback(covering);
  waiters_.push_back({target, replicas, deadline_ms, std::move(callback)});
}

void PrimaryHub::OnAck() {
  std::vector<std::pair<WaitCallback, int>> due;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    const int covering = CountCovering(waiter.target);
    if (covering < waiter.replicas) return false;
    due.emplace_back(std::move(waiter.callback), covering);
    return true;
  });
  for (auto& [callback, covering] : due) callback(covering);
}

int PrimaryHub::CountCovering(const Watermarks& target) const {
  return static_cast<int>(std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
    const PrimaryLink& link = entry.second->link();
    return link.streaming() && link.applied().size() == target.size() &&
           Covers(link.applied(), target);
  }));
}

// --- Stopping ---

void PrimaryHub::SayStopping(ReplicaSession* session, int64_t now_ms) {
  if (moved_) {
    session->link().CloseMoved(moved_->host, moved_->port, now_ms);
  } else {
    session->link().Close(wire::Goodbye::STOPPING, "the primary is shutting down", now_ms);
  }
  session->Release();
}

void PrimaryHub::BeginStop(int64_t now_ms, std::optional<NewPrimary> moved) {
  now_ms_ = now_ms;
  stopping_ = true;
  moved_ = std::move(moved);
  stop_target_ = shards_->Emitted();
  for (const auto& [id, session] : sessions_) {
    if (session->link().streaming()) {
      session->Pump(now_ms);
    } else {
      SayStopping(session.get(), now_ms);
    }
  }
}

// --- Seeing it ---

std::vector<ReplicaStatus> PrimaryHub::Status(int64_t now_ms) const {
  const Watermarks emitted = shards_->Emitted();
  std::vector<ReplicaStatus> statuses;
  for (const auto& [id, session] : sessions_) {
    if (session->admitted_) statuses.push_back(session->Status(emitted, now_ms));
  }
  return statuses;
}

std::vector<ReplicaSession*> PrimaryHub::sessions() const {
  std::vector<ReplicaSession*> sessions;
  for (const auto& [id, session] : sessions_) sessions.push_back(session.get());
  return sessions;
}

PrimaryLink::Counters PrimaryHub::sent() const {
  PrimaryLink::Counters sent = sent_by_gone_;
  for (const auto& [id, session] : sessions_) Accumulate(session->link().counters(), &sent);
  return sent;
}

}  // namespace tidemark::replication
