// What NodeDurability does for snapshots: which of them a node of either role takes, and when.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/log/log.h"
#include "server/durability.h"

namespace tidemark::server {
namespace {

// What is not in a snapshot by then is in the log.
constexpr auto kLastSnapshotDeadline = std::chrono::seconds(60);

}  // namespace

absl::Status NodeDurability::StartServices(cache::Engine& engine, Shards shards) {
  // Before anything can be pruned: it knows the consumers that are away, and what they need.
  auto started = ExportService::Start(settings_, *directory_, log_, retention_);
  if (!started.ok()) return started.status();
  export_service_ = *std::move(started);
  published_export_.store(export_service_.get(), std::memory_order_release);

  SnapshotSources sources = SourcesFrom(engine, shards.assigned, shards.pressure);
  sources.history = log_->history();
  sources.request_chunks = [&engine, producer = shards.producer](
                               ShardId shard, replication::ChunkTargetRef target) {
    engine.Post(shard, [producer, target = std::move(target)](cache::Shard& on) {
      producer(on.id()).RequestChunks(target);
    });
  };
  const std::shared_ptr<wal::Log> log = log_;
  sources.current_segment = [log] { return log->current_segment(); };
  sources.sync_through = [log](Watermarks target, std::function<void(absl::Status)> done) {
    log->SyncThrough(std::move(target), std::move(done));
  };
  sources.durable_cut = [log] { return log->DurableCut(); };
  StartSnapshots(std::move(sources));
  return absl::OkStatus();
}

void NodeDurability::StartReplicaServices(cache::Engine& engine, ReplicaShards shards) {
  SnapshotSources sources = SourcesFrom(engine, shards.applied, shards.pressure);
  sources.request_cut = [this, request = shards.request_cut](
                            std::shared_ptr<replication::ChunkQueue> queue,
                            SnapshotSources::CutKnown known) {
    request(std::move(queue),
            [this, known = std::move(known)](absl::StatusOr<replication::ReplicaPosition> at) {
              known(at.ok() ? CutFor(*std::move(at)) : at.status());
            });
  };
  sources.wanted = [this] { return keeper_->wants_snapshot(); };
  StartSnapshots(std::move(sources));
}

SnapshotSources NodeDurability::SourcesFrom(cache::Engine& engine,
                                            const std::function<uint64_t()>& writes,
                                            const std::function<Pressure()>& pressure) {
  SnapshotSources sources;
  sources.shard_count = shards_;
  sources.wake_shard = [&engine](ShardId shard) { engine.Post(shard, [](cache::Shard&) {}); };
  // Counted from the newest snapshot.
  sources.writes = [writes, before = writes(), uncovered = uncovered_writes_] {
    return writes() - before + uncovered;
  };
  // The log's own, too: it moves faster than the node looks.
  sources.pressure = [this, pressure] { return std::max(LogPressure(), pressure()); };
  sources.backup_hold = &backup_hold_;
  sources.log_state = [this]() -> absl::Status {
    const std::shared_ptr<wal::Log> log = keeper_->log();
    if (log == nullptr) return absl::UnavailableError("nothing has come from a primary yet");
    if (log->state() == wal::LogState::kWriting) return absl::OkStatus();
    return absl::UnavailableError(log->cause());
  };
  return sources;
}

void NodeDurability::StartSnapshots(SnapshotSources sources) {
  SnapshotService::Options options;
  options.schedule.every_ms = settings_.Int(Setting::kSnapshotEveryS) * 1000;
  options.schedule.min_writes = static_cast<uint64_t>(settings_.Int(Setting::kSnapshotMinWrites));
  options.zstd = settings_.Choice<Compression>(Setting::kWalCompression) == Compression::kZstd;
  options.zstd_level = static_cast<int>(settings_.Int(Setting::kZstdLevel));
  options.clock = &clock_;
  snapshot_service_ =
      std::make_unique<SnapshotService>(*directory_, retention_, std::move(sources), options);
  snapshot_service_->Start();
  published_snapshots_.store(snapshot_service_.get(), std::memory_order_release);
  ApplySchedule();  // What was set meanwhile.
}

void NodeDurability::ApplySchedule() {
  SnapshotService* const service = snapshots();
  if (service == nullptr) return;  // One that starts later reads the settings itself.
  service->SetSchedule(settings_.Int(Setting::kSnapshotEveryS) * 1000,
                       static_cast<uint64_t>(settings_.Int(Setting::kSnapshotMinWrites)));
}

Pressure NodeDurability::LogPressure() const {
  const std::shared_ptr<wal::Log> log = keeper_->log();
  int percent = 0;
  for (size_t i = 0; log != nullptr && i < log->shard_count(); ++i) {
    const ShardId shard(static_cast<uint16_t>(i));
    percent = std::max(percent, log->shard(shard).utilisation_percent());
  }
  return NextPressure(Pressure::kNormal, percent, PressureThresholds());
}

absl::StatusOr<SnapshotCut> NodeDurability::CutFor(replication::ReplicaPosition at) {
  const std::shared_ptr<wal::Log> log = keeper_->log();
  if (log == nullptr || log->history() != at.history || log->shard_count() != at.shards.size()) {
    return absl::UnavailableError("the log is of another stream than what is served: a full sync");
  }
  Watermarks applied;
  for (const replication::ShardPosition& shard : at.shards) applied.push_back(shard.sequence);
  const std::optional<uint64_t> segment = log->SegmentAfter(applied);
  if (!segment.has_value()) {
    return absl::UnavailableError("not all that the log holds is applied yet");
  }
  return SnapshotCut{
      .at = std::move(at),
      .first_segment = *segment,
      .sync_through =
          [log](Watermarks target, std::function<void(absl::Status)> done) {
            log->SyncThrough(std::move(target), std::move(done));
          },
      .put = [this,
              log](const std::function<absl::Status()>& put) { return PutSnapshot(*log, put); }};
}

absl::Status NodeDurability::PutSnapshot(const wal::Log& log,
                                         const std::function<absl::Status()>& put) {
  if (!keeper_->wants_snapshot()) return keeper_->PutSnapshot(log, put);
  // It ends a full sync, and what was there before is deleted.
  const int64_t now_ms = clock_.MonotonicNanos() / 1'000'000;
  if (!backup_hold_.BeginPruning(now_ms)) {
    return absl::UnavailableError("a backup is under way of what the full sync replaces");
  }
  const absl::Status done = keeper_->PutSnapshot(log, put);
  backup_hold_.EndPruning();
  return done;
}

void NodeDurability::StopSnapshots(bool save) {
  if (snapshot_service_ == nullptr) return;
  if (save) {
    const absl::Status saved =
        snapshot_service_->CoverAll(std::chrono::steady_clock::now() + kLastSnapshotDeadline);
    if (!saved.ok()) {
      Log(LogLevel::kWarning,
          fmt::format("no snapshot at the end: {}; the next start replays the log instead",
                      std::string(saved.message())));
    }
  }
  snapshot_service_->Stop();
  published_snapshots_.store(nullptr, std::memory_order_release);
}

}  // namespace tidemark::server
