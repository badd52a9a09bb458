#include "server/role_switch.h"

#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/crash_point.h"
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

// Whom it follows is yet to be said.
ReplicaReplication::Course CourseFrom(replication::ReplicaClient::Ending ending) {
  ReplicaReplication::Course course;
  course.position = std::move(ending.position);
  course.ancestors = std::move(ending.ancestors);
  course.keys = std::move(ending.keys);
  course.tail = std::move(ending.tail);
  return course;
}

}  // namespace

PrimaryReplication& RoleSwitch::primary() {
  return static_cast<PrimaryReplication&>(node_.replication());
}

ReplicaReplication& RoleSwitch::replica() {
  return static_cast<ReplicaReplication&>(node_.replication());
}

void RoleSwitch::StopServices() {
  if (node_.durability() != nullptr) node_.durability()->StopServices(node_.engine());
}

absl::Status RoleSwitch::TakeOver(replication::wire::Goodbye::Code goodbye) {
  node_.HoldCuts();
  StopServices();
  const int shards = node_.engine().shard_count();
  const HistoryId fresh{RandomId()};
  NodeDurability* const durability = node_.durability();
  replication::ReplicaClient::Ending ending = replica().Finish(goodbye);
  CrashPoint("role.link_ended");
  if (durability != nullptr) {
    const absl::Status kept = durability->TakeOver(node_.engine(), fresh, &ending);
    if (!kept.ok()) {
      durability->Follow();
      const ReplicaReplication::Course& before = replica().course();
      ReplicaReplication::Course course = CourseFrom(std::move(ending));
      course.host = before.host;
      course.port = before.port;
      course.locate = before.locate;
      BecomeReplica(std::move(course), std::nullopt);
      return kept;
    }
  }
  const bool whole = ending.whole;
  Succession succession =
      Succeed(std::move(ending), shards, fresh,
              durability == nullptr ? std::vector<replication::FrameLog*>() : durability->logs());
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
  if (durability != nullptr) next->set_archive(durability->MakeArchive());
  next->TakeOver(std::move(succession));
  node_.ReleaseReplicationPort();
  if (const absl::Status started = next->Start([this] { node_.StartServing(); }); !started.ok()) {
    Log(LogLevel::kError,
        fmt::format("promoted, and no replica can connect: {}", std::string(started.message())));
    node_.StartServing();
  }
  PrimaryReplication& taking_over = *next;
  const std::unique_ptr<NodeReplication> old = node_.Exchange(std::move(next), NodeRole::kPrimary);
  static_cast<ReplicaReplication&>(*old).Detach();
  if (durability != nullptr) {
    const absl::Status services = node_.StartServices(taking_over);
    if (!services.ok()) {
      Log(LogLevel::kError,
          fmt::format("promoted, and nothing is exported: {}", std::string(services.message())));
    }
  }
  node_.ResumeCuts();
  CrashPoint("role.taken_over");
  return absl::OkStatus();
}

ReplicaReplication::Course RoleSwitch::EndPresentRole() {
  if (node_.is_replica()) {
    node_.RememberReplicationPort(replica().port());
    return CourseFrom(replica().Finish(replication::wire::Goodbye::STOPPING));
  }
  PrimaryReplication::StreamEnds ends = primary().EndStreams();
  node_.RememberReplicationPort(primary().port());
  if (node_.durability() != nullptr) {
    primary().LeaveLog();
    node_.durability()->BeginFollowing();
  }
  ReplicaReplication::Course course;
  course.position = std::move(ends.position);
  course.ancestors = std::move(ends.ancestors);
  course.keys = std::move(ends.keys);
  return course;
}

void RoleSwitch::Follow(const std::string& host, int port,
                        std::optional<replication::PrimaryHub::NewPrimary> moved) {
  node_.HoldCuts();
  StopServices();
  ReplicaReplication::Course course = EndPresentRole();
  course.host = host;
  course.port = port;
  course.locate = true;
  BecomeReplica(std::move(course), moved);
}

void RoleSwitch::BecomeReplica(ReplicaReplication::Course course,
                               const std::optional<replication::PrimaryHub::NewPrimary>& moved) {
  const bool was_primary = !node_.is_replica();
  const std::string host = course.host;
  const int port = course.port;
  const int shards = node_.engine().shard_count();
  NodeDurability* const durability = node_.durability();
  auto next = std::make_unique<ReplicaReplication>(
      node_.settings(), shards, node_.identity(), std::move(course), node_.served_board(), orders_);
  RunOnShards(node_.engine(), [&](cache::Shard& shard) { next->AttachShard(shard); });
  CHECK(next->Prepare(node_.engine(), node_.client_port()).ok());  // It only makes the client.
  if (durability != nullptr) next->KeepIn(durability->stream());
  ReplicaReplication& following = *next;
  const std::unique_ptr<NodeReplication> old = node_.Exchange(std::move(next), NodeRole::kReplica);
  if (was_primary) {
    auto& ended = static_cast<PrimaryReplication&>(*old);
    if (moved) ended.StopMoved(moved->host, moved->port);
    ended.Stop();
    ended.Detach();
    if (durability != nullptr) durability->LeaveOwnLog(node_.engine());
  } else {
    static_cast<ReplicaReplication&>(*old).Detach();
  }
  // Not before: the shards had the old stream's sinks.
  const absl::Status started = following.Start([this] { node_.StartServing(); });
  if (!started.ok()) {
    Log(LogLevel::kError, fmt::format("this node follows, and no replica can connect to it: {}",
                                      std::string(started.message())));
  }
  if (durability != nullptr) node_.StartServices(following);
  Log(LogLevel::kInfo, fmt::format("this node is a replica of {}:{} now", host, port));
  node_.ResumeCuts();
  CrashPoint("role.following");
}

}  // namespace tidemark::server
