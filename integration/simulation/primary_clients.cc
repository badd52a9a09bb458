// What clients do to a PrimaryNode, and what may be looked at.

#include <algorithm>
#include <utility>

#include "base/key_hash.h"
#include "cache/keyspace_recorder.h"
#include "fmt/format.h"
#include "integration/simulation/primary_node.h"

namespace tidemark::simulation {
namespace {

// Frames are bounded by the node's batch limits, and by one transaction or value more.
constexpr size_t kMaxFrameBytes = 24 << 10;

}  // namespace

PrimaryNode::Shard& PrimaryNode::Owner(std::string_view key) {
  return *shards_[ShardOf(key, KeyHash(key), options_.shards).value()];
}

Watermarks PrimaryNode::Wrote(const std::vector<ShardId>& shards) const {
  Watermarks reached(shards_.size());
  for (const ShardId id : shards) {
    reached[id.value()] = shards_[id.value()]->publisher.assigned();
  }
  return reached;
}

Watermarks PrimaryNode::Set(const std::string& key, std::string_view value, int64_t expire_at_ms) {
  Shard& shard = Owner(key);
  shard.keyspace.Set(cache::KeyRef::Of(key), value, expire_at_ms);
  return Wrote({shard.publisher.shard()});
}

Watermarks PrimaryNode::Delete(const std::string& key) {
  Shard& shard = Owner(key);
  shard.keyspace.Delete(cache::KeyRef::Of(key));
  return Wrote({shard.publisher.shard()});
}

Watermarks PrimaryNode::Append(const std::string& key, std::string_view bytes) {
  Shard& shard = Owner(key);
  const cache::Entry* entry = shard.keyspace.Find(cache::KeyRef::Of(key));
  const size_t length = entry == nullptr ? 0 : entry->value().size();
  shard.keyspace.SetRange(cache::KeyRef::Of(key), length, bytes);
  return Wrote({shard.publisher.shard()});
}

Watermarks PrimaryNode::Expire(const std::string& key, int64_t expire_at_ms) {
  Shard& shard = Owner(key);
  shard.keyspace.SetExpiry(cache::KeyRef::Of(key), expire_at_ms);
  return Wrote({shard.publisher.shard()});
}

Watermarks PrimaryNode::Transaction(const std::vector<ShardId>& participants,
                                    const std::function<void(Shard&, ShardId)>& part) {
  const cache::TransactionInfo info{.id = next_transaction_++, .participants = participants};
  for (const ShardId id : participants) {
    Shard& shard = *shards_[id.value()];
    shard.publisher.BeginTransaction(info);
    part(shard, id);
    shard.publisher.EndTransaction();
  }
  return Wrote(participants);
}

Watermarks PrimaryNode::SetAll(const std::vector<std::string>& keys, std::string_view value) {
  std::vector<ShardId> participants;
  for (const std::string& key : keys) {
    participants.push_back(ShardOf(key, KeyHash(key), options_.shards));
  }
  std::sort(participants.begin(), participants.end());
  participants.erase(std::unique(participants.begin(), participants.end()), participants.end());
  return Transaction(participants, [&](Shard& shard, ShardId id) {
    for (const std::string& key : keys) {
      if (ShardOf(key, KeyHash(key), options_.shards) != id) continue;
      shard.keyspace.Set(cache::KeyRef::Of(key), value, cache::kNoExpiry);
    }
  });
}

Watermarks PrimaryNode::FlushAll() {
  std::vector<ShardId> all;
  for (int i = 0; i < options_.shards; ++i) all.push_back(ShardId(static_cast<uint16_t>(i)));
  return Transaction(all, [](Shard& shard, ShardId) { shard.keyspace.Flush(); });
}

void PrimaryNode::WhenHeld(Watermarks target, Need need, int64_t timeout_ms,
                           std::function<void(bool)> then) {
  held_.push_back({std::move(target), need, time_->now_ms() + timeout_ms, std::move(then)});
}

void PrimaryNode::WhenReplicated(const Watermarks& target, int replicas, int64_t timeout_ms,
                                 std::function<void(int)> then) {
  hub_->WaitFor(target, replicas, time_->now_ms() + timeout_ms, std::move(then), time_->now_ms());
}

// --- To look at ---

std::string PrimaryNode::Check() {
  const Watermarks durable = log_->DurableCut();
  const Watermarks emitted = Emitted();
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (emitted[i] < durable[i]) return fmt::format("shard {}: durable is beyond emitted", i);
    if (shards_[i]->publisher.assigned() < emitted[i]) {
      return fmt::format("shard {}: emitted is beyond assigned", i);
    }
  }
  if (budget_.used_bytes() > budget_.max_bytes()) {
    return fmt::format("backlogs hold {} bytes of {}", budget_.used_bytes(), budget_.max_bytes());
  }
  const auto& subscriber = options_.hub.subscriber;
  const size_t frames_bytes = kMaxFrameBytes * shards_.size();
  for (const replication::ReplicaSession* session : hub_->sessions()) {
    const replication::PrimaryLink& link = session->link();
    if (link.output_bytes() > options_.hub.max_output_bytes + kMaxFrameBytes) {
      return fmt::format("{} bytes of output wait for one replica", link.output_bytes());
    }
    // What it misses is the backlog's memory; what its walk brings is paced.
    const size_t queued = session->Status(emitted, time_->now_ms()).queue_bytes;
    const size_t most = link.output_bytes() + subscriber.max_bytes + budget_.max_bytes() +
                        subscriber.walk_bytes * shards_.size() + 2 * frames_bytes;
    if (queued > most) return fmt::format("{} bytes are queued for one replica", queued);
    if (!link.streaming()) continue;
    ledger_->OnAcked(history(), link.applied());
    ledger_->OnAckedDurable(link.identity().node_id, history(), link.durable());
  }
  return "";
}

bool PrimaryNode::walking() const {
  return std::any_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard->keyspace.walking(); });
}

Contents PrimaryNode::ContentsNow() {
  Contents contents;
  for (const auto& shard : shards_) contents.merge(cache::StateOf(shard->keyspace));
  return contents;
}

uint64_t PrimaryNode::overflows() const {
  uint64_t cut = 0;
  for (const auto& shard : shards_) cut += shard->publisher.counters().backpressure_events.load();
  return cut;
}

}  // namespace tidemark::simulation
