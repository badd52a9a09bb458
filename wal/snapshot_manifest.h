// SnapshotManifest says what a snapshot's directory holds and from where the log goes on. It is
// written last, so that a directory with a manifest is whole. Layout: docs/formats/snapshot.md. No
// I/O; SnapshotWriter stores it, SnapshotReader checks the files against it.

#ifndef TIDEMARK_WAL_SNAPSHOT_MANIFEST_H_
#define TIDEMARK_WAL_SNAPSHOT_MANIFEST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "wal/positions.h"

namespace tidemark::wal {

inline constexpr uint32_t kSnapshotVersion = 1;
inline constexpr std::string_view kSnapshotManifestName = "MANIFEST";
// "shard-0007".
std::string SnapshotShardName(ShardId shard);

struct SnapshotShard {
  // The file holds the shard's state after this mutation: replay what comes after it.
  ShardPosition watermark;
  // The log must be replayed at least up to here, for every shard, before the state may be shown.
  // Together these are a consistent cut (a transaction is at or below it whole or not at all),
  // which the watermarks, taken one by one, are not; and they cover a flush that cut the file
  // short.
  Sequence complete_at;
  uint64_t keys = 0;
  uint64_t chunks = 0;  // At least one.
  uint64_t file_bytes = 0;
  uint32_t file_crc32c = 0;  // Of all the file's bytes: a missing or repeated chunk is noticed.

  friend bool operator==(const SnapshotShard&, const SnapshotShard&) = default;
};

struct SnapshotManifest {
  DirectoryId directory;
  uint64_t number = 0;  // From 1.
  HistoryId history;    // Of all its sequences.
  // The log's mutations after the watermarks are in this segment and later ones.
  uint64_t first_segment = 0;
  int64_t begun_at_ms = 0;  // Wall time.
  int64_t completed_at_ms = 0;
  std::vector<SnapshotShard> shards;  // By shard; there is at least one.

  friend bool operator==(const SnapshotManifest&, const SnapshotManifest&) = default;

  Positions watermarks() const;
  Watermarks complete_at() const;
  uint64_t keys() const;
  uint64_t bytes() const;  // Of all shards' files.
};

// The contents of the file. Requires: a manifest that DecodeSnapshotManifest would take.
std::string EncodeSnapshotManifest(const SnapshotManifest& manifest);

//   InvalidArgument  of a version that this reader does not know
//   DataLoss         damaged, or numbers that no writer would put together
absl::StatusOr<SnapshotManifest> DecodeSnapshotManifest(std::string_view file);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_SNAPSHOT_MANIFEST_H_
