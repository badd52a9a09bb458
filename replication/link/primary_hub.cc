#include "replication/link/primary_hub.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/link/peer_text.h"
#include "base/link/refusal.h"
#include "base/link/wire_vectors.h"
#include "fmt/format.h"

namespace tidemark::replication {
namespace {

CatchUp::Options CatchUpOptions(const PrimaryHub::Options& options, int shard_count) {
  CatchUp::Options catch_up{.subscriber = options.subscriber,
                            .archive_read_bytes = options.max_output_bytes};
  catch_up.subscriber.shard_count = shard_count;
  return catch_up;
}

constexpr int64_t kRetryAfterMs = 1'000;
// Its own link may be back in no time.
constexpr int64_t kNotReadyRetryAfterMs = 100;
// Somebody has to give another order.
constexpr int64_t kCycleRetryAfterMs = 5'000;

void Accumulate(const PrimaryLink::Counters& from, PrimaryLink::Counters* to) {
  to->sent_frames += from.sent_frames;
  to->sent_records += from.sent_records;
  to->sent_bytes += from.sent_bytes;
  to->sent_bytes_uncompressed += from.sent_bytes_uncompressed;
  to->sent_chunks += from.sent_chunks;
  to->plans_with_snapshot += from.plans_with_snapshot;
  to->plans_mixed += from.plans_mixed;
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

PrimaryHub::PrimaryHub(const Options& options, ShardAccess* shards, LinkWaker* waker,
                       FrameArchive* archive)
    : options_(options),
      shards_(shards),
      waker_(waker),
      compressor_(options.compressor),
      catch_up_(CatchUpOptions(options, shards->shard_count()), shards, archive, waker),
      registry_(options.registry, archive),
      board_(shards->shard_count()) {}

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
  if (session->known_) registry_.OnGone(session->link().identity().node_id, now_ms_);
  sessions_.erase(session->id());
  PublishAcks();
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
  if (stopping_) {
    return MakeRefusal<wire::Refuse>(wire::Refuse::STOPPING, "the primary is shutting down",
                                     kRetryAfterMs);
  }
  if (!options_.node_id.empty() && replica.node_id == options_.node_id) {
    return MakeRefusal<wire::Refuse>(wire::Refuse::SELF, "this is the node itself", kRetryAfterMs);
  }
  if (options_.relays) {
    if (std::optional<wire::Refuse> refusal = RelayRefusal(replica)) return refusal;
  }
  if (const std::optional<int64_t> wait_ms = registry_.MustWait(replica.node_id, now_ms_)) {
    registry_.CountRefused();
    return MakeRefusal<wire::Refuse>(
        wire::Refuse::TOO_SLOW,
        fmt::format(
            "this replica fell out of reach again and again, with a queue of {} times "
            "subscriber_queue_bytes and subscriber_queue_frames at the end. Raise those, or "
            "backlog_bytes, or give the primary a data_dir to catch up from; the next "
            "attempt is in {} s",
            registry_.TermsFor(replica.node_id).queue_growth, (*wait_ms + 999) / 1'000),
        *wait_ms);
  }
  for (const auto& [id, other] : sessions_) {
    if (other.get() == session || other->link_.identity().node_id != replica.node_id) continue;
    // The same node, back before its old connection was noticed to be dead.
    other->link_.Close(wire::Goodbye::SUPERSEDED, "this node has connected again", now_ms_);
    other->admitted_ = false;
    other->Release();
  }
  if (CountAdmitted() >= options_.max_replicas) {
    return MakeRefusal<wire::Refuse>(
        wire::Refuse::TOO_MANY_REPLICAS,
        fmt::format("{} replicas are connected, the most that max_replicas allows",
                    options_.max_replicas),
        kRetryAfterMs);
  }
  return std::nullopt;
}

std::optional<wire::Refuse> PrimaryHub::RelayRefusal(const ReplicaIdentity& replica) const {
  // First: who is in a circle must hear that, and not that it should wait for itself.
  if (std::find(upstream_.begin(), upstream_.end(), replica.node_id) != upstream_.end()) {
    return MakeRefusal<wire::Refuse>(
        wire::Refuse::CYCLE,
        "this node follows you, directly or through others: one of the two must follow another",
        kCycleRetryAfterMs);
  }
  if (!not_ready_.empty()) {
    return MakeRefusal<wire::Refuse>(wire::Refuse::NOT_READY, not_ready_, kNotReadyRetryAfterMs);
  }
  if (upstream_.size() + 2 > kMaxPathNodes) {
    return MakeRefusal<wire::Refuse>(
        wire::Refuse::NOT_READY,
        fmt::format("the stream has come through {} nodes, and one more is too many",
                    upstream_.size() + 1),
        kCycleRetryAfterMs);
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
  registry_.Tick(now_ms);
  for (const auto& [id, session] : sessions_) session->Tick(now_ms);
  std::vector<Waiter> due;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    if (now_ms < waiter.deadline_ms) return false;
    due.push_back(std::move(waiter));
    return true;
  });
  for (Waiter& waiter : due) waiter.callback(CountCovering(waiter.target, waiter.kind));
}

int64_t PrimaryHub::NextDeadlineMs() const {
  int64_t deadline = std::min(catch_up_.NextDeadlineMs(), registry_.NextDeadlineMs());
  for (const auto& [id, session] : sessions_) {
    deadline = std::min(deadline, session->NextDeadlineMs());
  }
  for (const Waiter& waiter : waiters_) deadline = std::min(deadline, waiter.deadline_ms);
  return deadline;
}

// --- Waiting for replicas ---

void PrimaryHub::WaitFor(const Watermarks& target, int replicas, int64_t deadline_ms,
                         WaitCallback callback, int64_t now_ms, AckKind kind) {
  if (stopping_) return callback(kStopped);
  const int covering = CountCovering(target, kind);
  if (covering >= replicas || now_ms >= deadline_ms) return callback(covering);
  waiters_.push_back({target, replicas, deadline_ms, std::move(callback), kind});
}

void PrimaryHub::OnAck() {
  PublishAcks();
  AnswerWaiters();
}

void PrimaryHub::PublishAcks() {
  if (options_.levels == nullptr) return;
  copies_.clear();
  covered_ms_.clear();
  for (const auto& [id, session] : sessions_) {
    const PrimaryLink& link = session->link();
    if (!link.streaming()) continue;
    copies_.push_back({.applied = &link.applied(), .durable = &link.durable()});
    if (link.covered_ms() > 0) covered_ms_.push_back(link.covered_ms());
  }
  board_.Advance(copies_);
  options_.levels->Publish(board_, static_cast<int>(copies_.size()), covered_ms_);
}

void PrimaryHub::AnswerWaiters() {
  std::vector<std::pair<WaitCallback, int>> due;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    const int covering = CountCovering(waiter.target, waiter.kind);
    if (covering < waiter.replicas) return false;
    due.emplace_back(std::move(waiter.callback), covering);
    return true;
  });
  for (auto& [callback, covering] : due) callback(covering);
}

