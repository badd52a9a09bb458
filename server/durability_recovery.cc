// What NodeDurability does when the node starts.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log/log.h"
#include "base/random_id.h"
#include "server/durability.h"
#include "server/history_text.h"
#include "server/recovery_loader.h"
#include "server/shard_calls.h"
#include "server/stream_positions.h"

namespace tidemark::server {
namespace {

// A shard takes all that waits for it in one turn, and clients are told LOADING between turns: far
// more than the reader needs to stay ahead, and some tens of milliseconds of a shard's time.
constexpr size_t kLoadingBytesInFlight = 8 << 20;

// A directory that cannot be used is not a wrong setting, whatever the code below says.
absl::Status NotTheSettings(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kInvalidArgument) return status;
  return absl::FailedPreconditionError(status.message());
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

absl::Status NodeDurability::Open() {
  auto directory = wal::DataDirectory::Open(disk_, settings_.String(Setting::kDataDir),
                                            wal::DirectoryId(RandomId()));
  if (!directory.ok()) return NotTheSettings(directory.status());
  directory_ = std::move(*directory);
  node_id_ = directory_->manifest().node_id;
  if (node_id_ == 0) node_id_ = RandomId();
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
    Follow();
  } else {
    UseOwnLog();
  }
  uncovered_writes_ = recovered_.records;  // What was replayed behind the snapshot that was loaded.
  published_keeper_.store(keeper_.get(), std::memory_order_release);
  FollowSettings();
  return absl::OkStatus();
}

absl::Status NodeDurability::KeepNodeId() {
  wal::Manifest manifest = directory_->manifest();
  if (manifest.node_id == node_id_) return absl::OkStatus();
  manifest.node_id = node_id_;
  return directory_->Save(std::move(manifest));
}

void NodeDurability::FindRecoveredStream(cache::Engine& engine) {
  recovered_stream_.keys.resize(static_cast<size_t>(shards_));
  RunOnShards(engine, [this](cache::Shard& shard) {
    recovered_stream_.keys[shard.id().value()] = shard.keyspace().size();
  });
  recovered_stream_.start.history = recovered_.history;
  for (const wal::ShardPosition& border : recovered_.borders) {
    recovered_stream_.start.shards.push_back(LinkPositionOf(border));
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

void NodeDurability::ShowLoading(RecoveryLoader* loader) {
  const std::lock_guard lock(loading_mutex_);
  loading_ = loader;
}

std::vector<replication::ShardPublisher::Beginning> NodeDurability::Beginnings() {
  CHECK(started());
  const std::vector<replication::FrameLog*> logs = this->logs();
  std::vector<replication::ShardPublisher::Beginning> beginnings;
  for (size_t i = 0; i < recovered_.positions.size(); ++i) {
    const wal::ShardPosition& at = recovered_.positions[i];
    beginnings.push_back({.history = recovered_.history,
                          .end = {at.sequence, at.digest},
                          .ancestors = AncestorsOf(recovered_, i),
                          .log = logs[i]});
  }
  return beginnings;
}

}  // namespace tidemark::server
