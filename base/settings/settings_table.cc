// The table. To add a setting: its name in enum Setting, a row here in the same place, and
// `bazel run //tools/settings_doc > docs/configuration.md`.

#include <array>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/eviction_policy.h"
#include "base/settings/ack_policy.h"
#include "base/settings/output_buffer_limits.h"
#include "base/settings/setting_spec.h"
#include "base/settings/setting_value.h"

namespace tidemark {
namespace {

using enum SettingType;
using enum SettingChange;

constexpr int64_t kInt32Max = 2147483647;
constexpr int64_t kKb = int64_t{1} << 10, kMb = int64_t{1} << 20, kGb = int64_t{1} << 30;

constexpr std::string_view kLogLevels[] = {"debug", "info", "warning", "error"};
constexpr std::string_view kForeignHistories[] = {"never", "nonempty", "always"};
constexpr std::string_view kSendPolicies[] = {"batch", "immediate"};
constexpr std::string_view kCompressions[] = {"none", "zstd"};
constexpr std::string_view kFsyncs[] = {"always", "interval", "never"};
constexpr std::string_view kTierPromotions[] = {"immediate", "on_second_hit", "never"};
constexpr std::string_view kExportModes[] = {"off", "listen", "connect"};

constexpr SettingSection kSections[] = {
    {"The node", Setting::kConfig},
    {"Memory", Setting::kMaxmemory},
    {"The disk tier", Setting::kTierDir},
    {"Clients", Setting::kRequirepass},
    {"Seeing what happens", Setting::kSlowlogLogSlowerThan},
    {"The replication link", Setting::kReplicationPort},
    {"Frames", Setting::kSendPolicy},
    {"Buffers of replication", Setting::kBacklogBytes},
    {"Acknowledged writes", Setting::kAck},
    {"Durability", Setting::kDataDir},
    {"Change export", Setting::kExportMode},
    {"Scheduling", Setting::kSpinLimit},
};

constexpr std::array<SettingSpec, kSettingCount> kTable = {{
    // The node.
    {.id = Setting::kConfig,
     .name = "config",
     .type = kString,
     .default_text = "",
     .help = "A TOML file of settings, one `name = value` a line. CONFIG REWRITE writes to it."},
    {.id = Setting::kPort,
     .name = "port",
     .type = kInt,
     .default_text = "6379",
     .replica_default = "6380",
     .max = 65535,
     .help = "The TCP port for clients; 0 lets the kernel choose one, which the ready line names."},
    {.id = Setting::kBind,
     .name = "bind",
     .type = kString,
     .default_text = "127.0.0.1",
     .help =
         "The address to listen on, for clients and for replicas. Set a password before you open a "
         "node to a network."},
    {.id = Setting::kTcpBacklog,
     .name = "tcp_backlog",
     .type = kInt,
     .default_text = "511",
     .min = 1,
     .max = kInt32Max,
     .help = "Connections that may wait to be accepted; the kernel's somaxconn bounds it too."},
    {.id = Setting::kShards,
     .name = "shards",
     .type = kInt,
     .default_text = "0",
     .max = 1024,
     .help = "Parts of the keyspace, each with a thread of its own; 0 is one for each core. "
             "Primary and "
             "replica need not have the same number."},
    {.id = Setting::kLogLevel,
     .name = "log_level",
     .type = kChoice,
     .default_text = "info",
     .change = kLive,
     .choices = kLogLevels,
     .help = "The least level that is logged to stderr."},

    // Memory.
    {.id = Setting::kMaxmemory,
     .name = "maxmemory",
     .type = kBytes,
     .default_text = "0",
     .change = kLive,
     .help = "What the node may take of the machine's memory; 0 is no limit. Keys and values, "
             "tables, clients' buffers and the backlog count; what waits for replicas and for the "
             "log does not. At the limit `maxmemory_policy` decides what goes. docs/memory.md says "
             "by how much the resident size may be above it."},
    {.id = Setting::kMaxmemoryPolicy,
     .name = "maxmemory_policy",
     .type = kChoice,
     .default_text = "allkeys-tinylfu",
     .change = kLive,
     .choices = kEvictionPolicyNames,
     .help = "Which keys go at the limit. `allkeys-`: any; `volatile-`: those with an expiry. "
             "`lru`: the longest unused, `lfu`: the seldom used, `random`, `ttl`: those that end "
             "soonest, as in Redis; `tinylfu`: the seldom used, counted by the traffic instead of "
             "the clock, with a memory of what had to go. `noeviction`: none, and writes that need "
             "memory are refused. A replica deletes only what its primary does."},
    {.id = Setting::kMaxmemorySamples,
     .name = "maxmemory_samples",
     .type = kInt,
     .default_text = "5",
     .min = 1,
     .max = kInt32Max,
     .change = kLive,
     .help = "How many keys are looked at for each that goes, to 64 at most: more are nearer to "
             "the exact policy, and slower."},
    {.id = Setting::kLfuLogFactor,
     .name = "lfu_log_factor",
     .type = kInt,
     .default_text = "10",
     .max = kInt32Max,
     .change = kLive,
     .help = "Under `lfu`, how slowly a key's counter of uses grows towards 255; 0 counts each."},
    {.id = Setting::kLfuDecayTime,
     .name = "lfu_decay_time",
     .type = kInt,
     .default_text = "1",
     .max = kInt32Max,
     .unit = "minutes",
     .change = kLive,
     .help =
         "Under `lfu`, how long a key stays unused before its counter loses one; 0 loses none."},

    // The disk tier.
    {.id = Setting::kTierDir,
     .name = "tier_dir",
     .type = kString,
     .default_text = "",
     .help =
         "A directory for values that `maxmemory` has no room for, one process's own; it is made "
         "if only its parent exists, and emptied at each start. Keys stay in memory. Empty: "
         "keys are evicted instead. docs/tiers.md says more."},
    {.id = Setting::kTierBytes,
     .name = "tier_bytes",
     .type = kBytes,
     .default_text = "4gb",
     .min = 16 << 20,
     .help = "What the disk tier may take of the disk. When it is full, values stay in memory and "
             "keys are evicted by `maxmemory_policy`."},
    {.id = Setting::kTierMinValueBytes,
     .name = "tier_min_value_bytes",
     .type = kBytes,
     .default_text = "64",
     .min = 64,
     .max = 1 << 30,
     .help = "Values shorter than this stay in memory: it would hardly gain by their going."},
    {.id = Setting::kTierCompression,
     .name = "tier_compression",
     .type = kBool,
     .default_text = "no",
     .help = "Whether values are compressed (zstd) on their way to the disk tier, where it pays."},
    {.id = Setting::kTierPromotion,
     .name = "tier_promotion",
     .type = kChoice,
     .default_text = "on_second_hit",
     .change = kLive,
     .choices = kTierPromotions,
     .help = "When a value that is read from the disk tier is taken back into memory: at its first "
             "read, at its second, or never. The reader has its answer before that in any case."},
    {.id = Setting::kPromotionQueueCapacity,
     .name = "promotion_queue_capacity",
     .type = kInt,
     .default_text = "1024",
     .min = 1,
     .max = 1 << 20,
     .help = "How many values may wait to be taken back into memory; more push out the oldest."},
    {.id = Setting::kPromotionWorkers,
     .name = "promotion_workers",
     .type = kInt,
     .default_text = "2",
     .min = 1,
     .max = 64,
     .help = "Threads that take values back into memory."},
    // Clients.
    {.id = Setting::kRequirepass,
     .name = "requirepass",
     .type = kSecret,
     .default_text = "",
     .change = kLive,
     .redis_name = "requirepass",
     .help = "The password that clients must give with AUTH or HELLO; empty asks for none. Prefer "
             "the file "
             "or the environment: other users of the machine can read flags."},
    {.id = Setting::kMaxclients,
     .name = "maxclients",
     .type = kInt,
     .default_text = "10000",
     .min = 1,
     .max = 4294967295,
     .change = kLive,
     .help = "Clients connected at once; one more is told so and disconnected."},
    {.id = Setting::kTimeout,
     .name = "timeout",
     .type = kInt,
     .default_text = "0",
     .max = kInt32Max,
     .unit = "seconds",
     .change = kLive,
     .help = "Closes a client that has been idle for so long; 0 never does."},
    {.id = Setting::kTcpKeepalive,
     .name = "tcp_keepalive",
     .type = kInt,
     .default_text = "300",
     .max = kInt32Max,
     .unit = "seconds",
     .change = kLive,
     .help = "Probes an idle connection after so long, to find peers that are gone; 0 does not. "
             "Applies to new connections."},
    {.id = Setting::kProtoMaxBulkLen,
     .name = "proto_max_bulk_len",
     .type = kBytes,
     .default_text = "512mb",
     .min = kMb,
     .change = kLive,
     .help = "The longest single string in a command, and the longest value."},
    {.id = Setting::kClientQueryBufferLimit,
     .name = "client_query_buffer_limit",
     .type = kBytes,
     .default_text = "1gb",
     .min = kMb,
     .change = kLive,
     .help =
         "Bytes received from a client but not yet executed; a client past it is disconnected."},
    {.id = Setting::kClientOutputBufferLimit,
     .name = "client_output_buffer_limit",
     .type = kString,
     .default_text = "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
     .change = kLive,
     .canonical = CanonicalOutputBufferLimits,
     .help = "For each class of client: a hard limit in bytes, a soft limit in bytes, and the "
             "seconds a "
             "client may stay above the soft one before it is disconnected. 0 is no limit; a class "
             "that "
             "is not named keeps its limits."},
    {.id = Setting::kMaxStalenessMs,
     .name = "max_staleness_ms",
     .type = kInt,
     .default_text = "0",
     .max = kInt32Max,
     .unit = "milliseconds",
     .change = kLive,
     .help =
         "A replica whose data were last known to be its primary's longer ago than this "
         "answers reads with -STALE; 0 is no bound. Below twice the primary's "
         "`heartbeat_interval_ms` it refuses reads of a healthy replica. See docs/freshness.md."},
    {.id = Setting::kMaxStalenessRecords,
     .name = "max_staleness_records",
     .type = kInt,
     .default_text = "0",
     .max = kInt32Max,
     .unit = "records",
     .change = kLive,
     .help = "Likewise a replica that is known to lack more records than this; 0 is no bound."},
    {.id = Setting::kTrackWaitMs,
     .name = "track_wait_ms",
     .type = kInt,
     .default_text = "1000",
     .max = 3'600'000,
     .unit = "milliseconds",
     .change = kLive,
     .help = "How long a read waits for the token that its connection has asked for "
             "(TIDE TRACK TOKEN) before it is answered -STALE."},

    // Seeing what happens.
    {.id = Setting::kSlowlogLogSlowerThan,
     .name = "slowlog_log_slower_than",
     .type = kInt,
     .default_text = "10000",
     .min = -1,
     .unit = "microseconds",
     .change = kLive,
     .help = "SLOWLOG keeps commands that ran longer; 0 keeps all, -1 none."},
    {.id = Setting::kSlowlogMaxLen,
     .name = "slowlog_max_len",
     .type = kInt,
     .default_text = "128",
     .max = 1 << 20,
     .change = kLive,
     .help = "Entries that SLOWLOG keeps; the oldest go first."},
    {.id = Setting::kLatencyTracking,
     .name = "latency_tracking",
     .type = kBool,
     .default_text = "yes",
     .change = kLive,
     .help = "Whether INFO latencystats and LATENCY HISTOGRAM show how long commands took."},

    // The replication link.
    {.id = Setting::kReplicationPort,
     .name = "replication_port",
     .type = kInt,
     .default_text = "7631",
     .replica_default = "none",
     .max = 65535,
     .may_be_none = true,
     .help =
         "The TCP port for replicas; 0 lets the kernel choose one, `none` opens none. On a replica "
         "it is for replicas of its own, and for the time when it is a primary."},
    {.id = Setting::kPrimary,
     .name = "primary",
     .type = kString,
     .default_text = "",
     .roles = SettingRoles::kReplica,
     .required = true,
     .canonical = CanonicalHostAndPort,
     .help = "The primary's replication port to follow, as HOST:PORT."},
    {.id = Setting::kReplicationToken,
     .name = "replication_token",
     .type = kSecret,
     .default_text = "",
     .change = kLive,
     .help = "The secret that a replica shows its primary. A primary with an empty one admits any "
             "replica. A change is for connections that come after it."},
    {.id = Setting::kReplicationTokenPrevious,
     .name = "replication_token_previous",
     .type = kSecret,
     .default_text = "",
     .change = kLive,
     .roles = SettingRoles::kPrimary,
     .help = "A second token that a primary accepts while its replicas change to a new one."},
    {.id = Setting::kAcceptForeignHistory,
     .name = "accept_foreign_history",
     .type = kChoice,
     .default_text = "nonempty",
     .roles = SettingRoles::kReplica,
     .choices = kForeignHistories,
     .help =
         "Whether a replica that holds data drops it for a primary of another history: `nonempty` "
         "does unless that primary is empty, so that one that came back empty empties nobody."},
    {.id = Setting::kMaxReplicas,
     .name = "max_replicas",
     .type = kInt,
     .default_text = "16",
     .min = 1,
     .max = 1024,
     .help = "Replicas connected at once; one more is refused."},
    {.id = Setting::kConnectTimeoutMs,
     .name = "connect_timeout_ms",
     .type = kInt,
     .default_text = "500",
     .min = 1,
     .max = 600'000,
     .unit = "milliseconds",
     .roles = SettingRoles::kReplica,
     .help = "How long a replica waits for its primary to accept the connection."},
    {.id = Setting::kWriteTimeoutMs,
     .name = "write_timeout_ms",
     .type = kInt,
     .default_text = "10000",
     .min = 1,
     .max = 600'000,
     .unit = "milliseconds",
     .help = "Cuts a link whose peer took no byte for so long while there were some to send."},
    {.id = Setting::kReconnectBackoffMs,
     .name = "reconnect_backoff_ms",
     .type = kInt,
     .default_text = "200",
     .min = 1,
     .max = 600'000,
     .unit = "milliseconds",
     .roles = SettingRoles::kReplica,
     .help =
         "The pause before a replica connects again; it doubles after each failure, with jitter."},
    {.id = Setting::kReconnectBackoffMaxMs,
     .name = "reconnect_backoff_max_ms",
     .type = kInt,
     .default_text = "10000",
     .min = 1,
     .max = 600'000,
     .unit = "milliseconds",
     .roles = SettingRoles::kReplica,
     .help = "The longest such pause."},
    {.id = Setting::kHeartbeatIntervalMs,
     .name = "heartbeat_interval_ms",
     .type = kInt,
     .default_text = "200",
     .min = 10,
     .max = 60'000,
     .unit = "milliseconds",
     .help = "How often a primary tells its watermarks to a replica, and a replica its own, while "
             "nothing "
             "else is sent."},

    // Frames.
    {.id = Setting::kSendPolicy,
     .name = "send_policy",
     .type = kChoice,
     .default_text = "batch",
     .choices = kSendPolicies,
     .help = "`batch` sends the writes of a turn as one frame, `immediate` each write as its own."},
    {.id = Setting::kBatchMaxRecords,
     .name = "batch_max_records",
     .type = kInt,
     .default_text = "512",
     .min = 1,
     .max = 1 << 20,
     .help = "A frame is sealed when it holds so many writes."},
    {.id = Setting::kBatchMaxBytes,
     .name = "batch_max_bytes",
     .type = kBytes,
     .default_text = "1mb",
     .min = 64,
     .max = 64 * kMb,
     .help = "A frame is sealed when it holds so many bytes; one write may go past it."},
    {.id = Setting::kBatchMaxDelayUs,
     .name = "batch_max_delay_us",
     .type = kInt,
     .default_text = "0",
     .max = 1'000'000,
     .unit = "microseconds",
     .help = "How long a batch may stay open past the turn that began it, to gather more writes; 0 "
             "sends it "
             "when the turn ends."},
    {.id = Setting::kCompression,
     .name = "compression",
     .type = kChoice,
     .default_text = "none",
     .choices = kCompressions,
     .help =
         "Compresses what is sent to replicas: `zstd` saves bandwidth and costs processor time."},
    {.id = Setting::kZstdLevel,
     .name = "zstd_level",
     .type = kInt,
     .default_text = "3",
     .min = 1,
     .max = 19,
     .help = "The level of zstd: higher is smaller and slower."},

    // Buffers of replication.
    {.id = Setting::kBacklogBytes,
     .name = "backlog_bytes",
     .type = kBytes,
     .default_text = "64mb",
     .min = 16 * kKb,
     .max = 1024 * kGb,
     .redis_name = "repl-backlog-size",
     .help = "Memory for recent frames, over all shards: a replica that missed no more than these "
             "catches up from memory. Further back it reads the log, if there is a `data_dir`."},
    {.id = Setting::kSnapshotChunkBytes,
     .name = "snapshot_chunk_bytes",
     .type = kBytes,
     .default_text = "16kb",
     .min = kKb,
     .max = 64 * kMb,
     .help = "A snapshot is sent in pieces of about this size. Clients wait while one is made."},
    {.id = Setting::kSubscriberQueueFrames,
     .name = "subscriber_queue_frames",
     .type = kInt,
     .default_text = "16384",
     .min = 16,
     .max = 1 << 24,
     .help = "Frames that may wait for one replica, for each shard. A replica that falls further "
             "behind leaves the live feed and catches up from the backlog or the log, else by a "
             "snapshot."},
    {.id = Setting::kSubscriberQueueBytes,
     .name = "subscriber_queue_bytes",
     .type = kBytes,
     .default_text = "256mb",
     .min = kMb,
     .max = 1024 * kGb,
     .help = "Bytes that may wait for one replica, over all shards, likewise."},

    // Acknowledged writes.
    {.id = Setting::kAck,
     .name = "ack",
     .type = kString,
     .default_text = "memory",
     .change = kLive,
     .canonical = CanonicalAckPolicy,
     .help = "What the reply to a write waits for: `memory` nothing, `durable` this node's disk, "
             "`replicas:N` N replicas that have applied it, `durable_replicas:N` N replicas' disks "
             "(and this node's, if it has a `data_dir`). A connection may choose for itself with "
             "TIDE ACK. `fsync = always` holds every reply for the disk in any case."},
    {.id = Setting::kAckTimeoutMs,
     .name = "ack_timeout_ms",
     .type = kInt,
     .default_text = "1000",
     .max = kInt32Max,
     .unit = "milliseconds",
     .change = kLive,
     .help = "How long such a reply waits before it becomes an error, which says that the write "
             "was made and may survive; 0 waits for ever."},
    {.id = Setting::kMinReplicasToWrite,
     .name = "min_replicas_to_write",
     .type = kInt,
     .default_text = "0",
     .max = 16,
     .change = kLive,
     .help = "Writes are refused unless so many replicas are connected and no further behind than "
             "`min_replicas_max_lag_ms`; 0 asks for none."},
    {.id = Setting::kMinReplicasMaxLagMs,
     .name = "min_replicas_max_lag_ms",
     .type = kInt,
     .default_text = "10000",
     .min = 1,
     .max = kInt32Max,
     .unit = "milliseconds",
     .change = kLive,
     .help = "How long ago a replica may last have held everything to count for "
             "`min_replicas_to_write`. A replica that keeps up says so once a "
             "`heartbeat_interval_ms`, so this should be several of them."},

    // Durability.
    {.id = Setting::kDataDir,
     .name = "data_dir",
     .type = kString,
     .default_text = "",
     .redis_name = "dir",
     .help = "The directory for the log and the snapshots, one process's own; it is made if only "
             "its parent exists. Empty keeps nothing on disk. A replica keeps its primary's stream "
             "there, and restarts from it."},
    {.id = Setting::kFsync,
     .name = "fsync",
     .type = kChoice,
     .default_text = "interval",
     .change = kLive,
     .choices = kFsyncs,
     .help = "When the log is forced to disk. `always`: a write is answered once it is there; many "
             "writes share one flush. `interval`: every `fsync_interval_ms`, so that a crash of "
             "the machine loses no more than that. `never`: when the system likes."},
    {.id = Setting::kFsyncIntervalMs,
     .name = "fsync_interval_ms",
     .type = kInt,
     .default_text = "100",
     .min = 1,
     .max = 60'000,
     .unit = "milliseconds",
     .help = "The time between two flushes under `fsync = interval`."},
    {.id = Setting::kSegmentBytes,
     .name = "segment_bytes",
     .type = kBytes,
     .default_text = "64mb",
     .min = 64 * kKb,
     .max = 16 * kGb,
     .help = "The log is kept in files of about this size, which are allocated whole and deleted "
             "once a snapshot covers them."},
    {.id = Setting::kWalCompression,
     .name = "wal_compression",
     .type = kChoice,
     .default_text = "none",
     .choices = kCompressions,
     .help = "Compresses the log and the snapshots, with `zstd_level`, off the shards' threads."},
    {.id = Setting::kSnapshotEveryS,
     .name = "snapshot_every_s",
     .type = kInt,
     .default_text = "300",
     .max = kInt32Max,
     .unit = "seconds",
     .change = kLive,
     .help = "A snapshot is taken when the last is so old and `snapshot_min_writes` writes have "
             "come since; 0 takes none by itself but at a clean stop."},
    {.id = Setting::kSnapshotMinWrites,
     .name = "snapshot_min_writes",
     .type = kInt,
     .default_text = "1000",
     .min = 1,
     .change = kLive,
     .help = "The least number of writes that are worth a snapshot."},

    // Change export.
    {.id = Setting::kExportMode,
     .name = "export_mode",
     .type = kChoice,
     .default_text = "off",
     .roles = SettingRoles::kPrimary,
     .choices = kExportModes,
     .help = "Streams every durable write to consumers: `listen` waits for them at `export_addr`, "
             "`connect` dials one there. Needs a `data_dir`; see docs/formats/export.md."},
    {.id = Setting::kExportAddr,
     .name = "export_addr",
     .type = kString,
     .default_text = "127.0.0.1:7630",
     .roles = SettingRoles::kPrimary,
     .canonical = CanonicalHostAndAnyPort,
     .help = "HOST:PORT to listen on, or to connect to. Listening on port 0 lets the kernel choose "
             "one, which the ready line names."},
    {.id = Setting::kExportToken,
     .name = "export_token",
     .type = kSecret,
     .default_text = "",
     .change = kLive,
     .roles = SettingRoles::kPrimary,
     .help = "The secret that a consumer shows. Listening needs one. A change is for connections "
             "that come after it."},
    {.id = Setting::kExportTokenPrevious,
     .name = "export_token_previous",
     .type = kSecret,
     .default_text = "",
     .change = kLive,
     .roles = SettingRoles::kPrimary,
     .help = "A second token that is accepted while consumers change to a new one."},
    {.id = Setting::kExportRetainBytes,
     .name = "export_retain_bytes",
     .type = kBytes,
     .default_text = "1gb",
     .max = 1024 * 1024 * kGb,
     .roles = SettingRoles::kPrimary,
     .help = "How much log is kept for a consumer that is behind; past it the consumer is told "
             "that its position is lost, and begins anew from a snapshot."},
    {.id = Setting::kReplicaRetainBytes,
     .name = "replica_retain_bytes",
     .type = kBytes,
     .default_text = "1gb",
     .max = 1024 * 1024 * kGb,
     .roles = SettingRoles::kPrimary,
     .help = "How much log is kept for a replica that is behind or, for an hour, away; past it the "
             "replica's position is lost, and it comes back by a snapshot. Needs a `data_dir`; 0 "
             "keeps nothing beyond what recovery needs."},

    // Scheduling.
    {.id = Setting::kSpinLimit,
     .name = "spin_limit",
     .type = kInt,
     .default_text = "256",
     .max = 1'000'000,
     .help = "Turns without work before a shard's thread sleeps."},
    {.id = Setting::kParkTimeoutMs,
     .name = "park_timeout_ms",
     .type = kInt,
     .default_text = "50",
     .min = 1,
     .max = 1000,
     .unit = "milliseconds",
     .help = "The longest such sleep."},
    {.id = Setting::kTickMs,
     .name = "tick_ms",
     .type = kInt,
     .default_text = "100",
     .min = 1,
     .max = 1000,
     .unit = "milliseconds",
     .help = "How often a shard does what is due by time: expiry, idle clients, statistics."},
    {.id = Setting::kThrottleEnterPercent,
     .name = "throttle_enter_percent",
     .type = kInt,
     .default_text = "85",
     .min = 1,
     .max = 100,
     .unit = "percent",
     .help = "A queue this full makes its shard read less from its clients."},
    {.id = Setting::kThrottleExitPercent,
     .name = "throttle_exit_percent",
     .type = kInt,
     .default_text = "75",
     .max = 99,
     .unit = "percent",
     .help = "Below this it reads as before."},
    {.id = Setting::kSuspendEnterPercent,
     .name = "suspend_enter_percent",
     .type = kInt,
     .default_text = "95",
     .min = 1,
     .max = 100,
     .unit = "percent",
     .help = "A queue this full makes writes wait in their clients' sockets; reads go on. See "
             "docs/backpressure.md."},
    {.id = Setting::kSuspendExitPercent,
     .name = "suspend_exit_percent",
     .type = kInt,
     .default_text = "85",
     .max = 99,
     .unit = "percent",
     .help = "Below this they are taken again, though less is read."},
    {.id = Setting::kWriteStallMs,
     .name = "write_stall_ms",
     .type = kInt,
     .default_text = "5000",
     .max = 3'600'000,
     .unit = "milliseconds",
     .change = kLive,
     .help =
         "Writes that wait for a log that is so full for longer than this are answered "
         "-BUSYTIDE instead. A disk tier that has written nothing for so long (100 at least, as "
         "of the start) is not waited for any more."},
    {.id = Setting::kThrottleOnReplicaLagRecords,
     .name = "throttle_on_replica_lag_records",
     .type = kInt,
     .default_text = "0",
     .max = kInt32Max,
     .unit = "records",
     .change = kLive,
     .help = "A required replica that lacks so many records counts as a full queue: writes pause "
             "as it fills, and wait when it is full; 0 lets no replica slow writes."},
    {.id = Setting::kThrottleOnReplicaLagMs,
     .name = "throttle_on_replica_lag_ms",
     .type = kInt,
     .default_text = "0",
     .max = kInt32Max,
     .unit = "milliseconds",
     .change = kLive,
     .help = "Likewise one that last had everything so long ago. A replica that keeps up says so "
             "once every `heartbeat_interval_ms`: allow several of them."},
    {.id = Setting::kThrottleOnReplicaLagReplicas,
     .name = "throttle_on_replica_lag_replicas",
     .type = kInt,
     .default_text = "1",
     .min = 1,
     .max = 64,
     .change = kLive,
     .help = "How many replicas are required: of the so many best the worst one's lag counts. "
             "Never fewer than `min_replicas_to_write`."},
}};

constexpr bool RowsAreInOrder() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].id) != i) return false;
  }
  return true;
}
static_assert(RowsAreInOrder(), "row i must have id i");

}  // namespace

std::span<const SettingSpec> SettingTable() { return kTable; }

std::span<const SettingSection> SettingSections() { return kSections; }

const SettingSpec* FindSetting(std::string_view name) {
  for (const SettingSpec& spec : kTable) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

bool AppliesTo(const SettingSpec& spec, NodeRole role) {
  switch (spec.roles) {
    case SettingRoles::kBoth:
      return true;
    case SettingRoles::kPrimary:
      return role == NodeRole::kPrimary;
    case SettingRoles::kReplica:
      return role == NodeRole::kReplica;
  }
  CHECK(false);
}

std::string_view DefaultText(const SettingSpec& spec, NodeRole role) {
  const bool differs = role == NodeRole::kReplica && !spec.replica_default.empty();
  return differs ? spec.replica_default : spec.default_text;
}

}  // namespace tidemark
