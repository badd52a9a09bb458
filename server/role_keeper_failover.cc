// RoleKeeper's FAILOVER: a primary hands its role to a replica that has everything.
//
// The one rule: from the moment at which the target is told, this node never takes writes again
// unless the target has said that it stays a replica. A connection that breaks without a word
// leaves the question open; then this node asks the target, and if nobody answers, follows it, so
// that there are never two primaries.

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "base/link/link_loop.h"
#include "base/link/wire_vectors.h"
#include "base/log/log.h"
#include "server/node.h"
#include "server/role_keeper.h"

namespace tidemark::server {
namespace {

// Between two looks at the target while it catches up.
constexpr int64_t kLookMs = 1;
// For the target to end its link and say so.
constexpr auto kAnswerDeadline = std::chrono::seconds(10);

FailoverPlan::Target Look(const ReplicationView& view, uint64_t id, const Watermarks& needed) {
  for (const ReplicaReport& replica : view.replicas) {
    if (replica.id != id) continue;
    return {.online = replica.state == "online",
            .lag_records = replica.lag_records,
            .has_all = replica.acked.size() == needed.size() && Covers(replica.acked, needed)};
  }
  return {};
}

}  // namespace

void RoleKeeper::DoFailover(const Target& target, const FailoverPlan::Options& options) {
  if (node_.is_replica()) return GiveUpFailover("this node is a replica", false);
  Log(LogLevel::kInfo, fmt::format("failover to {}:{} begins, within {} ms", target.host,
                                   target.port, options.timeout_ms));
  FailoverPlan plan(options, LinkLoop::NowMs());
  Watermarks needed;
  int64_t paused_at_ms = 0;
  bool ended = false;
  bool told = false;
  while (!told) {
    switch (plan.Next(Look(switch_.primary().View(), target.id, needed), LinkLoop::NowMs())) {
      case FailoverPlan::Step::kWait:
        if (PauseFailover(kLookMs)) return GiveUpFailover("it was aborted", ended);
        break;
      case FailoverPlan::Step::kPause:
        paused_at_ms = LinkLoop::NowMs();
        node_.pause_gate().HoldWrites(true);
        needed = switch_.primary().AssignedAtCut();
        break;
      case FailoverPlan::Step::kEndStream: {
        ended = true;
        needed.clear();
        for (const auto& shard : switch_.primary().EndStreams().position.shards) {
          needed.push_back(shard.sequence);
        }
        break;
      }
      case FailoverPlan::Step::kPromote:
        if (!HandOver(target, /*force=*/false)) return;
        told = true;
        break;
      case FailoverPlan::Step::kForce:
        if (!HandOver(target, /*force=*/true)) return;
        told = true;
        break;
      case FailoverPlan::Step::kGiveUp:
        return GiveUpFailover(plan.why(), ended);
    }
  }
  // What was held back finds shards that take no writes.
  node_.pause_gate().HoldWrites(false);
  switch_.Follow(target.host, target.port,
                 replication::PrimaryHub::NewPrimary{.host = target.host,
                                                     .port = static_cast<uint16_t>(target.port)});
  Log(LogLevel::kInfo, fmt::format("failover to {}:{} is done; writes were held back for {} ms",
                                   target.host, target.port, LinkLoop::NowMs() - paused_at_ms));
  failover_state_ = FailoverState::kNone;
}

bool RoleKeeper::HandOver(const Target& target, bool force) {
  bool aborted = false;
  {
    // Whoever is told that the failover is aborted is told the truth.
    const std::lock_guard lock(mutex_);
    aborted = abort_;
    if (!aborted) failover_state_ = FailoverState::kInProgress;
  }
  if (aborted) {
    GiveUpFailover("it was aborted", /*stream_ended=*/true);
    return false;
  }
  const auto promise = std::make_shared<std::promise<replication::PromotionOutcome>>();
  std::future<replication::PromotionOutcome> answer = promise->get_future();
  switch_.primary().Promote(
      target.id, force,
      [promise](const replication::PromotionOutcome& outcome) { promise->set_value(outcome); });
  replication::PromotionOutcome outcome{.kind = replication::PromotionOutcome::Kind::kUnknown,
                                        .text = "it does not answer"};
  if (answer.wait_for(kAnswerDeadline) == std::future_status::ready) outcome = answer.get();
  switch (outcome.kind) {
    case replication::PromotionOutcome::Kind::kPromoted:
      return true;
    case replication::PromotionOutcome::Kind::kRefused:
      GiveUpFailover(fmt::format("the target refused: {}", outcome.text), /*stream_ended=*/true);
      return false;
    case replication::PromotionOutcome::Kind::kUnknown:
      break;
  }
  if (MayHaveTakenOver(target)) return true;
  GiveUpFailover(
      fmt::format("the link to the target ended ({}), which is still a replica", outcome.text),
      /*stream_ended=*/true);
  return false;
}

void RoleKeeper::GiveUpFailover(std::string_view why, bool stream_ended) {
  if (stream_ended) switch_.primary().ResumeStreams();
  node_.pause_gate().HoldWrites(false);
  node_.ResumeClients();
  Log(LogLevel::kWarning, fmt::format("the failover is given up: {}", why));
  failover_state_ = FailoverState::kNone;
}

}  // namespace tidemark::server
