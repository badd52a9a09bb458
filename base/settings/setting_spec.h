// The settings of a node, one row each: every name, flag, default, range and sentence of help that
// a user meets comes from the table in settings_table.cc, so that none of them can drift apart.

#ifndef TIDEMARK_BASE_SETTINGS_SETTING_SPEC_H_
#define TIDEMARK_BASE_SETTINGS_SETTING_SPEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"

namespace tidemark {

// In the order of the table.
enum class Setting : uint8_t {
  // The node.
  kConfig,
  kPort,
  kBind,
  kTcpBacklog,
  kShards,
  kLogLevel,
  // Memory.
  kMaxmemory,
  kMaxmemoryPolicy,
  kMaxmemorySamples,
  kLfuLogFactor,
  kLfuDecayTime,
  // The disk tier.
  kTierDir,
  kTierBytes,
  kTierMinValueBytes,
  kTierCompression,
  kTierPromotion,  // tier::PromotionPolicy.
  kPromotionQueueCapacity,
  kPromotionWorkers,
  // Clients.
  kRequirepass,
  kMaxclients,
  kTimeout,
  kTcpKeepalive,
  kProtoMaxBulkLen,
  kClientQueryBufferLimit,
  kClientOutputBufferLimit,
  kMaxStalenessMs,
  kMaxStalenessRecords,
  kTrackWaitMs,
  // Seeing what happens.
  kSlowlogLogSlowerThan,
  kSlowlogMaxLen,
  kLatencyTracking,
  // The replication link.
  kReplicationPort,
  kPrimary,
  kReplicationToken,
  kReplicationTokenPrevious,
  kAcceptForeignHistory,
  kMaxReplicas,
  kConnectTimeoutMs,
  kWriteTimeoutMs,
  kReconnectBackoffMs,
  kReconnectBackoffMaxMs,
  kHeartbeatIntervalMs,
  // Frames.
  kSendPolicy,
  kBatchMaxRecords,
  kBatchMaxBytes,
  kBatchMaxDelayUs,
  kCompression,
  kZstdLevel,
  // Buffers of replication.
  kBacklogBytes,
  kSnapshotChunkBytes,
  kSubscriberQueueFrames,
  kSubscriberQueueBytes,
  // Acknowledged writes.
  kAck,
  kAckTimeoutMs,
  kMinReplicasToWrite,
  kMinReplicasMaxLagMs,
  // Durability.
  kDataDir,
  kFsync,
  kFsyncIntervalMs,
  kSegmentBytes,
  kWalCompression,
  kSnapshotEveryS,
  kSnapshotMinWrites,
  // Change export.
  kExportMode,
  kExportAddr,
  kExportToken,
  kExportTokenPrevious,
  kExportRetainBytes,
  kReplicaRetainBytes,
  // Scheduling.
  kSpinLimit,
  kParkTimeoutMs,
  kTickMs,
  kThrottleEnterPercent,
  kThrottleExitPercent,
  kSuspendEnterPercent,
  kSuspendExitPercent,
  kWriteStallMs,
  kThrottleOnReplicaLagRecords,
  kThrottleOnReplicaLagMs,
  kThrottleOnReplicaLagReplicas,
};
inline constexpr size_t kSettingCount =
    static_cast<size_t>(Setting::kThrottleOnReplicaLagReplicas) + 1;

// The values of the settings that choose among words, in the order of their rows' choices.
// (EvictionPolicy is in base/eviction_policy.h.)
enum class LogLevelSetting : uint8_t { kDebug, kInfo, kWarning, kError };
enum class ForeignHistory : uint8_t { kNever, kNonempty, kAlways };
enum class SendPolicy : uint8_t { kBatch, kImmediate };
enum class Compression : uint8_t { kNone, kZstd };
enum class Fsync : uint8_t { kAlways, kInterval, kNever };
enum class ExportMode : uint8_t { kOff, kListen, kConnect };

enum class NodeRole : uint8_t { kPrimary, kReplica };

enum class SettingType : uint8_t {
  kBool,    // "yes" or "no".
  kInt,     // A whole number of `unit`.
  kBytes,   // A whole number, or one with a suffix as Redis reads it: 1k is 1000, 1kb is 1024.
  kChoice,  // One of `choices`.
  kString,
  kSecret,  // A string that no message, page or log shows.
};

enum class SettingRoles : uint8_t { kBoth, kPrimary, kReplica };

// Whether CONFIG SET may change it while the node runs.
enum class SettingChange : uint8_t { kAtStart, kLive };

struct SettingSpec {
  Setting id;
  std::string_view name;  // The flag, the TOML key and, in capitals, TIDEMARK_NAME.
  SettingType type;
  std::string_view default_text;          // As a user would write it.
  std::string_view replica_default = {};  // Where a replica's differs.
  int64_t min = 0;
  int64_t max = INT64_MAX;
  std::string_view unit = {};  // In words, such as "seconds"; empty for counts and bytes.
  SettingChange change = SettingChange::kAtStart;
  SettingRoles roles = SettingRoles::kBoth;
  bool may_be_none = false;  // A kInt that also takes "none", which reads as Settings::kNone.
  bool required = false;     // There is no default: the node does not start without it.
  // The name in CONFIG GET and CONFIG SET where it is not `name` with hyphens.
  std::string_view redis_name = {};
  std::span<const std::string_view> choices = {};
  // Turns what a user wrote into what is kept, given what is kept now. Null: taken as it is.
  // The error's message is the detail that CONFIG SET shows.
  absl::StatusOr<std::string> (*canonical)(std::string_view current,
                                           std::string_view text) = nullptr;
  std::string_view help;  // One or two sentences, for --help and docs/configuration.md.
};

// A heading of --help and docs/configuration.md, and the first setting below it.
struct SettingSection {
  std::string_view title;
  Setting first;
};

std::span<const SettingSpec> SettingTable();  // kSettingCount rows; row i has id i.
std::span<const SettingSection> SettingSections();

inline const SettingSpec& SpecOf(Setting id) { return SettingTable()[static_cast<size_t>(id)]; }
// By `name`, exactly. Null if there is none.
const SettingSpec* FindSetting(std::string_view name);
bool AppliesTo(const SettingSpec& spec, NodeRole role);
std::string_view DefaultText(const SettingSpec& spec, NodeRole role);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_SETTING_SPEC_H_
