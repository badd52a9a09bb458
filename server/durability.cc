#include "server/durability.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/log/log.h"
#include "base/random_id.h"
#include "server/history_text.h"
#include "server/recovery_loader.h"

namespace tidemark::server {
namespace {

// A shard takes all that waits for it in one turn, and clients are told LOADING between turns: far
// more than the reader needs to stay ahead, and some tens of milliseconds of a shard's time.
constexpr size_t kLoadingBytesInFlight = 8 << 20;
// What is not in a snapshot by then is in the log.
constexpr auto kLastSnapshotDeadline = std::chrono::seconds(60);

// A directory that cannot be used is not a wrong setting, whatever the code below says.
absl::Status NotTheSettings(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kInvalidArgument) return status;
  return absl::FailedPreconditionError(status.message());
}

wal::FsyncPolicy PolicyFrom(const Settings& settings) {
  switch (settings.Choice<Fsync>(Setting::kFsync)) {
    case Fsync::kAlways:
      return wal::FsyncPolicy::kAlways;
    case Fsync::kInterval:
      return wal::FsyncPolicy::kInterval;
    case Fsync::kNever:
      break;
  }
  return wal::FsyncPolicy::kNever;
}

// The histories whose sequences go on in the recovered one, oldest first: those since the last
// change of the number of shards.
std::vector<replication::StreamAncestor> AncestorsOf(const wal::Recovered& recovered,
                                                     size_t shard) {
  std::vector<replication::StreamAncestor> ancestors;
  for (const wal::Recovered::Ancestor& ancestor : recovered.ancestors) {
    if (ancestor.fork.size() != recovered.positions.size()) {
      ancestors.clear();
      continue;
    }
    ancestors.push_back({ancestor.history, ancestor.fork[shard].sequence});
  }
  return ancestors;
}

}  // namespace

// A shard's publisher on one side, its ShardLog on the other.
class NodeDurability::Door final : public replication::FrameLog {
 public:
  explicit Door(wal::ShardLog& log) : log_(log) {}
  void Append(FrameRef frame) override { log_.Append(std::move(frame)); }
  void OnTurnEnd() override { log_.OnTurnEnd(); }
  void OnHole(Sequence through) override { log_.OnHole(through); }

 private:
  wal::ShardLog& log_;
};

// Hands on to the loader until somebody wants the process to stop.
class NodeDurability::StoppableSink final : public wal::RecoverySink {
 public:
  StoppableSink(wal::RecoverySink& to, const std::function<bool()>& stopping)
      : to_(to), stopping_(stopping) {}

  absl::Status OnReset() override { return to_.OnReset(); }
  absl::Status OnSnapshot(const wal::SnapshotReader& snapshot,
                          wal::RecoveryProgress* progress) override {
    return stopping_() ? Cancelled() : to_.OnSnapshot(snapshot, progress);
  }
  absl::Status OnSnapshotChunk(FrameRef chunk) override {
    return to_.OnSnapshotChunk(std::move(chunk));
  }
  absl::Status OnFrame(FrameRef frame, Sequence apply_from, Sequence apply_through) override {
    if (stopping_()) return Cancelled();
    return to_.OnFrame(std::move(frame), apply_from, apply_through);
  }
  absl::Status OnTopologyChange(int shard_count) override {
    return to_.OnTopologyChange(shard_count);
  }
  absl::Status OnEnd() override { return stopping_() ? Cancelled() : to_.OnEnd(); }

 private:
  static absl::Status Cancelled() { return absl::CancelledError("stopped while loading"); }

  wal::RecoverySink& to_;
  const std::function<bool()>& stopping_;
};

NodeDurability::NodeDurability(Settings& settings, int shards, wal::Disk& disk, const Clock& clock)
    : settings_(settings), shards_(shards), disk_(disk), clock_(clock) {}

NodeDurability::~NodeDurability() = default;

absl::Status NodeDurability::Open() {
  auto directory = wal::DataDirectory::Open(disk_, settings_.String(Setting::kDataDir),
                                            wal::DirectoryId(RandomId()));
  if (!directory.ok()) return NotTheSettings(directory.status());
  directory_ = std::move(*directory);
  return absl::OkStatus();
}

