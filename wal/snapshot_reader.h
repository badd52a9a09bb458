// SnapshotReader opens a complete snapshot and gives the chunks of its shards, having checked that
// they are all of what was written, and of this data directory.
//
//   auto snapshot = SnapshotReader::Open(disk, directory.SnapshotPath(n), {directory.id(), n});
//   for each shard, on any thread:
//     auto reader = (*snapshot)->OpenShard(shard);
//     while (true) {
//       absl::StatusOr<FrameRef> chunk = (*reader)->Next();
//       if (!chunk.ok()) ...        // Damage: nothing that this snapshot gave may be used.
//       if (*chunk == nullptr) break;
//       Apply(**chunk);
//     }
//
// The state at manifest().complete_at() is the chunks plus the log's mutations after
// manifest().watermarks() up to there. The records within a chunk are the taker's to check
// (RecordReader), as with every frame.
//
// Threading: SnapshotReader is immutable, so any thread may call it; a SnapshotShardReader belongs
// to one thread, and several may be open at once.
// Ownership: borrows the disk. A shard's reader does not need the SnapshotReader any more.

#ifndef TIDEMARK_WAL_SNAPSHOT_READER_H_
#define TIDEMARK_WAL_SNAPSHOT_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/format/frame_decoder.h"
#include "base/ids.h"
#include "wal/disk/disk.h"
#include "wal/positions.h"
#include "wal/snapshot_manifest.h"

namespace tidemark::wal {

class SnapshotShardReader {
 public:
  // The next chunk, uncompressed; null at the end, which is only where the manifest says.
  // DataLoss and InvalidArgument as FrameDecoder gives them, and DataLoss for a chunk that does not
  // belong here or is missing; all name the file and the offset. Every later call repeats them.
  absl::StatusOr<FrameRef> Next();

  uint64_t read_bytes() const { return decoder_.consumed_bytes(); }  // Of whole chunks given.

 private:
  friend class SnapshotReader;
  SnapshotShardReader(std::unique_ptr<File> file, std::string path, HistoryId history,
                      ShardId shard, size_t shard_count, const SnapshotShard& expected);

  absl::Status ReadBlock();
  absl::Status CheckChunk(const Frame& chunk) const;
  absl::Status CheckEnd() const;
  absl::Status Damaged(std::string_view what) const;
  absl::StatusOr<FrameRef> Fail(absl::Status problem);

  const std::unique_ptr<File> file_;
  const std::string path_;
  const HistoryId history_;
  const ShardId shard_;
  const size_t shard_count_;
  const SnapshotShard expected_;

  FrameDecoder decoder_;
  std::unique_ptr<char[]> block_;
  std::string_view unread_;  // Of the block.
  uint64_t next_block_at_ = 0;
  uint64_t chunks_ = 0;
  uint64_t keys_ = 0;
  uint32_t crc32c_ = 0;  // Of what was read.
  bool ended_ = false;
  absl::Status failure_;
};

class SnapshotReader {
 public:
  struct Expectations {
    DirectoryId directory;
    uint64_t number = 0;
  };
  // Reads the manifest and looks that every shard's file is there with its length.
  //   DataLoss  the manifest or a file is missing, damaged, or of another length; or the snapshot
  //             is of another data directory, or has another's number
  // and the errors of DecodeSnapshotManifest and Disk.
  static absl::StatusOr<std::unique_ptr<SnapshotReader>> Open(Disk& disk, const std::string& path,
                                                              const Expectations& expected);

  const SnapshotManifest& manifest() const { return manifest_; }
  const std::string& path() const { return path_; }

  // Requires: shard is below manifest().shards.size().
  absl::StatusOr<std::unique_ptr<SnapshotShardReader>> OpenShard(ShardId shard) const;

  // Reads everything. OK: the snapshot is whole.
  absl::Status Verify() const;

 private:
  SnapshotReader(Disk& disk, std::string path, SnapshotManifest manifest)
      : disk_(disk), path_(std::move(path)), manifest_(std::move(manifest)) {}

  Disk& disk_;
  const std::string path_;
  const SnapshotManifest manifest_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_SNAPSHOT_READER_H_
