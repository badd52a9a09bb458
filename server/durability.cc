#include "server/durability.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log/log.h"
#include "server/history_text.h"
#include "server/shard_calls.h"
#include "wal/discarded.h"

namespace tidemark::server {
namespace {

// The latest frames of the log that stay in memory for its readers take no more than this part of
// `maxmemory`.
constexpr uint64_t kLeastMemoryPerTail = 16;

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

NodeDurability::NodeDurability(Settings& settings, int shards, wal::Disk& disk, const Clock& clock,
                               Minter minter)
    : settings_(settings), shards_(shards), disk_(disk), clock_(clock), minter_(minter) {}

NodeDurability::~NodeDurability() {
  // The keeper's log may wake the stream until it has stopped.
  if (stream_ != nullptr) stream_->Stop();
  keeper_.reset();
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
  // It counts, but gives no room when writes wait for some: it always has the latest. Under a small
  // limit it would leave the keyspaces less than their keys take, and writes would be refused.
  const auto maxmemory = static_cast<uint64_t>(settings_.Int(Setting::kMaxmemory));
  if (maxmemory != 0) {
    options.tail_bytes = std::min<size_t>(options.tail_bytes, maxmemory / kLeastMemoryPerTail);
  }
  return options;
}

std::unique_ptr<LogArchive> NodeDurability::MakeArchive() {
  CHECK(started());
  return std::make_unique<LogArchive>(
      *directory_, log_, retention_,
      static_cast<uint64_t>(settings_.Int(Setting::kReplicaRetainBytes)));
}

int NodeDurability::export_port() const {
  const ExportService* const service = published_export_.load(std::memory_order_acquire);
  const bool listens = settings_.Choice<ExportMode>(Setting::kExportMode) == ExportMode::kListen;
  return service != nullptr && listens ? service->port() : 0;
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

}  // namespace tidemark::server
