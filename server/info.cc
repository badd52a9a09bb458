#include "server/info.h"

#include <fmt/format.h>
#include <limits.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "server/memory_account.h"
#include "server/version.h"

namespace tidemark::server {
namespace {

using Out = fmt::memory_buffer;

template <typename Value>
void Field(Out& out, std::string_view name, const Value& value) {
  fmt::format_to(std::back_inserter(out), "{}:{}\r\n", name, value);
}

void SizeField(Out& out, std::string_view name, uint64_t bytes) {
  Field(out, name, bytes);
  Field(out, fmt::format("{}_human", name), HumanBytes(bytes));
}

// -1 stays: there is no such time.
int64_t WholeSeconds(int64_t ms) { return ms < 0 ? -1 : ms / 1000; }

uint64_t Counter(const DurabilityView& view, const std::string& name) {
  const auto it = view.counters.find(name);
  return it == view.counters.end() ? 0 : it->second;
}

int64_t Excess(uint64_t more, uint64_t less) {
  return static_cast<int64_t>(more) - static_cast<int64_t>(less);
}

// "name_ratio" and "name_bytes": how much more `more` is than `less`.
void RatioFields(Out& out, std::string_view name, uint64_t more, uint64_t less) {
  Field(out, fmt::format("{}_ratio", name), fmt::format("{:.2f}", Ratio(more, less)));
  Field(out, fmt::format("{}_bytes", name), Excess(more, less));
}

// A counter of replication; nothing is written by a role that does not count it.
void CounterField(Out& out, std::string_view name, const NodeReport& r, const char* counter) {
  const auto found = r.replication.counters.find(counter);
  if (found != r.replication.counters.end()) Field(out, name, found->second);
}

std::string ExecutablePath() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  return size < 0 ? "" : std::string(path, static_cast<size_t>(size));
}

void Server(const NodeReport& r, Out& out) {
  utsname os{};
  uname(&os);
  Field(out, "redis_version", kRedisVersion);
  Field(out, "tidemark_version", kVersion);
  Field(out, "redis_mode", "standalone");
  Field(out, "os", fmt::format("{} {} {}", os.sysname, os.release, os.machine));
  Field(out, "arch_bits", sizeof(void*) * 8);
  Field(out, "monotonic_clock", "POSIX clock_gettime");
  Field(out, "multiplexing_api", "epoll");
  Field(out, "gcc_version", fmt::format("{}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__));
  Field(out, "process_id", getpid());
  Field(out, "process_supervised", "no");
  Field(out, "run_id", r.replication.history_hex);
  Field(out, "tcp_port", r.port);
  Field(out, "server_time_usec", r.now_ms * 1000);
  Field(out, "uptime_in_seconds", r.uptime_ms / 1000);
  Field(out, "uptime_in_days", r.uptime_ms / 86'400'000);
  Field(out, "hz", 10);
  Field(out, "configured_hz", 10);
  Field(out, "lru_clock", (r.now_ms / 1000) & 0xFFFFFF);
  Field(out, "executable", ExecutablePath());
  Field(out, "config_file", r.config_file);
  Field(out, "io_threads_active", 0);
  Field(out, "shards", r.by_shard.size());
}

void Clients(const NodeReport& r, Out& out) {
  Field(out, "connected_clients", r.total.clients);
  Field(out, "cluster_connections", 0);
  Field(out, "maxclients", r.max_clients);
  Field(out, "client_recent_max_input_buffer", r.total.largest_input_bytes);
  Field(out, "client_recent_max_output_buffer", r.total.largest_output_bytes);
  Field(out, "blocked_clients", r.total.blocked_clients);
  Field(out, "tracking_clients", 0);
  Field(out, "clients_in_timeout_table", 0);
}

void Memory(const NodeReport& r, Out& out) {
  const MemoryAccount account = MemoryAccount::Of(r);
  const uint64_t allocated = account.used_bytes();
  SizeField(out, "used_memory", allocated);
  SizeField(out, "used_memory_rss", r.process.rss_bytes);
  SizeField(out, "used_memory_peak", r.process.peak_rss_bytes);
  Field(out, "used_memory_overhead", allocated - std::min(allocated, r.total.keyspace_bytes));
  Field(out, "used_memory_startup", r.startup_bytes);
  Field(out, "used_memory_dataset", r.total.keyspace_bytes);
  Field(out, "used_memory_dataset_perc",
        fmt::format("{:.2f}%", 100 * Ratio(r.total.keyspace_bytes, allocated)));
  Field(out, "allocator_allocated", r.process.allocated_bytes);
  Field(out, "allocator_active", r.process.allocator_active_bytes);
  Field(out, "allocator_resident", r.process.allocator_resident_bytes);
  SizeField(out, "total_system_memory", r.system_memory_bytes);
  SizeField(out, "maxmemory", r.maxmemory_bytes);
  Field(out, "maxmemory_policy", r.maxmemory_policy);
  RatioFields(out, "allocator_frag", r.process.allocator_active_bytes, r.process.allocated_bytes);
  RatioFields(out, "allocator_rss", r.process.allocator_resident_bytes,
              r.process.allocator_active_bytes);
  RatioFields(out, "rss_overhead", r.process.rss_bytes, r.process.allocator_resident_bytes);
  RatioFields(out, "mem_fragmentation", r.process.rss_bytes, allocated);
  Field(out, "mem_not_counted_for_evict", account.uncounted_bytes());
  Field(out, "mem_clients_slaves", QueuedBytes(r.replication));
  Field(out, "mem_clients_normal", account.client_bytes);
  Field(out, "mem_replication_backlog", r.replication.backlog_bytes);
  Field(out, "mem_allocator", kAllocator);
  Field(out, "active_defrag_running", 0);
}

// Redis' names where ours has the same meaning: its RDB is our snapshot, its AOF our log. What is
// not there has no field.
void Persistence(const NodeReport& r, Out& out) {
  const DurabilityView& d = r.durability;
  const bool loading = d.loading || (r.replication.sync_in_progress && !r.replication.link_up);
  Field(out, "loading", loading ? 1 : 0);
  Field(out, "async_loading", 0);
  if (d.loading) {
    Field(out, "loading_start_time", d.loading_since_ms / 1000);
    Field(out, "loading_total_bytes", d.loading_total_bytes);
    Field(out, "loading_loaded_bytes", d.loading_loaded_bytes);
    Field(out, "loading_loaded_perc", fmt::format("{:.2f}", d.loading_percent));
    Field(out, "loading_eta_seconds", d.loading_eta_s);
  }
  Field(out, "rdb_changes_since_last_save", d.writes_since_snapshot);
  Field(out, "rdb_bgsave_in_progress", d.snapshot_running ? 1 : 0);
  Field(out, "rdb_last_save_time", d.last_snapshot_ms / 1000);
  Field(out, "rdb_last_bgsave_status", d.last_snapshot_ok ? "ok" : "err");
  Field(out, "rdb_last_bgsave_time_sec", WholeSeconds(d.last_snapshot_duration_ms));
  Field(out, "rdb_current_bgsave_time_sec", WholeSeconds(d.current_snapshot_duration_ms));
  Field(out, "aof_enabled", d.enabled ? 1 : 0);
  Field(out, "aof_rewrite_in_progress", 0);
  if (!d.enabled) return;
  Field(out, "aof_last_write_status", d.writing ? "ok" : "err");
  Field(out, "aof_current_size", Counter(d, "bytes_total"));
  Field(out, "aof_buffer_length", Counter(d, "queued_bytes"));
  Field(out, "aof_pending_bio_fsync", d.written == d.durable ? 0 : 1);
  Field(out, "aof_delayed_fsync", Counter(d, "commit_waits_total"));
  Field(out, "wal_fsync", d.fsync);
  Field(out, "wal_state", d.writing ? "writing" : d.failed ? "failed" : "disk-full");
  Field(out, "wal_cause", d.cause);
  Field(out, "wal_history_goes_on", d.same_history ? 1 : 0);
  Field(out, "wal_recovered_records", d.recovered_records);
  Field(out, "wal_recovered_torn_bytes", d.recovered_torn_bytes);
  Field(out, "wal_held_clients", r.total.held_clients);
  Field(out, "wal_held_reply_bytes", r.total.held_bytes);
  for (const auto& [name, value] : d.counters) Field(out, fmt::format("wal_{}", name), value);
  if (d.export_port != 0) Field(out, "export_port", d.export_port);
  for (const auto& [name, value] : d.export_info) Field(out, name, value);
}

void Stats(const NodeReport& r, Out& out) {
  Field(out, "total_connections_received", r.total.connections_received);
  Field(out, "total_commands_processed", r.total.commands_processed);
  Field(out, "instantaneous_ops_per_sec", static_cast<uint64_t>(r.ops_per_second));
  Field(out, "total_net_input_bytes", r.total.net_input_bytes);
  Field(out, "total_net_output_bytes", r.total.net_output_bytes);
  CounterField(out, "total_net_repl_input_bytes", r, "received_bytes_total");
  CounterField(out, "total_net_repl_output_bytes", r, "sent_bytes_compressed_total");
  Field(out, "instantaneous_input_kbps", fmt::format("{:.2f}", r.input_kbps));
  Field(out, "instantaneous_output_kbps", fmt::format("{:.2f}", r.output_kbps));
  Field(out, "rejected_connections", r.total.rejected_connections);
  CounterField(out, "sync_full", r, "full_syncs_total");
  CounterField(out, "sync_partial_ok", r, "partial_syncs_total");
  CounterField(out, "sync_partial_err", r, "partial_syncs_refused_total");
  Field(out, "expired_keys", r.total.expired_keys);
  Field(out, "expired_idle_keys", r.total.expired_idle_keys);
  Field(out, "idle_renewals", r.total.idle_renewals);
  Field(out, "stale_hits", r.total.stale_hits);
  Field(out, "revalidations_asked", r.total.revalidations_asked);
  Field(out, "evicted_keys", r.total.evicted_keys);
  Field(out, "evicted_clients", 0);
  Field(out, "evicted_scripts", 0);
  Field(out, "keyspace_hits", r.total.keyspace_hits);
  Field(out, "keyspace_misses", r.total.keyspace_misses);
  Field(out, "pubsub_channels", 0);
  Field(out, "pubsub_patterns", 0);
  Field(out, "pubsubshard_channels", 0);
  Field(out, "total_error_replies", r.total.error_replies);
  Field(out, "total_reads_processed", r.total.reads);
  Field(out, "total_writes_processed", r.total.writes);
  Field(out, "client_query_buffer_limit_disconnections", r.total.clients_cut_by_query_limit);
  Field(out, "client_output_buffer_limit_disconnections", r.total.clients_cut_by_output_limit);
  Field(out, "accept_failures", r.total.accept_failures);
  Field(out, "stale_reads_refused", r.total.stale_reads_refused);
  Field(out, "token_waits", r.total.token_waits);
  Field(out, "token_wait_timeouts", r.total.token_wait_timeouts);
  Field(out, "token_waiters", r.total.token_waiters);
}

void Replication(const NodeReport& r, Out& out) {
  Field(out, "role", r.replica ? "slave" : "master");
  if (r.replica) {
    Field(out, "master_host", r.replication.primary_host);
    Field(out, "master_port", r.replication.primary_port);
    Field(out, "master_link_status", r.replication.link_up ? "up" : "down");
    Field(out, "master_last_io_seconds_ago",
          r.replication.link_silent_ms < 0 ? -1 : r.replication.link_silent_ms / 1000);
    Field(out, "master_sync_in_progress", r.replication.sync_in_progress ? 1 : 0);
    if (!r.replication.link_up) Field(out, "master_link_last_failure", r.replication.last_failure);
    Field(out, "slave_read_repl_offset", ReplicationOffset(r.replication.applied));
    Field(out, "slave_repl_offset", ReplicationOffset(r.replication.applied));
    Field(out, "slave_lag_records", r.replication.lag_records);
    Field(out, "slave_stale_ms", r.replication.stale_ms);
    Field(out, "slave_priority", 100);
    Field(out, "slave_read_only", 1);
    Field(out, "replica_announced", 1);
  }
  Field(out, "connected_slaves", r.replication.replicas.size());
  if (r.replication.min_replicas_to_write > 0) {
    Field(out, "min_slaves_good_slaves", r.replication.good_replicas);
  }
  for (size_t i = 0; i < r.replication.replicas.size(); ++i) {
    const ReplicaReport& replica = r.replication.replicas[i];
    const HostAndPort address = SplitAddress(replica.address);
    Field(out, fmt::format("slave{}", i),
          fmt::format("ip={},port={},state={},offset={},lag={}", address.host, address.port,
                      replica.state == "online" ? "online" : "wait_bgsave",
                      ReplicationOffset(replica.acked), replica.lag_ms / 1000));
  }
  Field(out, "master_failover_state", r.failover_state);
  Field(out, "master_replid", r.replication.history_hex);
  const bool descends = !r.replication.parent_hex.empty();
  Field(out, "master_replid2", descends ? r.replication.parent_hex : std::string(40, '0'));
  Field(out, "master_repl_offset",
        ReplicationOffset(r.replica ? r.replication.applied : r.replication.emitted));
  if (descends) {
    Field(out, "second_repl_offset", ReplicationOffset(r.replication.fork) + 1);
    Field(out, "promotion_lost_records", LostRecords(r.replication.lost));
  } else {
    Field(out, "second_repl_offset", -1);
  }
  Field(out, "repl_backlog_active", r.replication.backlog_active ? 1 : 0);
  Field(out, "repl_backlog_size", r.replication.backlog_limit_bytes);
  Field(out, "repl_backlog_histlen", r.replication.backlog_bytes);
  Field(out, "ack_held_clients", r.total.held_clients);
  Field(out, "ack_held_for_disk", r.total.held_for_disk);
  Field(out, "ack_held_for_replicas", r.total.held_for_replicas);
  Field(out, "ack_held_for_durable_replicas", r.total.held_for_durable_replicas);
  Field(out, "ack_held_clients_most", r.total.held_clients_most);
  Field(out, "ack_held_total", r.total.held_replies);
  Field(out, "ack_held_p50_usec", fmt::format("{:.0f}", r.total.held_p50_usec));
  Field(out, "ack_held_p99_usec", fmt::format("{:.0f}", r.total.held_p99_usec));
  Field(out, "ack_held_max_usec", fmt::format("{:.0f}", r.total.held_max_usec));
  Field(out, "ack_timeouts", r.total.ack_timeouts);
  Field(out, "writes_refused_for_replicas", r.total.refused_for_replicas);
}

void Cpu(const NodeReport& r, Out& out) {
  Field(out, "used_cpu_sys", fmt::format("{:.6f}", r.process.cpu_system_s));
  Field(out, "used_cpu_user", fmt::format("{:.6f}", r.process.cpu_user_s));
  Field(out, "used_cpu_sys_children", fmt::format("{:.6f}", r.process.cpu_children_system_s));
  Field(out, "used_cpu_user_children", fmt::format("{:.6f}", r.process.cpu_children_user_s));
}

// There are none, but some look for the section.
void Modules(const NodeReport&, Out&) {}

void CommandStats(const NodeReport& r, Out& out) {
  for (const auto& [name, c] : r.total.commands) {
    const double per_call = Ratio(c.usec, c.calls);
    Field(out, fmt::format("cmdstat_{}", name),
          fmt::format("calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}",
                      c.calls, c.usec, per_call, c.rejected, c.failed));
  }
}

void ErrorStats(const NodeReport& r, Out& out) {
  for (const auto& [word, count] : r.total.errors) {
    Field(out, fmt::format("errorstat_{}", word), fmt::format("count={}", count));
  }
}

void LatencyStats(const NodeReport& r, Out& out) {
  if (!r.latency_tracking) return;
  for (const auto& [name, c] : r.total.commands) {
    if (c.calls == 0) continue;
    Field(out, fmt::format("latency_percentiles_usec_{}", name),
          fmt::format("p50={:.3f},p99={:.3f},p99.9={:.3f}", c.p50_usec, c.p99_usec, c.p999_usec));
  }
}

void Cluster(const NodeReport&, Out& out) { Field(out, "cluster_enabled", 0); }

void Keyspace(const NodeReport& r, Out& out) {
  if (r.total.keys == 0) return;
  Field(out, "db0",
        fmt::format("keys={},expires={},avg_ttl={}", r.total.keys, r.total.expiring_keys,
                    r.total.average_ttl_ms));
}

// What Redis has no name for: one line a shard, and the replication counters.
void Tidemark(const NodeReport& r, Out& out) {
  Field(out, "pressure_state", r.pressure.state);
  Field(out, "pressure_cause", r.pressure.cause);
  Field(out, "pressure_stalled", r.pressure.stalled ? 1 : 0);
  Field(out, "pressure_write_pause_ms", r.pressure.write_pause_ms);
  for (const PressureView::Input& input : r.pressure.inputs) {
    Field(out, fmt::format("pressure_{}", input.name),
          fmt::format("percent={},state={},throttled={},suspended={}", input.percent, input.state,
                      input.throttled_total, input.suspended_total));
  }
  const MemoryAccount account = MemoryAccount::Of(r);
  Field(out, "memory_entries_bytes", r.total.keyspace_bytes - r.total.table_bytes);
  Field(out, "memory_tables_bytes", r.total.table_bytes);
  Field(out, "memory_clients_bytes", account.client_bytes);
  Field(out, "memory_mesh_bytes", account.mesh_bytes);
  Field(out, "memory_backlog_bytes", account.backlog_bytes);
  Field(out, "memory_replica_queues_bytes", account.subscriber_queue_bytes);
  Field(out, "memory_log_queue_bytes", account.log_queue_bytes);
  Field(out, "memory_other_bytes", account.other_bytes());
  Field(out, "memory_keyspace_limit_bytes", r.keyspace_limit_bytes);
  Field(out, "writes_refused_oom", r.total.writes_refused_oom);
  Field(out, "writes_delayed", r.total.writes_delayed);
  Field(out, "writes_delayed_by_tier", r.total.writes_delayed_by_tier);
  Field(out, "writes_refused_busy", r.total.writes_refused_busy);
  for (size_t i = 0; i < r.by_shard.size(); ++i) {
    const ShardReport& s = r.by_shard[i];
    Field(out, fmt::format("shard{}", i),
          fmt::format("keys={},bytes={},table_bytes={},client_bytes={},mesh_bytes={},evicted={},"
                      "commands={},turns={},parks={},mesh_requests={},mesh_spills={},"
                      "lock_waits={},transactions={}",
                      s.keys, s.keyspace_bytes, s.table_bytes, s.client_memory_bytes, s.mesh_bytes,
                      s.evicted_keys, s.commands_processed, s.loop_turns, s.loop_parks,
                      s.mesh_requests, s.mesh_spills, s.lock_waits, s.transactions));
  }
  for (const auto& [name, value] : r.replication.counters) {
    Field(out, fmt::format("replication_{}", name), value);
  }
}

// Where values are, what moves between memory and disk, and what the disk says.
void Tiering(const NodeReport& r, Out& out) {
  const TierView& tier = r.tier;
  Field(out, "tier_enabled", tier.enabled ? 1 : 0);
  if (!tier.enabled) return;
  const ShardReport& t = r.total;
  const uint64_t hits_in_memory = t.keyspace_hits - std::min(t.keyspace_hits, t.tier_hits);
  Field(out, "tier_cold_keys", t.cold_keys);
  Field(out, "tier_cold_bytes", t.cold_bytes);
  Field(out, "tier_hits_memory", hits_in_memory);
  Field(out, "tier_hits_disk", t.tier_hits);
  const uint64_t lookups = t.keyspace_hits + t.keyspace_misses;
  Field(out, "tier_hit_ratio_memory", fmt::format("{:.4f}", Ratio(hits_in_memory, lookups)));
  Field(out, "tier_hit_ratio_disk", fmt::format("{:.4f}", Ratio(t.tier_hits, lookups)));
  Field(out, "tier_commands_waited", t.tier_waits);
  Field(out, "tier_commands_waiting", t.tier_waiting);
  Field(out, "tier_unreadable", t.tier_unreadable);
  Field(out, "tier_lost", t.tier_lost);
  Field(out, "tier_demoted", t.tier_demoted);
  Field(out, "tier_demoted_bytes", t.tier_demoted_bytes);
  Field(out, "tier_demotions_stale", t.tier_demotions_stale);
  Field(out, "tier_demotions_failed", t.tier_demotions_failed);
  Field(out, "tier_promotion", tier.promotion_policy);
  Field(out, "tier_promoted", t.tier_promoted);
  Field(out, "tier_promotions_stale", t.tier_promotions_stale);
  Field(out, "tier_promotions_held_back", t.tier_promotions_held_back);
  Field(out, "tier_promotions_queued", tier.promotions.queued);
  Field(out, "tier_promotions_dropped", tier.promotions.dropped());
  Field(out, "tier_promotions_failed", tier.promotions.failed);
  Field(out, "tier_promotion_queue_depth", tier.promotions.depth);
  const tier::TierStats& log = tier.log;
  Field(out, "tier_max_bytes", log.max_bytes);
  Field(out, "tier_file_bytes", log.file_bytes);
  Field(out, "tier_live_bytes", log.live_bytes);
  Field(out, "tier_garbage_bytes", log.garbage_bytes);
  Field(out, "tier_reclaim_debt_bytes", log.reclaim_debt_bytes);
  Field(out, "tier_segments", log.segments);
  Field(out, "tier_full", log.full ? 1 : 0);
  Field(out, "tier_down", log.down ? 1 : 0);
  Field(out, "tier_queued_write_bytes", log.queued_write_bytes);
  Field(out, "tier_queued_reads", log.queued_reads);
  Field(out, "tier_refused_busy", log.refused_busy);
  Field(out, "tier_refused_full", log.refused_full);
  Field(out, "tier_refused_down", log.refused_down);
  Field(out, "tier_written_bytes", log.written_bytes);
  Field(out, "tier_reads", log.reads);
  Field(out, "tier_reads_shared", log.reads_shared);
  Field(out, "tier_reads_cached", log.reads_cached);
  Field(out, "tier_reads_not_cached", log.reads_not_cached);
  Field(out, "tier_reads_cached_passed", log.reads_cached_passed + t.tier_cached_put_off);
  Field(out, "tier_read_bytes", log.read_bytes);
  Field(out, "tier_reclaimed_segments", log.reclaimed_segments);
  Field(out, "tier_write_errors", log.write_errors);
  Field(out, "tier_disk_full", log.disk_full);
  Field(out, "tier_read_errors", log.read_errors);
  Field(out, "tier_damaged", log.damaged);
  const auto usec = [&](double percent) {
    return fmt::format("{:.1f}",
                       static_cast<double>(log.read_latency.PercentileNanos(percent)) / 1000);
  };
  Field(out, "tier_read_p50_usec", usec(50));
  Field(out, "tier_read_p99_usec", usec(99));
  Field(out, "tier_read_p999_usec", usec(99.9));
}

struct Section {
  std::string_view name;  // Lower case, as it is asked for.
  std::string_view title;
  bool by_default;
  void (*write)(const NodeReport&, Out&);
};

constexpr Section kSections[] = {
    {"server", "Server", true, Server},
    {"clients", "Clients", true, Clients},
    {"memory", "Memory", true, Memory},
    {"persistence", "Persistence", true, Persistence},
    {"stats", "Stats", true, Stats},
    {"replication", "Replication", true, Replication},
    {"cpu", "CPU", true, Cpu},
    {"modules", "Modules", true, Modules},
    {"commandstats", "Commandstats", false, CommandStats},
    {"errorstats", "Errorstats", true, ErrorStats},
    {"latencystats", "Latencystats", false, LatencyStats},
    {"cluster", "Cluster", true, Cluster},
    {"keyspace", "Keyspace", true, Keyspace},
    {"tiering", "Tiering", true, Tiering},
    {"tidemark", "Tidemark", true, Tidemark},
};

bool Wanted(const Section& section, std::span<const std::string_view> wanted) {
  if (wanted.empty()) return section.by_default;
  return std::any_of(wanted.begin(), wanted.end(), [&](std::string_view name) {
    return EqualsIgnoreCase(name, section.name) || EqualsIgnoreCase(name, "all") ||
           EqualsIgnoreCase(name, "everything") ||
           (EqualsIgnoreCase(name, "default") && section.by_default);
  });
}

}  // namespace

std::string InfoText(const NodeReport& report, std::span<const std::string_view> wanted) {
  Out out;
  for (const Section& section : kSections) {
    if (!Wanted(section, wanted)) continue;
    if (out.size() > 0) fmt::format_to(std::back_inserter(out), "\r\n");
    fmt::format_to(std::back_inserter(out), "# {}\r\n", section.title);
    section.write(report, out);
  }
  return fmt::to_string(out);
}

std::string HumanBytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{}B", bytes);
  double value = static_cast<double>(bytes);
  for (char unit : std::string_view("KMGTP")) {
    value /= 1024;
    if (value < 1024) return fmt::format("{:.2f}{}", value, unit);
  }
  return fmt::format("{}B", bytes);
}

}  // namespace tidemark::server
