// A survey is what a data directory turns out to hold when all of it is looked at and nothing is
// taken for granted: the first thing that every offline tool does.
//
// Threading: blocks on the disk. Changes nothing.

#ifndef TIDEMARK_WAL_OFFLINE_SURVEY_H_
#define TIDEMARK_WAL_OFFLINE_SURVEY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/data_directory.h"
#include "wal/format/segment.h"
#include "wal/positions.h"
#include "wal/recovery_plan.h"
#include "wal/snapshot_manifest.h"

namespace tidemark::wal {

struct SegmentSurvey {
  uint64_t number = 0;
  uint64_t file_bytes = 0;
  std::optional<SegmentHeader> header;  // None: damaged, or, of the newest, torn.
  // What is wrong with it, in itself or with what is before it: a gap in the numbers, a stream that
  // does not go on. It names the file.
  absl::Status problem;
  // Of what could be read; with SurveyDepth::kHeaders not known.
  bool sealed = false;
  uint64_t end_bytes = 0;   // Where the first item begins that could not be read.
  uint64_t torn_bytes = 0;  // Of the newest: left by a crash, which the next start cuts.
  uint64_t frames = 0;
  uint64_t records = 0;
  Positions after;
};

struct SnapshotSurvey {
  uint64_t number = 0;
  // Or why it cannot be used.
  absl::StatusOr<SnapshotManifest> manifest = absl::UnknownError("");
};

struct Survey {
  std::vector<SegmentSurvey> segments;    // Ascending.
  std::vector<SnapshotSurvey> snapshots;  // Ascending.
};

enum class SurveyDepth {
  kHeaders,     // Of segments; snapshots' manifests.
  kEverything,  // Every byte.
};

// Damage is in the survey. An error is the disk's, and says that nothing is known.
// In a directory that is not locked a process may be writing: what was pruned meanwhile is left
// out, and damage at the end counts only if it does not move away.
absl::StatusOr<Survey> SurveyDirectory(const DataDirectory& directory, SurveyDepth depth);

// What PlanRecovery wants of those segments whose header could be read.
std::vector<SegmentInfo> InfosOf(const std::vector<SegmentSurvey>& segments);
SnapshotInfo InfoOf(const SnapshotManifest& manifest);

// "file F: damaged" as opposed to "the disk failed".
bool IsDamage(const absl::Status& status);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_OFFLINE_SURVEY_H_