absl::Status NodeDurability::Recover(cache::Engine& engine, const std::function<bool()>& stopping) {
  {
    RecoveryLoader::Options loading;
    loading.max_bytes_in_flight = kLoadingBytesInFlight;
    RecoveryLoader loader(engine, clock_, loading);
    StoppableSink sink(loader, stopping);
    wal::RecoveryOptions options;
    options.shard_count = shards_;
    options.now_ms = clock_.UnixMillis();
    options.fresh_history = HistoryId(RandomId());
    ShowLoading(&loader);
    auto recovered = wal::Recover(*directory_, options, sink, &loader.progress());
    ShowLoading(nullptr);
    if (!recovered.ok()) return NotTheSettings(recovered.status());
    recovered_ = *std::move(recovered);
  }
  NoteLosses(recovered_);

  auto opened = wal::Log::Open(*directory_,
                               {.history = recovered_.history,
                                .positions = recovered_.positions,
                                .next_segment = recovered_.next_segment},
                               LogOptions(engine));
  if (!opened.ok()) return NotTheSettings(opened.status());
  log_ = *std::move(opened);
  for (int i = 0; i < shards_; ++i) {
    doors_.push_back(std::make_unique<Door>(log_->shard(ShardId(static_cast<uint16_t>(i)))));
  }
  published_log_.store(log_.get(), std::memory_order_release);
  settings_.OnChange(Setting::kFsync, [this] {
    log()->set_fsync(PolicyFrom(settings_), settings_.Int(Setting::kFsyncIntervalMs));
  });
  return absl::OkStatus();
}

wal::Log::Options NodeDurability::LogOptions(cache::Engine& engine) const {
  wal::Log::Options options;
  options.fsync = PolicyFrom(settings_);
  options.fsync_interval_ms = settings_.Int(Setting::kFsyncIntervalMs);
  options.segment_bytes = static_cast<uint64_t>(settings_.Int(Setting::kSegmentBytes));
  options.zstd = settings_.Choice<Compression>(Setting::kWalCompression) == Compression::kZstd;
  options.zstd_level = static_cast<int>(settings_.Int(Setting::kZstdLevel));
  // A turn is all that a shard needs: it looks at durable at the end of each.
  options.wake_shard = [&engine](ShardId shard) { engine.Post(shard, [](cache::Shard&) {}); };
  options.clock = &clock_;
  return options;
}

void NodeDurability::NoteLosses(const wal::Recovered& recovered) const {
  uint64_t lost = 0;
  for (const wal::DiscardedSpan& span : recovered.discarded) {
    lost += span.last.value() - span.first.value() + 1;
  }
  // By the sequences whoever knows what was acknowledged can tell how many records are missing.
  std::string positions;
  for (const wal::ShardPosition& shard : recovered.positions) {
    positions += fmt::format("{}{}", positions.empty() ? "" : ", ", shard.sequence.value());
  }
  Log(LogLevel::kInfo,
      fmt::format("recovered {}: {} records from snapshot {} and {} segments, up to {} by shard; "
                  "history {} {}",
                  directory_->path(), recovered.records, recovered.snapshot, recovered.segments,
                  positions, HistoryHex(recovered.history),
                  recovered.same_history ? "goes on" : "begins"));
  if (recovered.torn_bytes > 0 || lost > 0) {
    Log(LogLevel::kWarning,
        fmt::format("the last stop was not clean: {} bytes at the log's end were cut{}{}, and {} "
                    "records of unfinished transactions discarded",
                    recovered.torn_bytes, recovered.torn_saved_as.empty() ? "" : " (saved as ",
                    recovered.torn_saved_as.empty() ? "" : recovered.torn_saved_as + ")", lost));
  }
}

std::vector<replication::ShardPublisher::Beginning> NodeDurability::Beginnings() {
  CHECK(started());
  std::vector<replication::ShardPublisher::Beginning> beginnings;
  for (size_t i = 0; i < recovered_.positions.size(); ++i) {
    const wal::ShardPosition& at = recovered_.positions[i];
    beginnings.push_back({.history = recovered_.history,
                          .end = {at.sequence, at.digest},
                          .ancestors = AncestorsOf(recovered_, i),
                          .log = doors_[i].get()});
  }
  return beginnings;
}

std::unique_ptr<LogArchive> NodeDurability::MakeArchive() {
  CHECK(started());
  return std::make_unique<LogArchive>(
      *directory_, *log_, retention_,
      static_cast<uint64_t>(settings_.Int(Setting::kReplicaRetainBytes)));
}

absl::Status NodeDurability::StartServices(cache::Engine& engine, Shards shards) {
  // Before anything can be pruned: it knows the consumers that are away, and what they need.
  auto started = ExportService::Start(settings_, *directory_, *log_, retention_);
  if (!started.ok()) return started.status();
  export_service_ = *std::move(started);
  published_export_.store(export_service_.get(), std::memory_order_release);

  SnapshotService::Options options;
  options.schedule.every_ms = settings_.Int(Setting::kSnapshotEveryS) * 1000;
  options.schedule.min_writes = static_cast<uint64_t>(settings_.Int(Setting::kSnapshotMinWrites));
  options.zstd = settings_.Choice<Compression>(Setting::kWalCompression) == Compression::kZstd;
  options.zstd_level = static_cast<int>(settings_.Int(Setting::kZstdLevel));
  options.clock = &clock_;
  snapshot_service_ = std::make_unique<SnapshotService>(
      *directory_, retention_, SourcesFrom(engine, std::move(shards)), options);
  snapshot_service_->Start();
  published_snapshots_.store(snapshot_service_.get(), std::memory_order_release);
  FollowSettings();
  return absl::OkStatus();
}

