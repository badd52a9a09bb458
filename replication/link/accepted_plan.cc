#include "replication/link/accepted_plan.h"

#include <string>

#include "base/link/wire_vectors.h"
#include "fmt/format.h"
#include "replication/link/protocol_version.h"

namespace tidemark::replication {
namespace {

constexpr size_t kMaxNodeIdBytes = 128;

bool IsSource(wire::ShardPlan::Source source) {
  return source == wire::ShardPlan::SOURCE_CURRENT || source == wire::ShardPlan::SOURCE_BACKLOG ||
         source == wire::ShardPlan::SOURCE_SNAPSHOT || source == wire::ShardPlan::SOURCE_SEGMENTS;
}

StreamPlan PlanOf(const wire::Accept& accept) {
  StreamPlan plan;
  plan.history = HistoryId(accept.history());
  plan.continues = HistoryId(accept.continues() != 0 ? accept.continues() : accept.history());
  for (const wire::ShardPlan& shard : accept.shards()) {
    plan.shards.push_back({.source = static_cast<CatchUpSource>(shard.source()),
                           .at = {Sequence(shard.watermark()), shard.stream_digest()},
                           .entries = shard.entries(),
                           .cut = {Sequence(shard.cut()), shard.cut_digest()},
                           .diverged = shard.diverged()});
  }
  for (const wire::Ancestor& ancestor : accept.ancestors()) {
    plan.ancestors.push_back(
        {.history = HistoryId(ancestor.history()), .fork = FromWire(ancestor.fork())});
  }
  plan.path.assign(accept.path().begin(), accept.path().end());
  return plan;
}

// Why the Accept cannot be an answer; empty: it can.
std::string FaultOf(const wire::Accept& accept, const ReplicaPosition& position,
                    bool takes_mixed_plans) {
  if (accept.version() != kProtocolVersion) {
    return fmt::format("protocol version {}, which was not offered", accept.version());
  }
  if (accept.history() == 0) return "no history";
  if (accept.shards_size() < 1 || accept.shards_size() > kMaxShards) {
    return fmt::format("{} shards", accept.shards_size());
  }
  if (accept.heartbeat_interval_ms() < 1 || accept.heartbeat_interval_ms() > 60'000) {
    return fmt::format("a heartbeat every {} ms", accept.heartbeat_interval_ms());
  }
  for (const wire::Ancestor& ancestor : accept.ancestors()) {
    if (ancestor.history() == 0 || ancestor.fork_size() != accept.shards_size()) {
      return "an ancestor that is none";
    }
  }
  if (accept.path_size() > static_cast<int>(kMaxPathNodes)) {
    return fmt::format("a path of {} nodes", accept.path_size());
  }
  for (const std::string& node_id : accept.path()) {
    if (node_id.empty() || node_id.size() > kMaxNodeIdBytes) return "a path through no node";
  }
  int snapshots = 0;
  for (const wire::ShardPlan& shard : accept.shards()) {
    if (!IsSource(shard.source())) return "a source that is not known";
    snapshots += shard.source() == wire::ShardPlan::SOURCE_SNAPSHOT ? 1 : 0;
  }
  if (snapshots == accept.shards_size()) return "";
  if (snapshots > 0 && !takes_mixed_plans) return "a snapshot of some shards only";
  const uint64_t continues = accept.continues() != 0 ? accept.continues() : accept.history();
  const bool same_stream = HistoryId(continues) == position.history &&
                           static_cast<size_t>(accept.shards_size()) == position.shards.size();
  if (!same_stream) return "the continuation of a stream that this replica does not have";
  for (int i = 0; i < accept.shards_size(); ++i) {
    const wire::ShardPlan& shard = accept.shards(i);
    if (shard.source() == wire::ShardPlan::SOURCE_SNAPSHOT) continue;
    const ShardPosition at{Sequence(shard.watermark()), shard.stream_digest()};
    if (at != position.shards[static_cast<size_t>(i)]) return "another position than was asked for";
    if (snapshots > 0 && Sequence(shard.cut()) < at.sequence) return "a cut below its position";
  }
  return "";
}

}  // namespace

absl::StatusOr<StreamPlan> PlanFrom(const wire::Accept& accept, const ReplicaPosition& position,
                                    bool takes_mixed_plans) {
  const std::string fault = FaultOf(accept, position, takes_mixed_plans);
  if (!fault.empty()) return absl::InvalidArgumentError("Accept with " + fault);
  return PlanOf(accept);
}

}  // namespace tidemark::replication
