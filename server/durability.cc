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
#include "server/shard_calls.h"
#include "wal/discarded.h"

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

NodeDurability::NodeDurability(Settings& settings, int shards, wal::Disk& disk, const Clock& clock,
                               Minter minter)
    : settings_(settings), shards_(shards), disk_(disk), clock_(clock), minter_(minter) {}

NodeDurability::~NodeDurability() {
  // The keeper's log may wake the stream until it has stopped.
  if (stream_ != nullptr) stream_->Stop();
  keeper_.reset();
}

absl::Status NodeDurability::Open() {
  auto directory = wal::DataDirectory::Open(disk_, settings_.String(Setting::kDataDir),
                                            wal::DirectoryId(RandomId()));
  if (!directory.ok()) return NotTheSettings(directory.status());
  directory_ = std::move(*directory);
  node_id_ = directory_->manifest().node_id;
  if (node_id_ == 0) node_id_ = RandomId();
  return absl::OkStatus();
}

absl::Status NodeDurability::KeepNodeId() {
  wal::Manifest manifest = directory_->manifest();
  if (manifest.node_id == node_id_) return absl::OkStatus();
  manifest.node_id = node_id_;
  return directory_->Save(std::move(manifest));
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
    options.follow = minter_ == Minter::kPrimary;
    ShowLoading(&loader);
    auto recovered = wal::Recover(*directory_, options, sink, &loader.progress());
    ShowLoading(nullptr);
    if (!recovered.ok()) return NotTheSettings(recovered.status());
    recovered_ = *std::move(recovered);
  }
  NoteLosses(recovered_);
  if (const absl::Status kept = KeepNodeId(); !kept.ok()) return kept;

  keeper_ = std::make_unique<wal::StreamKeeper>(*directory_, LogOptions(engine));
  if (const absl::Status begun = keeper_->Begin(recovered_); !begun.ok()) {
    return NotTheSettings(begun);
  }
  recovered_.beyond.clear();  // The log has them.
  if (minter_ == Minter::kPrimary) {
    FindRecoveredStream(engine);
    Follow(recovered_stream_.held);
  } else {
    UseOwnLog();
  }
  uncovered_writes_ = recovered_.records;  // What was replayed behind the snapshot that was loaded.
  published_keeper_.store(keeper_.get(), std::memory_order_release);
  FollowSettings();
  return absl::OkStatus();
}

void NodeDurability::FollowSettings() {
  settings_.OnChange(Setting::kFsync, [this] {
    keeper_->SetFsync(PolicyFrom(settings_), settings_.Int(Setting::kFsyncIntervalMs));
  });
  for (const Setting id : {Setting::kSnapshotEveryS, Setting::kSnapshotMinWrites}) {
    settings_.OnChange(id, [this] { ApplySchedule(); });
  }
  for (const Setting id : {Setting::kExportToken, Setting::kExportTokenPrevious}) {
    settings_.OnChange(id, [this] {
      if (ExportService* const service = exports()) service->OnTokensChanged(settings_);
    });
  }
}

void NodeDurability::ApplySchedule() {
  SnapshotService* const service = snapshots();
  if (service == nullptr) return;  // One that starts later reads the settings itself.
  service->SetSchedule(settings_.Int(Setting::kSnapshotEveryS) * 1000,
                       static_cast<uint64_t>(settings_.Int(Setting::kSnapshotMinWrites)));
}

void NodeDurability::UseOwnLog() {
  log_ = keeper_->log();
  doors_.clear();
  for (int i = 0; i < shards_; ++i) {
    doors_.push_back(std::make_unique<Door>(log_->shard(ShardId(static_cast<uint16_t>(i)))));
  }
  published_log_.store(log_.get(), std::memory_order_release);
}

void NodeDurability::LeaveOwnLog(cache::Engine& engine) {
  if (log_ == nullptr) return;
  published_log_.store(nullptr, std::memory_order_release);
  RunOnShards(engine, [](cache::Shard&) {});  // None has it in its hands now.
  doors_.clear();
  log_.reset();
}

std::vector<replication::FrameLog*> NodeDurability::logs() {
  std::vector<replication::FrameLog*> logs;
  for (const auto& door : doors_) logs.push_back(door.get());
  return logs;
}

void NodeDurability::KeepDiscarded(const replication::ReplicaPosition& held,
                                   const Watermarks& after) {
  std::string spans;
  uint64_t records = 0;
  for (size_t i = 0; i < held.shards.size(); ++i) {
    const uint64_t last = held.shards[i].sequence.value();
    if (last <= after[i].value()) continue;
    records += last - after[i].value();
    spans += fmt::format("{} shard {}: {} to {}", spans.empty() ? "" : ",", i, after[i].value() + 1,
                         last);
  }
  discarded_records_.fetch_add(records, std::memory_order_relaxed);
  const auto saved = wal::SaveDiscarded(*directory_, held.history, after, {});
  std::string where;
  if (!saved.ok()) {
    where = "could not be saved: " + std::string(saved.status().message());
  } else if (saved->path.empty()) {
    where = "the log holds none of them any more";
  } else {
    where = fmt::format(
        "{} saved, see tidectl log dump {}",
        saved->complete ? "they are" : "the newest, as far as the log had them, are", saved->path);
  }
  Log(LogLevel::kWarning,
      fmt::format("a full sync takes the place of records of history {} that the primary need not "
                  "have:{}; {}",
                  HistoryHex(held.history), spans, where));
}