void NodeDurability::FollowSettings() {
  for (const Setting id : {Setting::kSnapshotEveryS, Setting::kSnapshotMinWrites}) {
    settings_.OnChange(id, [this] {
      snapshot_service_->SetSchedule(
          settings_.Int(Setting::kSnapshotEveryS) * 1000,
          static_cast<uint64_t>(settings_.Int(Setting::kSnapshotMinWrites)));
    });
  }
  if (export_service_ == nullptr) return;
  for (const Setting id : {Setting::kExportToken, Setting::kExportTokenPrevious}) {
    settings_.OnChange(id, [this] { export_service_->OnTokensChanged(settings_); });
  }
}

int NodeDurability::export_port() const {
  const ExportService* const service = published_export_.load(std::memory_order_acquire);
  const bool listens = settings_.Choice<ExportMode>(Setting::kExportMode) == ExportMode::kListen;
  return service != nullptr && listens ? service->port() : 0;
}

SnapshotSources NodeDurability::SourcesFrom(cache::Engine& engine, Shards shards) {
  SnapshotSources sources;
  sources.shard_count = shards_;
  sources.history = recovered_.history;
  sources.request_chunks = [&engine, producer = shards.producer](
                               ShardId shard, replication::ChunkTargetRef target) {
    engine.Post(shard, [producer, target = std::move(target)](cache::Shard& on) {
      producer(on.id()).RequestChunks(target);
    });
  };
  sources.wake_shard = [&engine](ShardId shard) { engine.Post(shard, [](cache::Shard&) {}); };
  // Counted from the snapshot that was loaded: what was replayed behind it is in none.
  sources.writes = [assigned = shards.assigned, before = shards.assigned(),
                    replayed = recovered_.records] { return assigned() - before + replayed; };
  // The log's own, too: it moves faster than the node looks.
  sources.pressure = [this, node = shards.pressure] { return std::max(LogPressure(), node()); };
  wal::Log* const log = log_.get();
  sources.current_segment = [log] { return log->current_segment(); };
  sources.sync_through = [log](Watermarks target, std::function<void(absl::Status)> done) {
    log->SyncThrough(std::move(target), std::move(done));
  };
  sources.backup_hold = &backup_hold_;
  sources.durable_cut = [log] { return log->DurableCut(); };
  sources.log_state = [log]() -> absl::Status {
    if (log->state() == wal::LogState::kWriting) return absl::OkStatus();
    return absl::UnavailableError(log->cause());
  };
  return sources;
}

Pressure NodeDurability::LogPressure() const {
  int percent = 0;
  for (int i = 0; i < shards_; ++i) {
    percent = std::max(percent, utilisation_percent(ShardId(static_cast<uint16_t>(i))));
  }
  return NextPressure(Pressure::kNormal, percent, PressureThresholds());
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

bool NodeDurability::holds_replies() const {
  return settings_.Choice<Fsync>(Setting::kFsync) == Fsync::kAlways;
}

absl::StatusOr<uint64_t> NodeDurability::BeginBackup(int64_t for_ms) {
  return backup_hold_.Begin(clock_.MonotonicNanos() / 1'000'000, for_ms);
}

bool NodeDurability::EndBackup(uint64_t id) {
  return backup_hold_.End(id, clock_.MonotonicNanos() / 1'000'000);
}

void NodeDurability::ReadDurable(Watermarks* durable) const {
  wal::Log& log = *this->log();
  durable->resize(static_cast<size_t>(shards_));
  for (int i = 0; i < shards_; ++i) {
    (*durable)[static_cast<size_t>(i)] = log.durable(ShardId(static_cast<uint16_t>(i)));
  }
}

absl::Status NodeDurability::Close() {
  if (!started()) return absl::OkStatus();
  const absl::Status stopped = log_->Stop();
  // After the log: `durable` has its last value, and consumers get all of it.
  if (export_service_ != nullptr) export_service_->Stop();
  if (!stopped.ok()) return stopped;
  wal::Manifest manifest = directory_->manifest();
  manifest.clean_stop = log_->final_positions();
  return directory_->Save(std::move(manifest));
}

void NodeDurability::ShowLoading(RecoveryLoader* loader) {
  const std::lock_guard lock(loading_mutex_);
  loading_ = loader;
}

}  // namespace tidemark::server
