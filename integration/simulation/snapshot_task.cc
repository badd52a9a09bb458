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

SnapshotTask::SnapshotTask(NodeTime* time, const wal::DataDirectory& directory,
                           wal::Retention& retention, SimulatedLog& log)
    : time_(time), directory_(directory), retention_(retention), log_(log) {}

SnapshotTask::~SnapshotTask() {
  if (queue_ != nullptr) queue_->Cancel();
}

void SnapshotTask::Begin(const RequestChunks& request_chunks) {
  if (writer_ != nullptr || log_.state() != wal::LogState::kWriting) return;
  const auto taken = directory_.ListSnapshots();
  if (!taken.ok()) return Fail();
  const int shards = static_cast<int>(log_.shard_count());
  auto writer = wal::SnapshotWriter::Create(
      directory_,
      {.number = taken->empty() ? 1 : taken->back() + 1,
       .history = log_.history(),
       .shard_count = shards,
       // Before any shard is asked: what it writes after its watermark is there or later.
       .first_segment = log_.current_segment(),
       .begun_at_ms = time_->UnixMillis()},
      {.sync_every_bytes = 4 << 10, .compress = nullptr});
  if (!writer.ok()) return Fail();
  writer_ = *std::move(writer);
  queue_ = std::make_shared<replication::ChunkQueue>(
      replication::ChunkQueue::Options{.shard_count = shards,
                                       .walk_bytes = kWalkBytes,
                                       .max_displaced_bytes = kMaxDisplacedBytes,
                                       .wake_shard = [](ShardId) {}});
  for (int shard = 0; shard < shards; ++shard) {
    request_chunks(ShardId(static_cast<uint16_t>(shard)), queue_);
  }
  Poll();
}

void SnapshotTask::Poll() {
  if (const absl::Status s = WriteWhatCame(); !s.ok()) return Fail();
  if (writer_->complete()) return SyncLog();
  time_->In(kPollUs, [this] { Poll(); });
}

absl::Status SnapshotTask::WriteWhatCame() {
  std::vector<replication::ChunkQueue::Chunk> chunks;
  if (!queue_->Wait(std::chrono::steady_clock::time_point(), &chunks)) {
    return absl::ResourceExhaustedError("entries changed faster than they could be written");
  }
  for (const auto& chunk : chunks) {
    if (absl::Status s = writer_->Add(*chunk.frame, chunk.needed_through); !s.ok()) return s;
  }
  if (log_.state() == wal::LogState::kWriting) return absl::OkStatus();
  return absl::UnavailableError("the log cannot write");
}

void SnapshotTask::SyncLog() {
  if (const absl::Status s = writer_->SyncFiles(); !s.ok()) return Fail();
  log_.SyncThrough(writer_->needed_through(), [this](absl::Status synced) { Finish(synced); });
}

void SnapshotTask::Finish(const absl::Status& synced) {
  if (!synced.ok()) return Fail();
  if (!writer_->Finish(log_.DurableCut(), time_->UnixMillis()).ok()) return Fail();
  writer_ = nullptr;
  ++counts_.completed;
  const auto pruned = wal::Pruner(directory_, retention_, {.keep_snapshots = 2}).Run();
  if (pruned.ok()) counts_.pruned_segments += pruned->segments;
}

void SnapshotTask::Fail() {
  if (queue_ != nullptr) queue_->Cancel();
  writer_ = nullptr;
  ++counts_.failed;
}

}  // namespace tidemark::simulation
