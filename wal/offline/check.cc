#include "wal/offline/check.h"

#include <algorithm>
#include <optional>
#include <string>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "wal/log_replay.h"
#include "wal/recovery.h"
#include "wal/recovery_plan.h"

namespace tidemark::wal {
namespace {

std::string Text(const absl::Status& status) { return std::string(status.message()); }

// Only LogReplay's own checks matter here.
class NoSink final : public RecoverySink {
 public:
  absl::Status OnReset() override { return absl::OkStatus(); }
  absl::Status OnSnapshotChunk(FrameRef) override { return absl::OkStatus(); }
  absl::Status OnFrame(FrameRef, Sequence, Sequence) override { return absl::OkStatus(); }
  absl::Status OnTopologyChange(int) override { return absl::OkStatus(); }
  absl::Status OnEnd() override { return absl::OkStatus(); }
};

std::string LineOf(const SegmentSurvey& segment) {
  std::string line = SegmentName(segment.number) + ": ";
  if (!segment.problem.ok()) {
    line += "DAMAGED";
  } else if (!segment.header.has_value()) {
    return line + "torn before its first frame; the next start removes it";
  } else {
    line += segment.sealed ? "ok, sealed" : "ok, not sealed";
  }
  if (!segment.header.has_value()) return line + ", " + Text(segment.problem);
  line += fmt::format(", history {:016x}, {} frames, {} records, {} bytes",
                      segment.header->history.value(), segment.frames, segment.records,
                      segment.end_bytes);
  for (size_t shard = 0; shard < segment.after.size(); ++shard) {
    const Sequence first = Next(segment.header->before[shard].sequence);
    const Sequence last = segment.after[shard].sequence;
    if (first <= last) line += fmt::format(", shard {}: {}-{}", shard, first.value(), last.value());
  }
  if (segment.torn_bytes > 0) {
    line +=
        fmt::format(", {} torn bytes at the end, which the next start cuts", segment.torn_bytes);
  }
  if (!segment.problem.ok()) line += ", " + Text(segment.problem);
  return line;
}

std::string LineOf(const SnapshotSurvey& snapshot) {
  if (!snapshot.manifest.ok()) {
    return fmt::format("snapshot {}: DAMAGED, {}", snapshot.number,
                       Text(snapshot.manifest.status()));
  }
  const SnapshotManifest& manifest = *snapshot.manifest;
  std::vector<uint64_t> watermarks;
  for (const SnapshotShard& shard : manifest.shards) {
    watermarks.push_back(shard.watermark.sequence.value());
  }
  return fmt::format("snapshot {}: ok, history {:016x}, {} keys, {} bytes, as of {}, log from {}",
                     snapshot.number, manifest.history.value(), manifest.keys(), manifest.bytes(),
                     fmt::join(watermarks, ","), SegmentName(manifest.first_segment));
}

// A clean stop knows where the log ends; not even its last segment may then be missed.
absl::Status CheckCleanStop(const Manifest& manifest, const Positions& reached) {
  if (!manifest.clean_stop.has_value() || *manifest.clean_stop == reached) return absl::OkStatus();
  return absl::DataLossError(
      "the log does not end where the last process stopped cleanly: its last segments are missing");
}

}  // namespace

absl::Status TryRecovery(const DataDirectory& directory, const Manifest& manifest,
                         const std::vector<SegmentSurvey>& segments,
                         const SnapshotManifest* snapshot) {
  const std::vector<SegmentInfo> infos = InfosOf(segments);
  std::optional<SnapshotInfo> info;
  if (snapshot != nullptr) info = InfoOf(*snapshot);
  const absl::StatusOr<RecoveryPlan> plan =
      PlanRecovery(manifest, infos, info.has_value() ? &*info : nullptr);
  if (!plan.ok()) return plan.status();
  // The end of a log that grows cannot be compared with anything.
  if (!directory.locked()) return absl::OkStatus();
  const bool unbegun = !segments.empty() && !segments.back().header.has_value();
  NoSink sink;
  LogReplay replay(directory, infos, sink,
                   {.newest_tail = unbegun ? SegmentTail::kSealed : SegmentTail::kMayBeTorn,
                    .max_window_bytes = 64 << 20,
                    .progress = nullptr});
  if (absl::Status s = replay.Run(*plan); !s.ok()) return s;
  return CheckCleanStop(manifest,
                        plan->unused_newest.has_value() ? *plan->unused_newest : replay.reached());
}

absl::StatusOr<CheckReport> CheckDirectory(const DataDirectory& directory, const Survey& survey) {
  CheckReport report;
  const SnapshotManifest* newest = nullptr;
  for (const SnapshotSurvey& snapshot : survey.snapshots) {
    report.lines.push_back(LineOf(snapshot));
    if (snapshot.manifest.ok()) {
      newest = &*snapshot.manifest;
    } else {
      report.problems.push_back(Text(snapshot.manifest.status()));
    }
  }
  bool damaged = false;
  for (const SegmentSurvey& segment : survey.segments) {
    report.lines.push_back(LineOf(segment));
    if (segment.problem.ok()) continue;
    report.problems.push_back(Text(segment.problem));
    damaged = true;
  }
  if (damaged) return report;  // What a replay says now is what was said already.
  const absl::Status replayed =
      TryRecovery(directory, directory.manifest(), survey.segments, newest);
  if (replayed.ok()) return report;
  if (!IsDamage(replayed)) return replayed;
  report.problems.push_back(Text(replayed));
  return report;
}

}  // namespace tidemark::wal
