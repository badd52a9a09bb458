#include "server/node_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::server {
namespace {

// What simply adds up, as do kCounters.
constexpr uint64_t ShardReport::*kSums[] = {
    &ShardReport::keys,
    &ShardReport::expiring_keys,
    &ShardReport::keyspace_bytes,
    &ShardReport::table_bytes,
    &ShardReport::mapped_bytes,
    &ShardReport::keyspace_hits,
    &ShardReport::keyspace_misses,
    &ShardReport::expired_keys,
    &ShardReport::expired_idle_keys,
    &ShardReport::idle_renewals,
    &ShardReport::stale_hits,
    &ShardReport::revalidations_asked,
    &ShardReport::evicted_keys,
    &ShardReport::cold_keys,
    &ShardReport::cold_bytes,
    &ShardReport::tier_hits,
    &ShardReport::tier_unreadable,
    &ShardReport::tier_waits,
    &ShardReport::tier_cached_put_off,
    &ShardReport::tier_waiting,
    &ShardReport::tier_demoted,
    &ShardReport::tier_demoted_bytes,
    &ShardReport::tier_demotions_stale,
    &ShardReport::tier_demotions_failed,
    &ShardReport::tier_promoted,
    &ShardReport::tier_promotions_stale,
    &ShardReport::tier_promotions_held_back,
    &ShardReport::tier_lost,
    &ShardReport::clients,
    &ShardReport::blocked_clients,
    &ShardReport::client_output_bytes,
    &ShardReport::client_memory_bytes,
    &ShardReport::mesh_bytes,
    &ShardReport::held_clients,
    &ShardReport::held_bytes,
    &ShardReport::held_for_disk,
    &ShardReport::held_for_replicas,
    &ShardReport::held_for_durable_replicas,
    &ShardReport::held_clients_most,
    &ShardReport::held_replies,
    &ShardReport::ack_timeouts,
    &ShardReport::refused_for_replicas,
    &ShardReport::token_waiters,
    &ShardReport::error_replies,
    &ShardReport::loop_turns,
    &ShardReport::loop_parks,
    &ShardReport::mesh_requests,
    &ShardReport::mesh_spills,
    &ShardReport::lock_waits,
    &ShardReport::transactions,
};

// What counts events, and nothing but ResetStats() takes back.
constexpr uint64_t ShardReport::*kCounters[] = {
    &ShardReport::commands_processed,
    &ShardReport::net_input_bytes,
    &ShardReport::net_output_bytes,
    &ShardReport::reads,
    &ShardReport::writes,
    &ShardReport::connections_received,
    &ShardReport::rejected_connections,
    &ShardReport::clients_cut_by_output_limit,
    &ShardReport::clients_cut_by_query_limit,
    &ShardReport::accept_failures,
    &ShardReport::writes_delayed,
    &ShardReport::writes_delayed_by_tier,
    &ShardReport::writes_refused_busy,
    &ShardReport::writes_refused_oom,
    &ShardReport::stale_reads_refused,
    &ShardReport::token_waits,
    &ShardReport::token_wait_timeouts,
};

void Add(const CommandReport& from, CommandReport& to) {
  to.calls += from.calls;
  to.usec += from.usec;
  to.rejected += from.rejected;
  to.failed += from.failed;
  to.p50_usec = std::max(to.p50_usec, from.p50_usec);
  to.p99_usec = std::max(to.p99_usec, from.p99_usec);
  to.p999_usec = std::max(to.p999_usec, from.p999_usec);
}

}  // namespace

void SubtractCounters(const ShardReport& by_then, ShardReport& report) {
  for (auto field : kCounters) report.*field -= by_then.*field;
}

uint64_t QueuedBytes(const ReplicationView& view) {
  uint64_t sum = 0;
  for (const ReplicaReport& replica : view.replicas) sum += replica.queue_bytes;
  return sum;
}

uint64_t ReplicationOffset(const Watermarks& watermarks) {
  uint64_t sum = 0;
  for (Sequence sequence : watermarks) sum += sequence.value();
  return sum;
}

HostAndPort SplitAddress(std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return {.host = address, .port = "0"};
  return {.host = address.substr(0, colon), .port = address.substr(colon + 1)};
}

ShardReport Sum(const std::vector<ShardReport>& shards) {
  ShardReport total;
  int64_t weighted_ttl_ms = 0;
  for (const ShardReport& shard : shards) {
    for (auto field : kSums) total.*field += shard.*field;
    for (auto field : kCounters) total.*field += shard.*field;
    total.largest_input_bytes = std::max(total.largest_input_bytes, shard.largest_input_bytes);
    total.largest_output_bytes = std::max(total.largest_output_bytes, shard.largest_output_bytes);
    total.held_p50_usec = std::max(total.held_p50_usec, shard.held_p50_usec);
    total.held_p99_usec = std::max(total.held_p99_usec, shard.held_p99_usec);
    total.held_max_usec = std::max(total.held_max_usec, shard.held_max_usec);
    weighted_ttl_ms += shard.average_ttl_ms * static_cast<int64_t>(shard.expiring_keys);
    for (const auto& [word, count] : shard.errors) total.errors[word] += count;
    for (const auto& [name, report] : shard.commands) Add(report, total.commands[name]);
  }
  if (total.expiring_keys > 0) {
    total.average_ttl_ms = weighted_ttl_ms / static_cast<int64_t>(total.expiring_keys);
  }
  return total;
}

std::string LostText(const std::vector<LostSpan>& lost) {
  std::string text;
  for (const LostSpan& span : lost) {
    text += fmt::format("{}shard {}: {} to {}", text.empty() ? "" : ", ", span.shard.value(),
                        span.first.value(), span.last.value());
  }
  return text;
}

uint64_t LostRecords(const std::vector<LostSpan>& lost) {
  uint64_t records = 0;
  for (const LostSpan& span : lost) records += span.last.value() - span.first.value() + 1;
  return records;
}

}  // namespace tidemark::server