void NodeDurability::FindRecoveredStream(cache::Engine& engine) {
  recovered_stream_.keys.resize(static_cast<size_t>(shards_));
  RunOnShards(engine, [this](cache::Shard& shard) {
    recovered_stream_.keys[shard.id().value()] = shard.keyspace().size();
  });
  recovered_stream_.start.history = recovered_.history;
  for (const wal::ShardPosition& border : recovered_.borders) {
    recovered_stream_.start.shards.push_back({border.sequence, border.digest});
  }
  recovered_stream_.held = wal::SequencesOf(recovered_.positions);
  for (const wal::Recovered::Ancestor& ancestor : recovered_.ancestors) {
    // One of another number of shards is none of these sequences.
    if (ancestor.fork.size() != recovered_.positions.size()) {
      recovered_stream_.ancestors.clear();
      continue;
    }
    recovered_stream_.ancestors.push_back({ancestor.history, wal::SequencesOf(ancestor.fork)});
  }
}

wal::Log::Options NodeDurability::LogOptions(cache::Engine& engine) {
  wal::Log::Options options;
  options.fsync = PolicyFrom(settings_);
  options.fsync_interval_ms = settings_.Int(Setting::kFsyncIntervalMs);
  options.segment_bytes = static_cast<uint64_t>(settings_.Int(Setting::kSegmentBytes));
  options.zstd = settings_.Choice<Compression>(Setting::kWalCompression) == Compression::kZstd;
  options.zstd_level = static_cast<int>(settings_.Int(Setting::kZstdLevel));
  options.wake_shard = [this, &engine](ShardId shard) {
    // Its primary's shards: the link thread stands for all of them.
    FollowedStream* const stream = published_stream_.load(std::memory_order_acquire);
    if (stream != nullptr) return stream->Wake();
    // A turn is all that a shard needs: it looks at durable at the end of each.
    if (shard.value() < shards_) engine.Post(shard, [](cache::Shard&) {});
  };
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
  const std::string history = recovered.history == HistoryId()
                                  ? "no history yet"
                                  : fmt::format("up to {} by shard; history {} {}", positions,
                                                HistoryHex(recovered.history),
                                                recovered.same_history ? "goes on" : "begins");
  Log(LogLevel::kInfo, fmt::format("recovered {}: {} records from snapshot {} and {} segments, {}",
                                   directory_->path(), recovered.records, recovered.snapshot,
                                   recovered.segments, history));
  if (recovered.dropped_restart) {
    Log(LogLevel::kWarning,
        fmt::format("{}: a full sync was under way that was not yet whole on disk; what was there "
                    "before it is back",
                    directory_->path()));
  }
  if (minter_ == Minter::kThisNode && recovered.was_follower) {
    Log(LogLevel::kWarning,
        fmt::format("{}: it was a replica's; this node is a primary now, and its writes begin a "
                    "history of their own",
                    directory_->path()));
  }
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
      *directory_, log_, retention_,
      static_cast<uint64_t>(settings_.Int(Setting::kReplicaRetainBytes)));
}

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

int NodeDurability::export_port() const {
  const ExportService* const service = published_export_.load(std::memory_order_acquire);
  const bool listens = settings_.Choice<ExportMode>(Setting::kExportMode) == ExportMode::kListen;
  return service != nullptr && listens ? service->port() : 0;
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

Pressure NodeDurability::LogPressure() const {
  const std::shared_ptr<wal::Log> log = keeper_->log();
  int percent = 0;
  for (size_t i = 0; log != nullptr && i < log->shard_count(); ++i) {
    const ShardId shard(static_cast<uint16_t>(i));
    percent = std::max(percent, log->shard(shard).utilisation_percent());
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

absl::StatusOr<uint64_t> NodeDurability::BeginBackup(int64_t for_ms) {
  return backup_hold_.Begin(clock_.MonotonicNanos() / 1'000'000, for_ms);
}

bool NodeDurability::EndBackup(uint64_t id) {
  return backup_hold_.End(id, clock_.MonotonicNanos() / 1'000'000);
}

void NodeDurability::ReadDurable(Watermarks* durable) const {
  const wal::Log* const log = this->log();
  durable->assign(static_cast<size_t>(shards_), Sequence());
  for (int i = 0; log != nullptr && i < shards_; ++i) {
    (*durable)[static_cast<size_t>(i)] = log->durable(ShardId(static_cast<uint16_t>(i)));
  }
}

absl::StatusOr<NodeDurability::DurablePosition> NodeDurability::Durable() const {
  wal::StreamKeeper* const keeper = published_keeper_.load(std::memory_order_acquire);
  const std::shared_ptr<wal::Log> log = keeper == nullptr ? nullptr : keeper->log();
  if (log == nullptr) return absl::UnavailableError("nothing is kept on this node's disk yet");
  if (keeper->restarting()) {
    return absl::UnavailableError("a full sync is not yet whole on this node's disk");
  }
  return DurablePosition{.history = log->history(), .durable = log->DurableCut()};
}

absl::Status NodeDurability::Close() {
  if (keeper_ == nullptr) return absl::OkStatus();
  if (stream_ != nullptr) stream_->Stop();
  const absl::Status closed = keeper_->Close();
  // After the log: `durable` has its last value, and consumers get all of it.
  if (export_service_ != nullptr) export_service_->Stop();
  return closed;
}

void NodeDurability::ShowLoading(RecoveryLoader* loader) {
  const std::lock_guard lock(loading_mutex_);
  loading_ = loader;
}

}  // namespace tidemark::server
