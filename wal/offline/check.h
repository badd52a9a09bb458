// CheckDirectory says whether a data directory is whole: every checksum, every sequence and digest,
// footers, segments that go on from each other, histories, and that the newest snapshot and the log
// meet. It replays the log as a recovery would, to nobody.
//
// Threading: blocks on the disk. Changes nothing.

#ifndef TIDEMARK_WAL_OFFLINE_CHECK_H_
#define TIDEMARK_WAL_OFFLINE_CHECK_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "wal/data_directory.h"
#include "wal/offline/survey.h"

namespace tidemark::wal {

struct CheckReport {
  std::vector<std::string> lines;     // One for each snapshot and segment, for people.
  std::vector<std::string> problems;  // Empty: it is whole, and a node starts from it.
};

// `survey` is of SurveyDepth::kEverything. An error is the disk's.
absl::StatusOr<CheckReport> CheckDirectory(const DataDirectory& directory, const Survey& survey);

// Whether a recovery from that snapshot (null: none) would reach the log's end; OK or why not.
// Segments that it would not read are not looked at.
absl::Status TryRecovery(const DataDirectory& directory, const Manifest& manifest,
                         const std::vector<SegmentSurvey>& segments,
                         const SnapshotManifest* snapshot);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_OFFLINE_CHECK_H_
