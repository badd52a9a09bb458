// SnapshotWriter makes one snapshot's directory: a file of chunks for each shard, then the
// manifest, then the name by which it counts.
//
//   auto writer = SnapshotWriter::Create(directory, plan, options);
//   for each chunk, of any shard, in order within a shard:  writer->Add(chunk, needed_through)
//   until writer->complete()
//   writer->SyncFiles();
//   make the log durable through writer->needed_through(); the cut that it reached is complete_at
//   writer->Finish(complete_at, now_ms);
//
// Everything is written to snapshot-N.tmp/ and synced, and only then renamed to snapshot-N/: a
// crash leaves a whole snapshot or a name that the next start removes. Whoever lets go of a writer
// that has not finished removes the temporary directory.
//
// Memory: none but the chunk at hand. The files are synced every `sync_every_bytes`, so that a
// snapshot never has much in the page cache that a sync of the log would have to wait for.
//
// Threading: one thread at a time; it blocks on the disk.
// Ownership: borrows the directory, which outlives it.

#ifndef TIDEMARK_WAL_SNAPSHOT_WRITER_H_
#define TIDEMARK_WAL_SNAPSHOT_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "wal/data_directory.h"
#include "wal/snapshot_manifest.h"

namespace tidemark::wal {

// What is known before the first chunk.
struct SnapshotPlan {
  uint64_t number = 0;
  HistoryId history;
  int shard_count = 1;
  // The log's newest segment at a moment before any shard's watermark was taken.
  uint64_t first_segment = 0;
  int64_t begun_at_ms = 0;
};

class SnapshotWriter {
 public:
  struct Options {
    size_t sync_every_bytes = 8 << 20;
    // What to store for a chunk: its compressed twin, or itself. Null: chunks are stored as they
    // are.
    std::function<const Frame&(const Frame&)> compress;
  };
  // AlreadyExists: a snapshot of that number, complete or not, is there.
  static absl::StatusOr<std::unique_ptr<SnapshotWriter>> Create(const DataDirectory& directory,
                                                                const SnapshotPlan& plan,
                                                                Options options);
  // Removes what is there unless Finish() returned OK.
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  // Appends a chunk to its shard's file. `needed_through`: see
  // replication::ChunkTarget::Take. Requires: the plan's history and shard count; the shard's FIRST
  // chunk first, nothing after its LAST, one watermark.
  absl::Status Add(const Frame& chunk, Sequence needed_through);

  // Every shard's last chunk is there.
  bool complete() const { return shards_left_ == 0; }
  // Requires complete(): as far as the log must be durable.
  Watermarks needed_through() const;
  uint64_t bytes() const { return bytes_; }  // Written so far.

  // Makes the shards' files durable. Requires: complete().
  absl::Status SyncFiles();

  // Writes the manifest and renames the snapshot into its place. Requires: SyncFiles() was OK;
  // complete_at is a consistent cut, durable in the log, and at or above needed_through().
  // After an error the snapshot may or may not be found by a later start, whole in either case.
  absl::Status Finish(const Watermarks& complete_at, int64_t now_ms);

  // Of the snapshot. Requires: Finish() was OK.
  const SnapshotManifest& manifest() const { return manifest_; }

 private:
  struct ShardFile {
    std::unique_ptr<File> file;
    std::string path;
    uint64_t unsynced_bytes = 0;
    Sequence needed_through;
    bool any = false;
    bool last = false;
  };
  SnapshotWriter(const DataDirectory& directory, const SnapshotPlan& plan, Options options);
  absl::Status CreateFiles();
  absl::Status SyncFile(ShardFile& shard);

  const DataDirectory& directory_;
  const Options options_;
  const std::string temporary_;
  const std::string final_;
  SnapshotManifest manifest_;  // Its shards grow with the files.
  std::vector<ShardFile> files_;
  int shards_left_;
  uint64_t bytes_ = 0;
  bool synced_ = false;
  bool finished_ = false;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_SNAPSHOT_WRITER_H_
