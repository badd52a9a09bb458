#include "wal/snapshot_manifest.h"

#include <absl/strings/string_view.h>
#include <fmt/format.h>

#include "absl/status/status.h"
#include "base/check.h"
#include "base/format/frame.h"
#include "wal/format/envelope.h"
#include "wal/snapshot_manifest.pb.h"

namespace tidemark::wal {
namespace {

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(fmt::format("the snapshot's manifest is damaged: {}", what));
}

// What no writer would store. Null: all is well.
const char* ProblemIn(const SnapshotManifest& manifest) {
  if (manifest.directory == DirectoryId()) return "it names no data directory";
  if (manifest.number == 0) return "its number is 0";
  if (manifest.history == HistoryId()) return "it names no history";
  if (manifest.first_segment == 0) return "its first segment is 0";
  if (manifest.shards.empty()) return "it has no shards";
  if (manifest.shards.size() > static_cast<size_t>(kMaxShards)) return "it has too many shards";
  for (const SnapshotShard& shard : manifest.shards) {
    if (shard.complete_at < shard.watermark.sequence) return "complete_at is before a watermark";
    if (shard.chunks == 0) return "a shard has no chunk";
    // Divided, not multiplied: these numbers may be anything.
    if (shard.file_bytes / kFrameHeaderBytes < shard.chunks) return "a file is too short";
  }
  return nullptr;
}

}  // namespace

std::string SnapshotShardName(ShardId shard) { return fmt::format("shard-{:04}", shard.value()); }

Positions SnapshotManifest::watermarks() const {
  Positions result;
  result.reserve(shards.size());
  for (const SnapshotShard& shard : shards) result.push_back(shard.watermark);
  return result;
}

Watermarks SnapshotManifest::complete_at() const {
  Watermarks result;
  result.reserve(shards.size());
  for (const SnapshotShard& shard : shards) result.push_back(shard.complete_at);
  return result;
}

uint64_t SnapshotManifest::keys() const {
  uint64_t sum = 0;
  for (const SnapshotShard& shard : shards) sum += shard.keys;
  return sum;
}

uint64_t SnapshotManifest::bytes() const {
  uint64_t sum = 0;
  for (const SnapshotShard& shard : shards) sum += shard.file_bytes;
  return sum;
}

std::string EncodeSnapshotManifest(const SnapshotManifest& manifest) {
  DCHECK(ProblemIn(manifest) == nullptr);
  proto::SnapshotManifest message;
  message.set_version(kSnapshotVersion);
  message.set_directory_id(manifest.directory.value());
  message.set_number(manifest.number);
  message.set_history(manifest.history.value());
  message.set_first_segment(manifest.first_segment);
  message.set_begun_at_ms(manifest.begun_at_ms);
  message.set_completed_at_ms(manifest.completed_at_ms);
  for (const SnapshotShard& shard : manifest.shards) {
    proto::SnapshotShard& stored = *message.add_shards();
    stored.set_sequence(shard.watermark.sequence.value());
    stored.set_digest(shard.watermark.digest);
    stored.set_complete_at(shard.complete_at.value());
    stored.set_keys(shard.keys);
    stored.set_chunks(shard.chunks);
    stored.set_file_bytes(shard.file_bytes);
    stored.set_file_crc32c(shard.file_crc32c);
  }
  return Seal(EnvelopeKind::kSnapshotManifest, message.SerializeAsString());
}

absl::StatusOr<SnapshotManifest> DecodeSnapshotManifest(std::string_view file) {
  const absl::StatusOr<std::string_view> message = Unseal(EnvelopeKind::kSnapshotManifest, file);
  if (!message.ok()) return message.status();
  proto::SnapshotManifest stored;
  if (!stored.ParseFromArray(message->data(), static_cast<int>(message->size()))) {
    return Damaged("it is no message of its kind");
  }
  if (stored.version() != kSnapshotVersion) {
    return absl::InvalidArgumentError(
        fmt::format("the snapshot's manifest is of version {}; this node knows {}",
                    stored.version(), kSnapshotVersion));
  }
  SnapshotManifest manifest{
      .directory = DirectoryId(stored.directory_id()),
      .number = stored.number(),
      .history = HistoryId(stored.history()),
      .first_segment = stored.first_segment(),
      .begun_at_ms = stored.begun_at_ms(),
      .completed_at_ms = stored.completed_at_ms(),
      .shards = {},
  };
  manifest.shards.reserve(static_cast<size_t>(stored.shards_size()));
  for (const proto::SnapshotShard& shard : stored.shards()) {
    manifest.shards.push_back({
        .watermark = {.sequence = Sequence(shard.sequence()), .digest = shard.digest()},
        .complete_at = Sequence(shard.complete_at()),
        .keys = shard.keys(),
        .chunks = shard.chunks(),
        .file_bytes = shard.file_bytes(),
        .file_crc32c = shard.file_crc32c(),
    });
  }
  if (const char* problem = ProblemIn(manifest)) return Damaged(problem);
  return manifest;
}

}  // namespace tidemark::wal
