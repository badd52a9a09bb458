#include "server/role_switch.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "base/check.h"
#include "base/log/log.h"
#include "base/random_id.h"
#include "server/history_text.h"
#include "server/node.h"
#include "server/shard_calls.h"

namespace tidemark::server {
namespace {

std::string VectorText(const Watermarks& watermarks) {
  std::string text;
  for (Sequence s : watermarks) text += fmt::format("{}{}", text.empty() ? "" : " ", s.value());
  return "[" + text + "]";
}

// What an operator must know of a promotion, while the old primary can still be asked.
void Announce(HistoryId history, const Fork& fork) {
  if (fork.parent == HistoryId()) {
    return Log(LogLevel::kWarning, "promoted: this node held nothing of any primary's");
  }
  Log(LogLevel::kInfo,
      fmt::format("promoted: history {} begins; it left history {} at {}", HistoryHex(history),
                  HistoryHex(fork.parent), VectorText(fork.at)));
  if (fork.lost.empty()) return;
  Log(LogLevel::kWarning,
      fmt::format("promoted: the old primary had emitted {} records more, as last heard, which "
                  "this node does not have: {}",
                  LostRecords(fork.lost), LostText(fork.lost)));
}

}  // namespace

PrimaryReplication& RoleSwitch::primary() {
  return static_cast<PrimaryReplication&>(node_.replication());
}

ReplicaReplication& RoleSwitch::replica() {
  return static_cast<ReplicaReplication&>(node_.replication());
}

void RoleSwitch::TakeOver(replication::wire::Goodbye::Code goodbye) {
  node_.HoldCuts();
  const int shards = node_.engine().shard_count();
  const HistoryId fresh{RandomId()};
  replication::ReplicaClient::Ending ending = replica().Finish(goodbye);
  const bool whole = ending.whole;
  Succession succession = Succeed(std::move(ending), shards, fresh);
  if (whole) {
    Announce(fresh, succession.fork);
  } else {
    Log(LogLevel::kError,
        "promoted: a damaged record was half applied here, so what this node holds is no state of "
        "its old primary's; others take a snapshot of it");
  }

  auto next = std::make_unique<PrimaryReplication>(node_.settings(), shards, node_.identity());
  CHECK(next->Prepare(node_.engine(), node_.client_port()).ok());  // It only notes both.
  RunOnShards(node_.engine(), [&](cache::Shard& shard) { next->AttachShard(shard); });
  next->TakeOver(std::move(succession));
  node_.ReleaseReplicationPort();
  if (const absl::Status started = next->Start([this] { node_.StartServing(); }); !started.ok()) {
    Log(LogLevel::kError,
        fmt::format("promoted, and no replica can connect: {}", std::string(started.message())));
    node_.StartServing();
  }
  // The old end goes with the last reference: its link has stopped, and no shard is in it.
  node_.Exchange(std::move(next), NodeRole::kPrimary);
  node_.ResumeCuts();
}

ReplicaReplication::Course RoleSwitch::EndPresentRole() {
  ReplicaReplication::Course course;
  if (node_.is_replica()) {
    replication::ReplicaClient::Ending ending =
        replica().Finish(replication::wire::Goodbye::STOPPING);
    course.position = std::move(ending.position);
    course.ancestors = std::move(ending.ancestors);
    course.keys = std::move(ending.keys);
    return course;
  }
  PrimaryReplication::StreamEnds ends = primary().EndStreams();
  node_.RememberReplicationPort(primary().port());
  course.position = std::move(ends.position);
  course.ancestors = std::move(ends.ancestors);
  course.keys = std::move(ends.keys);
  return course;
}

void RoleSwitch::Follow(const std::string& host, int port,
                        std::optional<replication::PrimaryHub::NewPrimary> moved) {
  node_.HoldCuts();
  const bool was_primary = !node_.is_replica();
  ReplicaReplication::Course course = EndPresentRole();
  course.host = host;
  course.port = port;
  course.locate = true;

  const int shards = node_.engine().shard_count();
  auto next = std::make_unique<ReplicaReplication>(
      node_.settings(), shards, node_.identity(), std::move(course), node_.served_board(), orders_);
  RunOnShards(node_.engine(), [&](cache::Shard& shard) { next->AttachShard(shard); });
  CHECK(next->Prepare(node_.engine(), node_.client_port()).ok());  // It only makes the client.
  ReplicaReplication& following = *next;
  const std::unique_ptr<NodeReplication> old = node_.Exchange(std::move(next), NodeRole::kReplica);
  if (was_primary) {
    auto& ended = static_cast<PrimaryReplication&>(*old);
    if (moved) ended.StopMoved(moved->host, moved->port);
    ended.Stop();
    ended.Detach();
  }
  // Not before: the shards had the old stream's sinks.
  const absl::Status started = following.Start([this] { node_.StartServing(); });
  if (!started.ok()) Log(LogLevel::kError, std::string(started.message()));
  Log(LogLevel::kInfo, fmt::format("this node is a replica of {}:{} now", host, port));
  node_.ResumeCuts();
}

}  // namespace tidemark::server
