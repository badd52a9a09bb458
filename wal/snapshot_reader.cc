#include "wal/snapshot_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/crc32c.h"
#include "wal/disk/whole_file.h"
#include "wal/format/envelope.h"

namespace tidemark::wal {
namespace {

constexpr size_t kBlockBytes = 1 << 20;

absl::Status In(const std::string& path, const absl::Status& problem) {
  const absl::string_view text = problem.message();
  return absl::Status(problem.code(),
                      fmt::format("{}: {}", path, std::string_view(text.data(), text.size())));
}

}  // namespace

// --- One shard's file ---

SnapshotShardReader::SnapshotShardReader(std::unique_ptr<File> file, std::string path,
                                         HistoryId history, ShardId shard, size_t shard_count,
                                         const SnapshotShard& expected)
    : file_(std::move(file)),
      path_(std::move(path)),
      history_(history),
      shard_(shard),
      shard_count_(shard_count),
      expected_(expected),
      block_(std::make_unique_for_overwrite<char[]>(kBlockBytes)) {}

absl::StatusOr<FrameRef> SnapshotShardReader::Next() {
  if (!failure_.ok()) return failure_;
  while (true) {
    if (unread_.empty()) {
      if (next_block_at_ == expected_.file_bytes) {
        if (const absl::Status status = CheckEnd(); !status.ok()) return Fail(status);
        return FrameRef();
      }
      if (const absl::Status status = ReadBlock(); !status.ok()) return Fail(status);
    }
    absl::StatusOr<FrameRef> chunk = decoder_.Next(&unread_);
    if (!chunk.ok()) return Fail(In(path_, chunk.status()));
    if (*chunk == nullptr) continue;
    if (const absl::Status status = CheckChunk(**chunk); !status.ok()) return Fail(status);
    ++chunks_;
    keys_ += (*chunk)->record_count();
    ended_ = (*chunk)->is_last_chunk();
    return chunk;
  }
}

absl::Status SnapshotShardReader::ReadBlock() {
  const size_t wanted = std::min<uint64_t>(kBlockBytes, expected_.file_bytes - next_block_at_);
  const absl::StatusOr<size_t> got = file_->ReadAt(next_block_at_, wanted, block_.get());
  if (!got.ok()) return got.status();
  if (*got != wanted) return Damaged("the file ends too early");
  unread_ = {block_.get(), wanted};
  crc32c_ = Crc32c(unread_, crc32c_);
  next_block_at_ += wanted;
  return absl::OkStatus();
}

absl::Status SnapshotShardReader::CheckChunk(const Frame& chunk) const {
  if (chunk.kind() != FrameKind::kSnapshotChunk) return Damaged("a frame is no snapshot chunk");
  if (chunk.history() != history_) return Damaged("a chunk is of another history");
  if (chunk.shard() != shard_ || chunk.shard_count() != shard_count_) {
    return Damaged(fmt::format("a chunk is of shard {} of {}, not {} of {}", chunk.shard().value(),
                               chunk.shard_count(), shard_.value(), shard_count_));
  }
  if (chunk.last_sequence() != expected_.watermark.sequence ||
      chunk.stream_digest() != expected_.watermark.digest) {
    return Damaged("a chunk is of another watermark");
  }
  if (ended_) return Damaged("a chunk follows the last");
  if (chunk.is_first_chunk() != (chunks_ == 0)) {
    return Damaged(chunks_ == 0 ? "the first chunk is missing" : "the first chunk is repeated");
  }
  return absl::OkStatus();
}

absl::Status SnapshotShardReader::CheckEnd() const {
  if (!decoder_.at_boundary()) return Damaged("the file ends within a chunk");
  if (!ended_) return Damaged("the last chunk is missing");
  if (chunks_ != expected_.chunks || keys_ != expected_.keys) {
    return Damaged(fmt::format("the file has {} keys in {} chunks, its manifest {} in {}", keys_,
                               chunks_, expected_.keys, expected_.chunks));
  }
  if (crc32c_ != expected_.file_crc32c) return Damaged("the file's checksum is wrong");
  return absl::OkStatus();
}

absl::Status SnapshotShardReader::Damaged(std::string_view what) const {
  return absl::DataLossError(
      fmt::format("{}: {}, at or before byte {}", path_, what, decoder_.consumed_bytes()));
}

absl::StatusOr<FrameRef> SnapshotShardReader::Fail(absl::Status problem) {
  failure_ = std::move(problem);
  return failure_;
}

// --- The snapshot ---

absl::StatusOr<std::unique_ptr<SnapshotReader>> SnapshotReader::Open(Disk& disk,
                                                                     const std::string& path,
                                                                     const Expectations& expected) {
  const std::string manifest_path = fmt::format("{}/{}", path, kSnapshotManifestName);
  const absl::StatusOr<std::string> file =
      ReadWholeFile(disk, manifest_path, kMaxEnvelopeFileBytes);
  if (absl::IsNotFound(file.status()) || absl::IsResourceExhausted(file.status())) {
    const absl::string_view text = file.status().message();
    return absl::DataLossError(std::string(text.data(), text.size()));
  }
  if (!file.ok()) return file.status();
  absl::StatusOr<SnapshotManifest> manifest = DecodeSnapshotManifest(*file);
  if (!manifest.ok()) return In(manifest_path, manifest.status());
  if (manifest->directory != expected.directory) {
    return absl::DataLossError(
        fmt::format("{}: the snapshot is of another node's data directory", manifest_path));
  }
  if (manifest->number != expected.number) {
    return absl::DataLossError(fmt::format("{}: the snapshot is number {}, under another's name",
                                           manifest_path, manifest->number));
  }
  auto reader =
      std::unique_ptr<SnapshotReader>(new SnapshotReader(disk, path, *std::move(manifest)));
  for (size_t i = 0; i < reader->manifest().shards.size(); ++i) {
    const auto shard = reader->OpenShard(ShardId(static_cast<uint16_t>(i)));
    if (!shard.ok()) return shard.status();
  }
  return reader;
}

absl::StatusOr<std::unique_ptr<SnapshotShardReader>> SnapshotReader::OpenShard(
    ShardId shard) const {
  CHECK(shard.value() < manifest_.shards.size());
  const SnapshotShard& expected = manifest_.shards[shard.value()];
  const std::string path = fmt::format("{}/{}", path_, SnapshotShardName(shard));
  absl::StatusOr<std::unique_ptr<File>> file = disk_.OpenFile(path, Disk::Open::kRead);
  if (absl::IsNotFound(file.status())) {
    return absl::DataLossError(fmt::format("{}: the file is missing", path));
  }
  if (!file.ok()) return file.status();
  const absl::StatusOr<uint64_t> bytes = (*file)->Size();
  if (!bytes.ok()) return bytes.status();
  if (*bytes != expected.file_bytes) {
    return absl::DataLossError(fmt::format("{}: the file has {} bytes, its manifest says {}", path,
                                           *bytes, expected.file_bytes));
  }
  return std::unique_ptr<SnapshotShardReader>(new SnapshotShardReader(
      *std::move(file), path, manifest_.history, shard, manifest_.shards.size(), expected));
}

absl::Status SnapshotReader::Verify() const {
  for (size_t i = 0; i < manifest_.shards.size(); ++i) {
    const auto shard = OpenShard(ShardId(static_cast<uint16_t>(i)));
    if (!shard.ok()) return shard.status();
    while (true) {
      const absl::StatusOr<FrameRef> chunk = (*shard)->Next();
      if (!chunk.ok()) return chunk.status();
      if (*chunk == nullptr) break;
    }
  }
  return absl::OkStatus();
}

}  // namespace tidemark::wal
