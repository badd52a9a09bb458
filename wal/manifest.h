// Manifest says which histories a data directory holds and whether it was left cleanly. No I/O;
// DataDirectory loads and saves it.
//
// Histories form a chain, oldest first: each one after the first is the child of the one before and
// left it at its fork. The parent's frames beyond the fork are void: they were never promised to
// anyone, and whoever reads the log skips them.
//
// A replica's directory follows another node's histories. When a full sync gives it a stream that
// does not go on from what it holds, the new stream's files come after `restart` beside the old
// ones, and the old ones are what a restart finds, until a snapshot makes the new ones whole. Then
// the manifest, in one step, knows the new histories alone.

#ifndef TIDEMARK_WAL_MANIFEST_H_
#define TIDEMARK_WAL_MANIFEST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "wal/positions.h"

namespace tidemark::wal {

// Version 1 knows nothing of replicas, and is written where there is nothing of them to say.
inline constexpr uint32_t kManifestVersion = 2;
// The oldest are forgotten beyond this; a reader that knows only those takes a snapshot.
inline constexpr size_t kMaxHistories = 64;

struct History {
  HistoryId id;
  uint16_t shard_count = 0;
  int64_t born_ms = 0;
  HistoryId parent;  // HistoryId(): none.
  // Where the parent ends, by the *parent's* shards; empty without a parent. With the same number
  // of shards sequences go on from here, with another they begin at 0.
  Positions fork;

  friend bool operator==(const History&, const History&) = default;
};

// The segments and snapshots with these numbers and higher ones; 0 is below all.
struct FilesFrom {
  uint64_t segment = 0;
  uint64_t snapshot = 0;

  friend bool operator==(const FilesFrom&, const FilesFrom&) = default;
};

struct Manifest {
  DirectoryId directory;
  std::vector<History> histories;  // Oldest first; empty in a directory that is new.
  // Where the last process stopped, by the newest history's shards; none while one writes, and so
  // none after a crash.
  std::optional<Positions> clean_stop = {};
  // The process that wrote last was a replica. Its records are its primary's, so that only a
  // replica goes on in the newest history, and may after any stop; a primary begins a new one.
  bool follows = false;
  // Files below are left over from before the last full sync: they may go, and count for nothing.
  FilesFrom first = {};
  // Set while a full sync's stream is not yet whole on disk: files from here on are its, and count
  // for nothing so far.
  std::optional<FilesFrom> restart = {};
  // Under which other nodes know the one whose directory this is, across its restarts; 0: not yet
  // chosen. A copy that another node is to use must not have it (CopyAtCut leaves it out).
  uint64_t node_id = 0;

  friend bool operator==(const Manifest&, const Manifest&) = default;

  // Null: unknown, or forgotten.
  const History* Find(HistoryId id) const;
  // Where that history ends: its child's fork. Null for the newest, which is open, and for one that
  // is not known.
  const Positions* EndOf(HistoryId id) const;
  // Appends the newest, forgetting the oldest beyond kMaxHistories.
  // Requires: newest.parent is the newest so far, or HistoryId() if there is none.
  void Add(History newest);
};

// Requires: a manifest that DecodeManifest would take.
std::string EncodeManifest(const Manifest& manifest);

//   InvalidArgument  of a version that this reader does not know
//   DataLoss         damaged, or a chain of histories that no writer would store
absl::StatusOr<Manifest> DecodeManifest(std::string_view file);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_MANIFEST_H_
