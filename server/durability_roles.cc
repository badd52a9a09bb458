// What NodeDurability does when the node's role changes while it runs.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "base/crash_point.h"
#include "base/log/log.h"
#include "server/durability.h"
#include "server/fork.h"
#include "server/shard_calls.h"
#include "server/stream_positions.h"

namespace tidemark::server {
namespace {

// When this returns, no shard has in its hands what was taken from sight before.
void AwaitEveryShard(cache::Engine& engine) {
  RunOnShards(engine, [](cache::Shard&) {});
}

}  // namespace

std::string NodeDurability::WhyNotTakeOver() const {
  if (const std::string failure = stream_ == nullptr ? "" : stream_->failure(); !failure.empty()) {
    return "ERR what this node holds is not all on its disk: " + failure;
  }
  if (const std::string waits = stream_ == nullptr ? "" : stream_->waiting(); !waits.empty()) {
    return "ERR this node's log cannot be written now: " + waits;
  }
  const std::shared_ptr<wal::Log> log = keeper_->log();
  if (log != nullptr && log->state() != wal::LogState::kWriting) {
    return "ERR this node's log cannot be written now: " + log->cause();
  }
  if (keeper_->wants_snapshot()) {
    return "TRYAGAIN a full sync is not yet whole on this node's disk; its snapshot is under way";
  }
  return "";
}

void NodeDurability::StopServices(cache::Engine& engine) {
  if (snapshot_service_ != nullptr) {
    uncovered_writes_ = snapshot_service_->status().uncovered_writes;
  }
  StopSnapshots(/*save=*/false);
  published_export_.store(nullptr, std::memory_order_release);
  AwaitEveryShard(engine);
  snapshot_service_.reset();
  export_service_.reset();
}

// --- A replica takes over ---

absl::Status NodeDurability::TakeOver(cache::Engine& engine, HistoryId fresh,
                                      replication::ReplicaClient::Ending* ending) {
  absl::Status kept = stream_->Finish();
  if (kept.ok() && !ending->whole) {
    kept = absl::FailedPreconditionError(
        "a damaged record was half applied here, so what this node shows is no state of its "
        "primary's; its log is whole: start it again as a primary");
  }
  if (kept.ok()) {
    CountHeld(recovered_.history, recovered_.positions, ending);
    CrashPoint("role.stream_finished");
    kept = keeper_->BeginHistory(fresh, LogPositionsOf(ending->position.shards), shards_,
                                 Minter::kThisNode);
  }
  LeaveStream(engine);
  if (!kept.ok()) return kept;
  UseOwnLog();
  CrashPoint("role.log_taken_over");
  return absl::OkStatus();
}

void NodeDurability::LeaveStream(cache::Engine& engine) {
  published_stream_.store(nullptr, std::memory_order_release);
  AwaitEveryShard(engine);
  stream_.reset();
}

// --- A primary follows ---

void NodeDurability::BeginFollowing() {
  CrashPoint("role.streams_ended");
  if (const absl::Status begun = keeper_->BeginFollowing(); !begun.ok()) {
    // The keeper takes nothing from here on, and says so at the first plan; unless the disk is
    // full: then the first plan waits for it.
    Log(LogLevel::kError, fmt::format("{}: the log cannot go on as a replica's: {}",
                                      directory_->path(), std::string(begun.message())));
  }
  Follow();
}

void NodeDurability::Follow() {
  if (stream_ != nullptr) return;
  stream_ = std::make_unique<FollowedStream>(*keeper_);
  stream_->set_on_discard([this](const replication::ReplicaPosition& held,
                                 const Watermarks& after) { KeepDiscarded(held, after); });
  published_stream_.store(stream_.get(), std::memory_order_release);
}

}  // namespace tidemark::server
