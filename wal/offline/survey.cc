#include "wal/offline/survey.h"

#include <memory>
#include <utility>

#include "fmt/format.h"
#include "wal/segment_reader.h"
#include "wal/snapshot_reader.h"

namespace tidemark::wal {
namespace {

absl::StatusOr<uint64_t> FileBytes(Disk& disk, const std::string& path) {
  const absl::StatusOr<std::unique_ptr<File>> file = disk.OpenFile(path, Disk::Open::kRead);
  if (!file.ok()) return file.status();
  return (*file)->Size();
}

// OK: what it found is in `survey`, damage included.
absl::Status ReadSegment(const DataDirectory& directory, SurveyDepth depth, bool newest,
                         SegmentSurvey& survey) {
  const std::string path = directory.SegmentPath(survey.number);
  const absl::StatusOr<uint64_t> bytes = FileBytes(directory.disk(), path);
  if (!bytes.ok()) return bytes.status();
  survey.file_bytes = *bytes;
  const absl::StatusOr<std::unique_ptr<SegmentReader>> opened =
      SegmentReader::Open(directory.disk(), path,
                          {.directory = directory.id(),
                           .number = survey.number,
                           .tail = newest ? SegmentTail::kMayBeTorn : SegmentTail::kSealed});
  if (!opened.ok()) {
    survey.problem = opened.status();
    return IsDamage(survey.problem) ? absl::OkStatus() : survey.problem;
  }
  SegmentReader& reader = **opened;
  if (reader.header() != nullptr) survey.header = *reader.header();
  if (depth == SurveyDepth::kHeaders) return absl::OkStatus();
  while (true) {
    const absl::StatusOr<std::optional<SegmentReader::Item>> item = reader.Next();
    survey.end_bytes = reader.end_bytes();
    survey.frames = reader.frames();
    survey.after = reader.positions();
    if (!item.ok()) {
      survey.problem = item.status();
      return IsDamage(survey.problem) ? absl::OkStatus() : survey.problem;
    }
    if (!item->has_value()) break;
    survey.records += (*item)->frame->record_count();
  }
  survey.sealed = reader.sealed();
  survey.torn_bytes = reader.torn_bytes();
  return absl::OkStatus();
}

absl::StatusOr<SegmentSurvey> SurveySegment(const DataDirectory& directory, SurveyDepth depth,
                                            uint64_t number, bool newest) {
  std::string seen;
  while (true) {
    SegmentSurvey survey;
    survey.number = number;
    if (absl::Status s = ReadSegment(directory, depth, newest, survey); !s.ok()) return s;
    // A reader that races with the writer sees zeros, and behind them marks of what was written
    // meanwhile. What it called damage is whole a moment later; what is damaged stays where it is.
    const std::string problem(survey.problem.message());
    if (survey.problem.ok() || !newest || directory.locked() || problem == seen) return survey;
    seen = problem;
  }
}

// What is wrong between a segment and the one before it.
void Connect(const SegmentSurvey& before, SegmentSurvey& survey) {
  if (!survey.problem.ok()) return;
  if (survey.number != before.number + 1) {
    survey.problem =
        absl::DataLossError(fmt::format("{} is missing", SegmentName(before.number + 1)));
  } else if (survey.header && before.header && before.problem.ok() && !before.after.empty() &&
             survey.header->history == before.header->history &&
             survey.header->before != before.after) {
    survey.problem = absl::DataLossError(fmt::format(
        "{} does not go on where the segment before it ended", SegmentName(survey.number)));
  }
}

SnapshotSurvey SurveySnapshot(const DataDirectory& directory, SurveyDepth depth, uint64_t number) {
  SnapshotSurvey survey;
  survey.number = number;
  const absl::StatusOr<std::unique_ptr<SnapshotReader>> opened =
      SnapshotReader::Open(directory.disk(), directory.SnapshotPath(number),
                           {.directory = directory.id(), .number = number});
  absl::Status status = opened.status();
  if (opened.ok() && depth == SurveyDepth::kEverything) status = (*opened)->Verify();
  if (status.ok()) {
    survey.manifest = (*opened)->manifest();
  } else {
    survey.manifest = status;
  }
  return survey;
}

}  // namespace

absl::StatusOr<Survey> SurveyDirectory(const DataDirectory& directory, SurveyDepth depth) {
  // Snapshots first: should a process prune meanwhile, those found need only segments that are
  // there, or are gone themselves.
  Survey result;
  const absl::StatusOr<std::vector<uint64_t>> snapshots = directory.ListSnapshots();
  if (!snapshots.ok()) return snapshots.status();
  for (const uint64_t number : *snapshots) {
    SnapshotSurvey survey = SurveySnapshot(directory, depth, number);
    if (survey.manifest.ok() || IsDamage(survey.manifest.status())) {
      if (!directory.locked() && absl::IsDataLoss(survey.manifest.status())) {
        const absl::StatusOr<std::vector<uint64_t>> now = directory.ListSnapshots();
        bool gone = now.ok();
        for (size_t i = 0; gone && i < now->size(); ++i) gone = (*now)[i] != number;
        if (gone) continue;
      }
      result.snapshots.push_back(std::move(survey));
    } else {
      return survey.manifest.status();
    }
  }
  const absl::StatusOr<std::vector<uint64_t>> segments = directory.ListSegments();
  if (!segments.ok()) return segments.status();
  for (const uint64_t number : *segments) {
    absl::StatusOr<SegmentSurvey> survey =
        SurveySegment(directory, depth, number, number == segments->back());
    if (!survey.ok()) {
      if (!directory.locked() && absl::IsNotFound(survey.status())) continue;
      return survey.status();
    }
    if (!result.segments.empty()) Connect(result.segments.back(), *survey);
    result.segments.push_back(*std::move(survey));
  }
  return result;
}

std::vector<SegmentInfo> InfosOf(const std::vector<SegmentSurvey>& segments) {
  std::vector<SegmentInfo> infos;
  for (const SegmentSurvey& segment : segments) {
    if (!segment.header.has_value()) continue;
    infos.push_back(
        {.number = segment.number, .file_bytes = segment.file_bytes, .header = *segment.header});
  }
  return infos;
}

SnapshotInfo InfoOf(const SnapshotManifest& manifest) {
  return {.number = manifest.number,
          .history = manifest.history,
          .watermark = manifest.watermarks(),
          .complete_at = manifest.complete_at(),
          .first_segment = manifest.first_segment};
}

bool IsDamage(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsInvalidArgument(status) ||
         absl::IsFailedPrecondition(status);
}

}  // namespace tidemark::wal
