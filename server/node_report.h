// NodeReport is what a node knows about itself at one moment: plain numbers, gathered from every
// shard, from which INFO and the metrics page are written. It decides nothing and owns nothing.

#ifndef TIDEMARK_SERVER_NODE_REPORT_H_
#define TIDEMARK_SERVER_NODE_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/metrics/metric_registry.h"
#include "server/memory_usage.h"
#include "server/tier_view.h"

namespace tidemark::server {

struct CommandReport {
  uint64_t calls = 0;
  uint64_t usec = 0;
  uint64_t rejected = 0;
  uint64_t failed = 0;
  double p50_usec = 0;
  double p99_usec = 0;
  double p999_usec = 0;
};

// One shard's share, filled on its thread.
struct ShardReport {
  uint64_t keys = 0;
  uint64_t expiring_keys = 0;
  int64_t average_ttl_ms = 0;
  uint64_t keyspace_bytes = 0;
  uint64_t table_bytes = 0;    // Of keyspace_bytes: of the tables, not of entries...
  uint64_t mapped_bytes = 0;   // ...and what tables map beside the allocator.
  uint64_t keyspace_hits = 0;  // In memory or on disk.
  uint64_t keyspace_misses = 0;
  uint64_t expired_keys = 0;
  uint64_t expired_idle_keys = 0;  // Of expired_keys.
  uint64_t idle_renewals = 0;
  uint64_t stale_hits = 0;  // Of keyspace_hits.
  uint64_t revalidations_asked = 0;
  // The disk tier.
  uint64_t cold_keys = 0;   // Whose values are on disk...
  uint64_t cold_bytes = 0;  // ...and the length of those.
  uint64_t tier_hits = 0;   // Values that commands got from there.
  uint64_t tier_unreadable = 0;
  uint64_t tier_waits = 0;
  uint64_t tier_cached_put_off = 0;
  uint64_t tier_waiting = 0;  // Commands that wait for the disk now.
  uint64_t tier_demoted = 0;
  uint64_t tier_demoted_bytes = 0;
  uint64_t tier_demotions_stale = 0;
  uint64_t tier_demotions_failed = 0;
  uint64_t tier_promoted = 0;
  uint64_t tier_promotions_stale = 0;
  uint64_t tier_promotions_held_back = 0;
  uint64_t tier_lost = 0;
  uint64_t evicted_keys = 0;
  uint64_t clients = 0;
  uint64_t blocked_clients = 0;
  uint64_t client_output_bytes = 0;
  uint64_t client_memory_bytes = 0;  // Of all their buffers.
  uint64_t mesh_bytes = 0;           // Of commands under way to other shards.
  uint64_t held_clients = 0;   // That hold replies back until disks or replicas have the writes.
  uint64_t held_bytes = 0;     // Of those replies.
  uint64_t held_for_disk = 0;  // Of held_clients: the first reply waits for this node's disk...
  uint64_t held_for_replicas = 0;          // ...for replicas...
  uint64_t held_for_durable_replicas = 0;  // ...for replicas' disks.
  uint64_t held_clients_most = 0;          // At once, so far.
  uint64_t held_replies = 0;               // Holds that ended well.
  double held_p50_usec = 0;                // How long they lasted.
  double held_p99_usec = 0;
  double held_max_usec = 0;
  uint64_t ack_timeouts = 0;          // Replies that became errors.
  uint64_t refused_for_replicas = 0;  // Writes, by min_replicas_to_write.
  uint64_t largest_input_bytes = 0;
  uint64_t largest_output_bytes = 0;
  uint64_t commands_processed = 0;
  uint64_t net_input_bytes = 0;
  uint64_t net_output_bytes = 0;
  uint64_t reads = 0;  // Of sockets, as are writes.
  uint64_t writes = 0;
  uint64_t connections_received = 0;
  uint64_t rejected_connections = 0;
  uint64_t clients_cut_by_output_limit = 0;
  uint64_t clients_cut_by_query_limit = 0;
  uint64_t accept_failures = 0;
  uint64_t writes_delayed = 0;          // Times that writes began to wait because of pressure.
  uint64_t writes_delayed_by_tier = 0;  // Of them, until values had gone to disk.
  uint64_t writes_refused_busy = 0;     // Answered -BUSYTIDE.
  uint64_t writes_refused_oom = 0;      // Answered -OOM.
  uint64_t stale_reads_refused = 0;
  uint64_t token_waiters = 0;  // Clients that wait for a token now.
  uint64_t token_waits = 0;    // That came to an end.
  uint64_t token_wait_timeouts = 0;
  uint64_t error_replies = 0;
  uint64_t loop_turns = 0;
  uint64_t loop_parks = 0;
  uint64_t mesh_requests = 0;
  uint64_t mesh_spills = 0;
  uint64_t lock_waits = 0;
  uint64_t transactions = 0;
  std::map<std::string, uint64_t> errors;         // By the reply's first word.
  std::map<std::string, CommandReport> commands;  // Those called or rejected at least once.
};

// A replica as its primary sees it.
struct ReplicaReport {
  uint64_t id = 0;
  std::string address;
  std::string state;  // As replication::ReplicaStatus has it.
  Watermarks acked;
  uint64_t lag_records = 0;
  int64_t lag_ms = 0;
  uint64_t queue_bytes = 0;
};

// Mutations of a shard, the first and the last.
struct LostSpan {
  ShardId shard;
  Sequence first, last;
};

// A history from which a node's own descends.
struct AncestorReport {
  std::string history_hex;
  Watermarks fork;  // The last of each shard that both have.
};

// What TIDE WATERMARKS, ROLE and INFO replication show.
struct ReplicationView {
  std::string history_hex;
  std::vector<AncestorReport> ancestors;  // Oldest first.
  // Of the promotion that made this node a primary, if one did.
  std::string parent_hex;      // What it followed until then.
  Watermarks fork;             // Where it left that.
  std::vector<LostSpan> lost;  // What its old primary had emitted beyond, as far as was heard.
  Watermarks assigned, emitted, acked;  // A primary's; `acked` is what every replica has.
  Watermarks received, applied;         // A replica's, by its primary's shard.
  // A replica: the node ids of whom its stream comes from, nearest first.
  std::vector<std::string> follows;
  bool serves_replicas = false;  // A replica that takes replicas of its own.
  std::vector<ReplicaReport> replicas;
  std::vector<ReplicaReport> away;  // Not connected; the log is kept for them, or was ("lost").
  std::string primary_host;
  int primary_port = 0;
  std::string link_state;  // ROLE's word.
  bool link_up = false;
  bool sync_in_progress = false;
  std::string last_failure;     // Why the link last ended, or could not be made; empty: never.
  int64_t link_silent_ms = -1;  // Since the last byte from the primary; -1: never heard.
  int64_t stale_ms = -1;        // Since what is served was known to be current; -1: never was.
  uint64_t lag_records = 0;
  int64_t min_replicas_to_write = 0;  // 0: none are asked for.
  int good_replicas = 0;              // Those that count for it.
  uint64_t backlog_bytes = 0;
  uint64_t backlog_limit_bytes = 0;
  bool backlog_active = false;
  std::map<std::string, uint64_t> counters;  // By metric name, without "tidemark_replication_".
};

// What a node's data directory holds, and how far its log has come.
struct DurabilityView {
  bool enabled = false;  // There is a data directory.

