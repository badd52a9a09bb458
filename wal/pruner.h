// Pruner deletes what the data directory holds and nobody needs any more: snapshots older than the
// newest few, and segments that neither those snapshots nor a registered reader need.
//
// The newest `keep_snapshots` stay, with every segment from the oldest one's first_segment on: if
// the newest turns out damaged, recovery takes the one before and replays more, and nothing is
// lost. The price is the log of one more interval and one more snapshot. Until there are as many,
// no segment goes: the log from its beginning is then what the oldest would be.
//
// Order: first what to keep is settled, then snapshots go, oldest first (renamed to a temporary
// name, so that a half-deleted one is no snapshot), then segments, oldest first. A crash in between
// leaves more than is needed, never less; a power cut may take the deletions apart, and leaves some
// of the segments that were to go. The next run takes the rest.
//
// Threading: one thread at a time; it blocks on the disk.
// Ownership: borrows both, which outlive it.

#ifndef TIDEMARK_WAL_PRUNER_H_
#define TIDEMARK_WAL_PRUNER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/data_directory.h"
#include "wal/retention.h"

namespace tidemark::wal {

// --- What to delete; no I/O. ---

struct SnapshotOnDisk {
  uint64_t number = 0;
  uint64_t first_segment = 0;
  bool whole = false;  // Its manifest could be read and its files are there.
};

struct PrunePlan {
  std::vector<uint64_t> snapshots;  // To delete, ascending.
  // Segments below may go, as far as the snapshots are concerned; 0: none may.
  uint64_t segment_floor = 0;
};

// Requires: snapshots ascend by number; keep >= 1. A snapshot that is not whole does not count; it
// goes once a whole one is newer.
PrunePlan PlanPrune(const std::vector<SnapshotOnDisk>& snapshots, size_t keep);

// --- Doing it. ---

class Pruner {
 public:
  struct Options {
    size_t keep_snapshots = 2;
  };
  Pruner(const DataDirectory& directory, Retention& retention, const Options& options)
      : directory_(directory), retention_(retention), options_(options) {}

  struct Pruned {
    uint64_t snapshots = 0;
    uint64_t segments = 0;
    uint64_t segment_bytes = 0;
  };
  // What is left undone by an error is done by the next run.
  absl::StatusOr<Pruned> Run();

 private:
  absl::StatusOr<std::vector<SnapshotOnDisk>> LookAtSnapshots() const;
  absl::StatusOr<std::vector<SegmentSize>> LookAtSegments(uint64_t below) const;

  const DataDirectory& directory_;
  Retention& retention_;
  const Options options_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_PRUNER_H_
