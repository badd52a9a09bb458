#include "server/reply_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/log/log.h"
#include "server/durability.h"
#include "server/node.h"
#include "server/shard_node.h"

namespace tidemark::server {
namespace {

using replication::AckKind;
using replication::AckLevels;

}  // namespace

Node& ReplyGate::node() const { return shard_.node(); }

// --- What is asked ---

AckNeed ReplyGate::NeedOf(const std::optional<AckPolicy>& policy) const {
  const AckPolicy& asked = policy ? *policy : node_policy_;
  const bool has_disk = node().durability() != nullptr;
  AckNeed need{.own_disk = fsync_always_ && has_disk,
               .replicas = static_cast<uint8_t>(asked.replicas),
               .kind = AckKind::kApplied,
               .timed = asked.kind != AckPolicy::Kind::kMemory};
  if (asked.kind == AckPolicy::Kind::kDurable) need.own_disk = has_disk;
  if (asked.kind == AckPolicy::Kind::kDurableReplicas) {
    need.kind = AckKind::kDurable;
    need.own_disk = has_disk;
  }
  return need;
}

void ReplyGate::FollowSettings() {
  Settings& settings = node().settings();
  fsync_always_ = settings.Choice<Fsync>(Setting::kFsync) == Fsync::kAlways;
  if (const auto policy = ParseAckPolicy(settings.String(Setting::kAck))) node_policy_ = *policy;
  // The log's thread is as busy as a shard then.
  shard_.shard().ShareCoresWith(NeedOf(std::nullopt).own_disk ? 1 : 0);
  shard_.ForEachClient([&](Client& client) {
    client.FollowAckSettings();
    // It may wait for a sync that the log no longer makes by itself.
    if (client.holds_replies() && client.held().NeedsOwnDisk()) {
      WantOwnDisk(client.session().written());
    }
  });
}

// --- What holds by now ---

Sequence ReplyGate::OnOwnDisk(ShardId shard) const {
  return shard.value() < durable_.size() ? durable_[shard.value()] : Sequence();
}

Sequence ReplyGate::OnReplicas(AckKind kind, int replicas, ShardId shard) const {
  const AckLevels* const levels = node().replication().ack_levels();
  return levels == nullptr ? Sequence() : levels->reached(kind, replicas, shard);
}

bool ReplyGate::HasMoved() {
  bool moved = false;
  // Ask first, look then: no move between the two is missed.
  if (NodeDurability* const durability = node().durability();
      durability != nullptr && durability->started()) {
    durability->NotifyWhenDurable(shard_.id());
    durability->ReadDurable(&durable_now_);
    moved = durable_now_ != durable_;
    if (moved) durable_ = durable_now_;
  }
  if (AckLevels* const levels = node().replication().ack_levels(); levels != nullptr) {
    levels->NotifyWhenMoved(shard_.id());
    const uint64_t version = levels->version();
    moved |= version != version_;
    version_ = version;
  }
  return moved;
}

// --- Letting go ---

void ReplyGate::OnHolding(uint64_t client) {
  holding_.push_back(client);
  most_holding_ = std::max(most_holding_, holding_.size());
}

void ReplyGate::OnTurnEnd() {
  if (!holding_.empty()) Release();
  if (!sync_target_.empty() && !syncing_) RequestSync();
}

void ReplyGate::Release() {
  if (HasMoved()) looked_at_ = 0;
  const auto first = holding_.begin() + static_cast<ptrdiff_t>(looked_at_);
  holding_.erase(std::remove_if(first, holding_.end(),
                                [&](uint64_t id) {
                                  Client* client = shard_.FindClient(id);
                                  return client == nullptr ||
                                         client->ReleaseReplies(*this, waited_);
                                }),
                 holding_.end());
  looked_at_ = holding_.size();
  const NodeDurability* const durability = node().durability();
  if (!holding_.empty() && durability != nullptr && durability->failed()) {
    CutThoseForDisk(durability->cause());
  }
}

void ReplyGate::CutThoseForDisk(std::string_view why) {
  size_t cut = 0;
  std::erase_if(holding_, [&](uint64_t id) {
    Client* client = shard_.FindClient(id);
    if (client == nullptr) return true;
    if (!client->held().NeedsOwnDisk()) return false;
    ++cut;
    client->connection().Close(net::CloseReason::kReply);
    return true;
  });
  looked_at_ = std::min(looked_at_, holding_.size());
  if (cut == 0) return;
  Log(LogLevel::kError,
      fmt::format("shard {}: {} clients are cut, whose writes can never be durable: {}",
                  shard_.id().value(), cut, why));
}

// --- The node's own disk ---

void ReplyGate::WantOwnDisk(const Watermarks& written) {
  if (fsync_always_) return;  // It syncs as fast as it can.
  sync_target_.resize(written.size());
  for (size_t i = 0; i < written.size(); ++i) {
    sync_target_[i] = std::max(sync_target_[i], written[i]);
  }
}

void ReplyGate::RequestSync() {
  NodeDurability* const durability = node().durability();
  Watermarks target = std::exchange(sync_target_, {});
  if (durability == nullptr || !durability->started()) return;
  syncing_ = true;
  // Those that come meanwhile share the next one.
  durability->SyncThrough(std::move(target), [&node = node(), this](const absl::Status&) {
    node.engine().Post(shard_.id(), [this](cache::Shard&) { syncing_ = false; });
  });
}

// --- Giving up ---

void ReplyGate::AtTime(uint64_t client, int64_t timeout_ms, std::function<void()> expire) {
  // A timeout of centuries is as good as none.
  constexpr int64_t kMostMs = int64_t{1} << 40;
  const int64_t in_ns = std::min(timeout_ms, kMostMs) * 1'000'000;
  // A client blocks for one thing at a time: what it waited for before has been answered.
  std::erase_if(alarms_, [&](const Alarm& alarm) { return alarm.client == client; });
  alarms_.push_back({client, shard_.now_ns() + in_ns, std::move(expire)});
}

void ReplyGate::RingAlarms(int64_t now_ns) {
  std::vector<Alarm> due;
  std::erase_if(alarms_, [&](Alarm& alarm) {
    if (shard_.FindClient(alarm.client) == nullptr) return true;
    if (alarm.at_ns > now_ns) return false;
    due.push_back(std::move(alarm));
    return true;
  });
  for (Alarm& alarm : due) alarm.expire();
}

void ReplyGate::OnTick() {
  const int64_t now_ns = shard_.now_ns();
  RingAlarms(now_ns);
  const int64_t timeout_ms = node().settings().Int(Setting::kAckTimeoutMs);
  if (holding_.empty() || timeout_ms == 0) return;
  Fail(now_ns - timeout_ms * 1'000'000, [this](const AckNeed& need) { return TimeoutText(need); });
}

void ReplyGate::FailHeld(std::string_view error) {
  Fail(std::numeric_limits<int64_t>::max(), [&](const AckNeed&) { return std::string(error); });
}

void ReplyGate::Fail(int64_t since_ns, const std::function<std::string(const AckNeed&)>& error_of) {
  HasMoved();  // What has come in time is not late.
  looked_at_ = 0;
  for (const uint64_t id : holding_) {
    if (Client* client = shard_.FindClient(id)) {
      timeouts_ += client->FailReplies(since_ns, *this, error_of);
    }
  }
}

std::string ReplyGate::TimeoutText(const AckNeed& need) const {
  const int64_t timeout_ms = node().settings().Int(Setting::kAckTimeoutMs);
  if (need.replicas == 0) {
    return fmt::format(
        "TIMEOUT The write was made, but was not on disk within {} ms. It may still survive.",
        timeout_ms);
  }
  const AckLevels* const levels = node().replication().ack_levels();
  const int connected = levels == nullptr ? 0 : levels->connected();
  if (connected < need.replicas) {
    return fmt::format(
        "NOREPLICAS The write was made on this node, but {} of the {} replicas that it needs are "
        "connected. It may still survive.",
        connected, need.replicas);
  }
  return fmt::format(
      "TIMEOUT The write was made on this node, but not acknowledged as needed ({} replicas{}) "
      "within {} ms. It may still survive.",
      need.replicas, need.kind == AckKind::kDurable ? ", on disk" : "", timeout_ms);
}

// --- Seeing it ---

void ReplyGate::Report(ShardReport& report) const {
  for (const uint64_t id : holding_) {
    const Client* client = shard_.FindClient(id);
    if (client == nullptr || !client->holds_replies()) continue;
    const AckNeed& need = client->held().need();
    ++report.held_clients;
    report.held_bytes += client->held_bytes();
    uint64_t& by_policy = need.replicas == 0               ? report.held_for_disk
                          : need.kind == AckKind::kApplied ? report.held_for_replicas
                                                           : report.held_for_durable_replicas;
    ++by_policy;
  }
  report.held_clients_most = most_holding_;
  report.ack_timeouts = timeouts_;
  report.refused_for_replicas = refused_;
  LatencySnapshot waited;
  waited_.AddTo(waited);
  report.held_replies = waited.count();
  const auto micros = [](int64_t nanos) { return static_cast<double>(nanos) / 1000; };
  report.held_p50_usec = micros(waited.PercentileNanos(50));
  report.held_p99_usec = micros(waited.PercentileNanos(99));
  report.held_max_usec = micros(waited.max_nanos());
}

}  // namespace tidemark::server
