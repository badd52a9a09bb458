#include "replication/link/replica_registry.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {

std::optional<int64_t> ReplicaRegistry::MustWait(const std::string& node_id, int64_t now_ms) const {
  const auto found = entries_.find(node_id);
  if (found == entries_.end() || now_ms >= found->second.not_before_ms) return std::nullopt;
  return found->second.not_before_ms - now_ms;
}

ReplicaRegistry::Terms ReplicaRegistry::TermsFor(const std::string& node_id) const {
  const auto found = entries_.find(node_id);
  if (found == entries_.end()) return {};
  const Entry& entry = found->second;
  return {.last = entry.needs_snapshot ? LastRung::kNothingButSnapshot : LastRung::kSnapshot,
          .queue_growth = 1 << std::min(entry.failures, options_.max_doublings)};
}

void ReplicaRegistry::OnConnected(const std::string& node_id, const std::string& address) {
  Entry& entry = entries_[node_id];
  entry.address = address;
  ++entry.connections;
}

void ReplicaRegistry::OnPlan(const std::string& node_id, const StreamPlan& plan) {
  Entry& entry = entries_[node_id];
  if (plan.is_snapshot()) {
    entry.needs_snapshot = false;
    entry.lost = false;
    if (archive_ != nullptr) archive_->Forget(node_id);  // What it lacked is in the snapshot.
  }
  entry.history = plan.history;
  entry.acked.clear();
  for (const ShardPlan& shard : plan.shards) entry.acked.push_back(shard.at.sequence);
  entry.acked_moved = true;
}

void ReplicaRegistry::OnAck(const std::string& node_id, HistoryId history,
                            const Watermarks& applied, int64_t live_since_ms, int64_t now_ms) {
  Entry& entry = entries_[node_id];
  entry.history = history;
  entry.acked_moved |= entry.acked != applied;
  entry.acked = applied;
  if (live_since_ms > 0 && now_ms - live_since_ms >= options_.forgiven_after_ms) entry.failures = 0;
}

void ReplicaRegistry::OnFeedFailed(const std::string& node_id, bool needs_snapshot,
                                   int64_t now_ms) {
  Entry& entry = entries_[node_id];
  entry.needs_snapshot |= needs_snapshot;
  ++entry.failures;
  if (entry.failures > options_.max_doublings) {
    entry.not_before_ms = now_ms + options_.too_slow_wait_ms;
  }
}

void ReplicaRegistry::OnGone(const std::string& node_id, int64_t now_ms) {
  const auto found = entries_.find(node_id);
  if (found == entries_.end()) return;
  --found->second.connections;
  found->second.gone_ms = now_ms;
  ForgetOld(now_ms);
}

void ReplicaRegistry::Forget(std::map<std::string, Entry>::iterator entry) {
  if (archive_ != nullptr) archive_->Forget(entry->first);
  entries_.erase(entry);
}

void ReplicaRegistry::ForgetOld(int64_t now_ms) {
  size_t away = 0;
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto entry = it++;
    if (entry->second.connections > 0) continue;
    if (now_ms - entry->second.gone_ms >= options_.away_ms) {
      Forget(entry);
      continue;
    }
    ++away;
    if (oldest == entries_.end() || entry->second.gone_ms < oldest->second.gone_ms) oldest = entry;
  }
  // One more comes at a time.
  if (away > options_.max_away) Forget(oldest);
}

void ReplicaRegistry::Tick(int64_t now_ms) {
  if (now_ms - kept_ms_ < options_.keep_every_ms) return;
  kept_ms_ = now_ms;
  ForgetOld(now_ms);
  if (archive_ == nullptr) return;
  for (auto& [node_id, entry] : entries_) {
    if (entry.acked.empty()) continue;
    if (std::exchange(entry.acked_moved, false)) {
      archive_->Keep(node_id, entry.history, entry.acked);
      continue;  // What it says of the replica may still be of before.
    }
    const bool lost = archive_->Lost(node_id);
    if (lost && !entry.lost) ++lost_total_;
    entry.lost = lost;
  }
}

std::vector<ReplicaRegistry::Away> ReplicaRegistry::away() const {
  std::vector<Away> away;
  if (archive_ == nullptr) return away;
  for (const auto& [node_id, entry] : entries_) {
    if (entry.connections > 0 || entry.acked.empty()) continue;
    away.push_back(
        {.node_id = node_id, .address = entry.address, .acked = entry.acked, .lost = entry.lost});
  }
  return away;
}

}  // namespace tidemark::replication