  bool loading = false;
  int64_t loading_since_ms = 0;  // Wall time.
  uint64_t loading_total_bytes = 0;
  uint64_t loading_loaded_bytes = 0;
  double loading_percent = 0;
  int64_t loading_eta_s = 0;

  std::string fsync;  // "always", "interval", "never".
  bool writing = true;
  bool failed = false;
  std::string cause;  // Why it is not writing.
  Watermarks written;
  Watermarks durable;
  Watermarks exported;       // Empty: nothing is exported.
  bool same_history = true;  // As before the start.
  uint64_t recovered_records = 0;
  uint64_t recovered_torn_bytes = 0;
  int export_port = 0;                                           // 0: none.
  std::vector<std::pair<std::string, std::string>> export_info;  // INFO's lines of the export.
  std::vector<MetricFamilySample> export_metrics;

  uint64_t writes_since_snapshot = 0;
  bool snapshot_running = false;
  int64_t last_snapshot_ms = 0;  // When the newest was complete; wall time.
  bool last_snapshot_ok = true;
  int64_t last_snapshot_duration_ms = -1;     // -1: none was taken.
  int64_t current_snapshot_duration_ms = -1;  // -1: none is under way.

  std::map<std::string, uint64_t> counters;  // By metric name, without "tidemark_wal_".
};

// A node's backpressure: docs/backpressure.md.
struct PressureView {
  struct Input {
    std::string name;
    int percent = 0;
    std::string state;  // "normal", "throttled", "suspended".
    int state_number = 0;
    uint64_t throttled_total = 0;
    uint64_t suspended_total = 0;
  };
  std::string state = "normal";
  int state_number = 0;
  std::string cause;     // The input that holds the state; empty: it is normal.
  bool stalled = false;  // The log stands still, and writes are refused.
  uint64_t stalls = 0;
  int64_t write_pause_ms = 0;
  std::vector<Input> inputs;
};

// 0 if there is nothing to divide by.
inline double Ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Takes what had been counted by then off the counters that CONFIG RESETSTAT sets back.
void SubtractCounters(const ShardReport& by_then, ShardReport& report);

// The bytes of all replicas' queues.
uint64_t QueuedBytes(const ReplicationView& view);

// What stands for the position in Redis' one stream of bytes: the mutations, over all shards.
uint64_t ReplicationOffset(const Watermarks& watermarks);

// "shard 0: 17 to 20, shard 3: 5 to 5"; empty for none.
std::string LostText(const std::vector<LostSpan>& lost);
uint64_t LostRecords(const std::vector<LostSpan>& lost);

// "127.0.0.1:6380" in its parts; the port is "0" if there is none. Views into `address`.
struct HostAndPort {
  std::string_view host;
  std::string_view port;
};
HostAndPort SplitAddress(std::string_view address);

struct NodeReport {
  bool replica = false;
  int port = 0;
  int replication_port = 0;
  std::string failover_state;  // INFO's word.
  int64_t now_ms = 0;
  int64_t uptime_ms = 0;
  std::string config_file;
  uint64_t max_clients = 0;
  bool latency_tracking = true;
  ProcessUsage process;
  uint64_t maxmemory_bytes = 0;  // 0: no limit.
  std::string maxmemory_policy;
  uint64_t keyspace_limit_bytes = 0;  // What of it is left for keyspaces; 0: no limit.
  uint64_t startup_bytes = 0;         // What the process had allocated when it began to serve.
  uint64_t system_memory_bytes = 0;
  double ops_per_second = 0;
  double input_kbps = 0;
  double output_kbps = 0;
  ReplicationView replication;
  DurabilityView durability;
  PressureView pressure;
  TierView tier;
  std::vector<ShardReport> by_shard;
  ShardReport total;  // The sum of by_shard.
};

// The sum over shards; averages weigh by keys, percentiles take the worst shard.
ShardReport Sum(const std::vector<ShardReport>& shards);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_NODE_REPORT_H_
