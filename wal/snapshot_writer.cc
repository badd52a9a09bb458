#include "wal/snapshot_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/crash_point.h"
#include "base/crc32c.h"
#include "base/log/log.h"
#include "wal/disk/whole_file.h"

namespace tidemark::wal {

SnapshotWriter::SnapshotWriter(const DataDirectory& directory, const SnapshotPlan& plan,
                               Options options)
    : directory_(directory),
      options_(std::move(options)),
      temporary_(directory.SnapshotTemporaryPath(plan.number)),
      final_(directory.SnapshotPath(plan.number)),
      manifest_{.directory = directory.id(),
                .number = plan.number,
                .history = plan.history,
                .first_segment = plan.first_segment,
                .begun_at_ms = plan.begun_at_ms,
                .completed_at_ms = 0,
                .shards = std::vector<SnapshotShard>(static_cast<size_t>(plan.shard_count))},
      files_(static_cast<size_t>(plan.shard_count)),
      shards_left_(plan.shard_count) {}

absl::StatusOr<std::unique_ptr<SnapshotWriter>> SnapshotWriter::Create(
    const DataDirectory& directory, const SnapshotPlan& plan, Options options) {
  CHECK(plan.number > 0 && plan.first_segment > 0);
  const absl::StatusOr<std::vector<uint64_t>> taken = directory.ListSnapshots();
  if (!taken.ok()) return taken.status();
  if (std::binary_search(taken->begin(), taken->end(), plan.number)) {
    return absl::AlreadyExistsError(
        fmt::format("{} is there already", directory.SnapshotPath(plan.number)));
  }
  auto writer =
      std::unique_ptr<SnapshotWriter>(new SnapshotWriter(directory, plan, std::move(options)));
  if (const absl::Status status = writer->CreateFiles(); !status.ok()) return status;
  return writer;
}

SnapshotWriter::~SnapshotWriter() {
  if (finished_) return;
  files_.clear();
  const absl::Status status = directory_.disk().RemoveTree(temporary_);
  if (status.ok()) return;
  const absl::string_view text = status.message();
  Log(LogLevel::kWarning,
      fmt::format("cannot remove an unfinished snapshot, the next start will: {}",
                  std::string_view(text.data(), text.size())));
}

absl::Status SnapshotWriter::CreateFiles() {
  Disk& disk = directory_.disk();
  // Nobody else makes this name: what is there, an attempt of ours could not remove.
  if (const absl::Status status = disk.RemoveTree(temporary_); !status.ok()) return status;
  if (const absl::Status status = disk.CreateDirectory(temporary_); !status.ok()) return status;
  for (size_t i = 0; i < files_.size(); ++i) {
    const ShardId shard(static_cast<uint16_t>(i));
    files_[i].path = fmt::format("{}/{}", temporary_, SnapshotShardName(shard));
    absl::StatusOr<std::unique_ptr<File>> file = disk.OpenFile(files_[i].path, Disk::Open::kCreate);
    if (!file.ok()) return file.status();
    files_[i].file = *std::move(file);
  }
  return absl::OkStatus();
}

absl::Status SnapshotWriter::Add(const Frame& chunk, Sequence needed_through) {
  CHECK(chunk.kind() == FrameKind::kSnapshotChunk && chunk.history() == manifest_.history);
  CHECK(chunk.shard_count() == files_.size());
  ShardFile& file = files_[chunk.shard().value()];
  SnapshotShard& shard = manifest_.shards[chunk.shard().value()];
  CHECK(chunk.is_first_chunk() == (shard.chunks == 0) && !file.last);
  const ShardPosition watermark{.sequence = chunk.last_sequence(), .digest = chunk.stream_digest()};
  if (chunk.is_first_chunk()) shard.watermark = watermark;
  CHECK(shard.watermark == watermark && needed_through >= watermark.sequence);

  const Frame& stored = options_.compress != nullptr ? options_.compress(chunk) : chunk;
  const std::string_view bytes = stored.bytes();
  if (const absl::Status status = file.file->WriteAt(shard.file_bytes, bytes); !status.ok()) {
    return status;
  }
  CrashPoint("snapshot.chunk_written");
  ++shard.chunks;
  shard.keys += chunk.record_count();
  shard.file_bytes += bytes.size();
  shard.file_crc32c = Crc32c(bytes, shard.file_crc32c);
  shard.complete_at = std::max(shard.complete_at, needed_through);
  bytes_ += bytes.size();
  file.unsynced_bytes += bytes.size();
  if (chunk.is_last_chunk()) {
    file.last = true;
    --shards_left_;
  }
  return file.unsynced_bytes >= options_.sync_every_bytes ? SyncFile(file) : absl::OkStatus();
}

absl::Status SnapshotWriter::SyncFile(ShardFile& file) {
  if (const absl::Status status = file.file->Sync(); !status.ok()) return status;
  file.unsynced_bytes = 0;
  return absl::OkStatus();
}

Watermarks SnapshotWriter::needed_through() const {
  DCHECK(complete());
  return manifest_.complete_at();
}

absl::Status SnapshotWriter::SyncFiles() {
  CHECK(complete());
  for (ShardFile& file : files_) {
    if (file.unsynced_bytes == 0) continue;
    if (const absl::Status status = SyncFile(file); !status.ok()) return status;
  }
  synced_ = true;
  CrashPoint("snapshot.files_synced");
  return absl::OkStatus();
}

absl::Status SnapshotWriter::Finish(const Watermarks& complete_at, int64_t now_ms) {
  CHECK(synced_ && complete_at.size() == files_.size());
  for (size_t i = 0; i < files_.size(); ++i) {
    // Restoring to less would show a state that never was.
    CHECK(complete_at[i] >= manifest_.shards[i].complete_at);
    manifest_.shards[i].complete_at = complete_at[i];
  }
  manifest_.completed_at_ms = now_ms;
  Disk& disk = directory_.disk();
  // Syncs the names of the shards' files too, which are in the same directory.
  absl::Status status =
      WriteFileAtomically(disk, fmt::format("{}/{}", temporary_, kSnapshotManifestName),
                          EncodeSnapshotManifest(manifest_));
  if (!status.ok()) return status;
  CrashPoint("snapshot.manifest_written");
  if (status = disk.Rename(temporary_, final_); !status.ok()) return status;
  CrashPoint("snapshot.renamed");
  if (status = directory_.Sync(); !status.ok()) return status;
  finished_ = true;
  return absl::OkStatus();
}

}  // namespace tidemark::wal
