#include "integration/simulation/snapshot_task.h"

#include <chrono>
#include <utility>
#include <vector>

#include "wal/pruner.h"

namespace tidemark::simulation {
namespace {

// Small, so that walks pause and displaced entries overflow.
constexpr size_t kWalkBytes = 8 << 10;
constexpr size_t kMaxDisplacedBytes = 24 << 10;
constexpr int64_t kPollUs = 1'000;

}  // namespace

SnapshotTask::~SnapshotTask() {
  if (queue_ != nullptr) queue_->Cancel();
}

void SnapshotTask::Open(int shards) {
  running_ = true;
  ++number_;
  router_.reset();
  queue_ = std::make_shared<replication::ChunkQueue>(
      replication::ChunkQueue::Options{.shard_count = shards,
                                       .walk_bytes = kWalkBytes,
                                       .max_displaced_bytes = kMaxDisplacedBytes,
                                       .wake_shard = [](ShardId) {}});
}

absl::Status SnapshotTask::Create(HistoryId history, int shards, uint64_t first_segment) {
  const auto taken = store_.directory().ListSnapshots();
  if (!taken.ok()) return taken.status();
  auto writer = wal::SnapshotWriter::Create(store_.directory(),
                                            {.number = taken->empty() ? 1 : taken->back() + 1,
                                             .history = history,
                                             .shard_count = shards,
                                             .first_segment = first_segment,
                                             .begun_at_ms = events_.time().UnixMillis()},
                                            {.sync_every_bytes = 4 << 10, .compress = nullptr});
  if (!writer.ok()) return writer.status();
  writer_ = *std::move(writer);
  return absl::OkStatus();
}

void SnapshotTask::Begin(
    const std::function<void(ShardId, replication::ChunkTargetRef)>& request_chunks) {
  if (running_) return;
  log_ = store_.log();
  if (log_->state() != wal::LogState::kWriting) return;
  const int shards = static_cast<int>(log_->shard_count());
  Open(shards);
  // The segment first: what a shard writes after its watermark is there or later.
  if (const absl::Status s = Create(log_->history(), shards, log_->current_segment()); !s.ok()) {
    return End(s);
  }
  for (int shard = 0; shard < shards; ++shard) {
    request_chunks(ShardId(static_cast<uint16_t>(shard)), queue_);
  }
  Poll();
}

void SnapshotTask::BeginAtCut(int own_shards,
                              const std::function<void(QueueRef, CutKnown)>& request_cut) {
  if (running_) return;
  log_ = store_.log();
  if (log_ == nullptr || log_->state() != wal::LogState::kWriting) return;
  Open(own_shards);
  request_cut(queue_, [this, alive = events_.alive(), number = number_,
                       own_shards](absl::StatusOr<replication::ReplicaPosition> at) {
    if (!*alive || !running_ || number != number_) return;
    const absl::Status begun = at.ok() ? OnCut(*at, own_shards) : at.status();
    begun.ok() ? Poll() : End(begun);
  });
}

absl::Status SnapshotTask::OnCut(const replication::ReplicaPosition& at, int own_shards) {
  // As NodeDurability::CutFor.
  log_ = store_.log();
  if (log_ == nullptr || log_->history() != at.history || log_->shard_count() != at.shards.size()) {
    return absl::UnavailableError("the log is of another stream than what is served");
  }
  Watermarks applied;
  for (const replication::ShardPosition& shard : at.shards) applied.push_back(shard.sequence);
  const std::optional<uint64_t> segment = log_->SegmentAfter(applied);
  if (!segment.has_value()) return absl::UnavailableError("not all of the log is applied yet");
  router_.emplace(replication::ChunkRouter::Options{.at = at,
                                                    .own_shards = own_shards,
                                                    .chunk_bytes = 4 << 10,
                                                    .now_ms = events_.time().UnixMillis()});
  return Create(at.history, static_cast<int>(at.shards.size()), *segment);
}

void SnapshotTask::Poll() {
  if (const absl::Status s = WriteWhatCame(); !s.ok()) return End(s);
  if (router_.has_value() ? router_->complete() : writer_->complete()) return SyncLog();
  events_.In(kPollUs, [this] { Poll(); });
}

absl::Status SnapshotTask::WriteWhatCame() {
  std::vector<replication::ChunkQueue::Chunk> chunks;
  if (!queue_->Wait(std::chrono::steady_clock::time_point(), &chunks)) {
    return absl::ResourceExhaustedError("entries changed faster than they could be written");
  }
  for (const auto& chunk : chunks) {
    const absl::Status added =
        router_.has_value() ? router_->Add(*chunk.frame,
                                           [&](FrameRef routed) {
                                             return writer_->Add(*routed, routed->last_sequence());
                                           })
                            : writer_->Add(*chunk.frame, chunk.needed_through);
    if (!added.ok()) return added;
  }
  if (log_->state() == wal::LogState::kWriting) return absl::OkStatus();
  return absl::UnavailableError("the log cannot write");
}

void SnapshotTask::SyncLog() {
  if (const absl::Status s = writer_->SyncFiles(); !s.ok()) return End(s);
  log_->SyncThrough(writer_->needed_through(),
                    [this, alive = events_.alive(), number = number_](absl::Status synced) {
                      if (!*alive || number != number_ || !running_) return;
                      // Not from within the log's own step.
                      events_.In(1, [this, synced] { End(synced.ok() ? Finish() : synced); });
                    });
}

absl::Status SnapshotTask::Finish() {
  const int64_t now_ms = events_.time().UnixMillis();
  if (!router_.has_value()) return writer_->Finish(log_->DurableCut(), now_ms);
  return store_.keeper().PutSnapshot(
      *log_, [&] { return writer_->Finish(writer_->needed_through(), now_ms); });
}

void SnapshotTask::End(const absl::Status& result) {
  if (!std::exchange(running_, false)) return;
  queue_->Cancel();
  writer_ = nullptr;
  log_ = nullptr;
  if (!result.ok()) {
    ++counts_.failed;
    last_failure_ = result;
    return;
  }
  ++counts_.completed;
  const auto pruned =
      wal::Pruner(store_.directory(), store_.retention(), {.keep_snapshots = 2}).Run();
  if (pruned.ok()) counts_.pruned_segments += pruned->segments;
}

}  // namespace tidemark::simulation