int PrimaryHub::CountCovering(const Watermarks& target, AckKind kind) const {
  return static_cast<int>(std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
    const PrimaryLink& link = entry.second->link();
    const Watermarks& acked = kind == AckKind::kApplied ? link.applied() : link.durable();
    return link.streaming() && acked.size() == target.size() && Covers(acked, target);
  }));
}

// --- A node that is itself a replica ---

void PrimaryHub::OpenRelay(const RelayedStream& stream, int64_t now_ms) {
  now_ms_ = now_ms;
  upstream_ = stream.path;
  options_.link.ancestors = stream.ancestors;
  options_.link.path = {options_.node_id};
  options_.link.path.insert(options_.link.path.end(), upstream_.begin(), upstream_.end());
  not_ready_.clear();
}

void PrimaryHub::CloseRelay(std::string why, int64_t now_ms) {
  now_ms_ = now_ms;
  upstream_emitted_.clear();
  for (const auto& [id, session] : sessions_) {
    // Who has not said hello yet is refused then.
    if (!session->link().streaming() && !session->link().deciding()) continue;
    session->link().Close(wire::Goodbye::NEW_STREAM, why, now_ms);
    session->admitted_ = false;
    session->Release();
  }
  HoldRelay(std::move(why));
}

void PrimaryHub::OnUpstream(Watermarks emitted, int64_t as_of_ms) {
  upstream_emitted_ = std::move(emitted);
  upstream_as_of_ms_ = as_of_ms;
}

Watermarks PrimaryHub::EmittedAtSource() const {
  Watermarks emitted = shards_->Emitted();
  if (upstream_emitted_.size() != emitted.size()) return emitted;
  // What a replica has not yet got itself, its followers lack as well.
  for (size_t i = 0; i < emitted.size(); ++i) {
    emitted[i] = std::max(emitted[i], upstream_emitted_[i]);
  }
  return emitted;
}

int64_t PrimaryHub::BehindMs(int64_t now_ms) const {
  if (!options_.relays) return 0;
  if (upstream_emitted_.empty()) return -1;
  return std::max<int64_t>(0, now_ms - upstream_as_of_ms_);
}

bool PrimaryHub::IsBehind(const ReplicaPosition& position) const {
  if (!options_.relays) return false;
  const Watermarks emitted = shards_->Emitted();
  if (position.shards.size() != emitted.size() || !position.diverged.empty()) return false;
  std::optional<Watermarks> fork;
  if (position.history != shards_->history()) {
    fork = ForkFrom(options_.link.ancestors, position.history);
    if (!fork || fork->size() != emitted.size()) return false;
  }
  bool behind = false;
  for (size_t i = 0; i < emitted.size(); ++i) {
    const Sequence has = position.shards[i].sequence;
    if (fork && has > (*fork)[i]) return false;  // It is not behind: they have parted.
    behind |= has > emitted[i];
  }
  return behind;
}

// --- Stopping ---

void PrimaryHub::SayStopping(ReplicaSession* session, int64_t now_ms) {
  if (moved_) {
    session->link().CloseMoved(moved_->host, moved_->port, now_ms);
  } else {
    session->link().Close(wire::Goodbye::STOPPING,
                          options_.relays ? "this replica stops, or changes its role"
                                          : "the primary is shutting down",
                          now_ms);
  }
  session->Release();
}

void PrimaryHub::BeginStop(int64_t now_ms, std::optional<NewPrimary> moved) {
  now_ms_ = now_ms;
  stopping_ = true;
  moved_ = std::move(moved);
  stop_target_ = shards_->Emitted();
  for (Waiter& waiter : std::exchange(waiters_, {})) waiter.callback(kStopped);
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
