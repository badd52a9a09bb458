#include "wal/offline/repair.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "wal/disk/whole_file.h"
#include "wal/offline/check.h"
#include "wal/offline/restore.h"
#include "wal/recovery_plan.h"

namespace tidemark::wal {
namespace {

class Planner {
 public:
  Planner(const DataDirectory& directory, const Survey& survey)
      : directory_(directory), survey_(survey) {}

  absl::StatusOr<RepairPlan> Plan();

 private:
  bool SetAsideCovered();
  absl::Status CutBefore(const SnapshotManifest* snapshot);
  void NameDiscarded();

  const DataDirectory& directory_;
  const Survey& survey_;
  RepairPlan plan_;
};

absl::StatusOr<RepairPlan> Planner::Plan() {
  absl::StatusOr<CheckReport> report = CheckDirectory(directory_, survey_);
  if (!report.ok()) return report.status();
  plan_.problems = std::move(report->problems);
  if (plan_.problems.empty() || SetAsideCovered()) return std::move(plan_);

  std::string refusals;
  for (size_t i = survey_.snapshots.size() + 1; i-- > 0;) {
    const bool from_the_beginning = i == 0;
    if (!from_the_beginning && !survey_.snapshots[i - 1].manifest.ok()) continue;
    const absl::Status found =
        CutBefore(from_the_beginning ? nullptr : &*survey_.snapshots[i - 1].manifest);
    if (found.ok()) {
      NameDiscarded();
      return std::move(plan_);
    }
    if (!IsDamage(found)) return found;
    refusals += "; " + std::string(found.message());
  }
  return absl::FailedPreconditionError("nothing whole leads up to the damage, restore a backup" +
                                       refusals);
}

// Whether a whole snapshot and what follows it need nothing that is damaged.
bool Planner::SetAsideCovered() {
  const SnapshotManifest* snapshot = nullptr;
  for (const SnapshotSurvey& each : survey_.snapshots) {
    if (each.manifest.ok()) snapshot = &*each.manifest;
  }
  uint64_t last_damaged = 0;
  for (const SegmentSurvey& segment : survey_.segments) {
    if (!segment.problem.ok()) last_damaged = segment.number;
  }
  // A gap is noticed at the segment behind it, which itself is good.
  const auto is_behind_gap = [&](const SegmentSurvey& each) {
    return each.number == last_damaged && each.header.has_value() && each.sealed;
  };
  if (snapshot != nullptr && snapshot->first_segment == last_damaged &&
      std::any_of(survey_.segments.begin(), survey_.segments.end(), is_behind_gap)) {
    --last_damaged;
  }
  if (snapshot == nullptr ? last_damaged > 0 : last_damaged >= snapshot->first_segment) {
    return false;
  }
  if (!TryRecovery(directory_, directory_.manifest(), survey_.segments, snapshot).ok()) {
    return false;
  }
  for (const SegmentSurvey& segment : survey_.segments) {
    if (segment.number <= last_damaged) plan_.segments_away.push_back(segment.number);
  }
  for (const SnapshotSurvey& each : survey_.snapshots) {
    if (!each.manifest.ok() || each.manifest->first_segment <= last_damaged) {
      plan_.snapshots_away.push_back(each.number);
    }
  }
  std::reverse(plan_.segments_away.begin(), plan_.segments_away.end());
  std::reverse(plan_.snapshots_away.begin(), plan_.snapshots_away.end());
  return true;
}

absl::Status Planner::CutBefore(const SnapshotManifest* snapshot) {
  // The log as far as it is good, from where that snapshot needs it.
  const uint64_t first = snapshot != nullptr ? snapshot->first_segment : 1;
  Survey good;
  for (const SegmentSurvey& segment : survey_.segments) {
    if (segment.number < first) continue;
    const bool follows = good.segments.empty() ? segment.number == first
                                               : segment.number == good.segments.back().number + 1;
    if (!follows) break;
    // What is wrong with the first, seen from the one before, does not matter.
    if (!segment.header.has_value() || segment.after.empty()) break;
    if (!good.segments.empty() && segment.header->history == good.segments.back().header->history &&
        segment.header->before != good.segments.back().after) {
      break;
    }
    good.segments.push_back(segment);
    if (!segment.problem.ok() && !segment.sealed) break;
  }
  if (good.segments.empty()) {
    return absl::FailedPreconditionError(
        snapshot != nullptr
            ? fmt::format("snapshot {} needs {}", snapshot->number, SegmentName(first))
            : fmt::format("{} is gone", SegmentName(first)));
  }
  const SegmentSurvey& last = good.segments.back();
  absl::StatusOr<Cut> cut =
      FindCutFrom(directory_, good, last.header->history, SequencesOf(last.after), snapshot);
  if (!cut.ok()) return cut.status();
  plan_.cut = *std::move(cut);
  // Whole segments stay as they are.
  for (const SegmentSurvey& segment : good.segments) {
    if (segment.number == plan_.cut->last_segment && segment.problem.ok() && segment.sealed &&
        segment.frames == plan_.cut->last.frames) {
      plan_.cut->last.sealed = true;
    }
  }
  // What is older stays if it is whole, and joins on.
  uint64_t last_damaged = 0;
  for (const SegmentSurvey& segment : survey_.segments) {
    const bool older = segment.number < first;
    if ((older || segment.number == first) && !segment.problem.ok()) last_damaged = first - 1;
  }
  for (const SegmentSurvey& segment : survey_.segments) {
    if (segment.number > plan_.cut->last_segment || segment.number <= last_damaged) {
      plan_.segments_away.push_back(segment.number);
    }
  }
  for (const SnapshotSurvey& each : survey_.snapshots) {
    const bool newer = snapshot == nullptr || each.number > snapshot->number;
    if (newer || !each.manifest.ok() || each.manifest->first_segment <= last_damaged) {
      plan_.snapshots_away.push_back(each.number);
    }
  }
  std::reverse(plan_.segments_away.begin(), plan_.segments_away.end());
  std::reverse(plan_.snapshots_away.begin(), plan_.snapshots_away.end());
  return absl::OkStatus();
}

// From what is still readable behind the cut: headers and footers say where shards stood.
void Planner::NameDiscarded() {
  std::vector<std::pair<HistoryId, Watermarks>> begins;
  begins.emplace_back(plan_.cut->history, SequencesOf(plan_.cut->positions));
  Watermarks ends = begins.back().second;
  const auto close = [&] {
    for (size_t shard = 0; shard < ends.size(); ++shard) {
      if (ends[shard] <= begins.back().second[shard]) continue;
      plan_.discarded.push_back({.history = begins.back().first,
                                 .shard = ShardId(static_cast<uint16_t>(shard)),
                                 .first = Next(begins.back().second[shard]),
                                 .last = ends[shard]});
    }
  };
  for (const SegmentSurvey& segment : survey_.segments) {
    plan_.more_unknown = !segment.problem.ok();
    if (segment.number < plan_.cut->last_segment || !segment.header.has_value()) continue;
    if (segment.header->history != begins.back().first) {
      close();
      begins.emplace_back(segment.header->history, SequencesOf(segment.header->before));
      ends = begins.back().second;
    }
    for (const Positions* known : {&segment.header->before, &segment.after}) {
      for (size_t shard = 0; shard < std::min(known->size(), ends.size()); ++shard) {
        ends[shard] = std::max(ends[shard], (*known)[shard].sequence);
      }
    }
  }
  const std::optional<Positions>& stop = directory_.manifest().clean_stop;
  if (stop.has_value() && directory_.manifest().histories.back().id == begins.back().first) {
    for (size_t shard = 0; shard < std::min(stop->size(), ends.size()); ++shard) {
      ends[shard] = std::max(ends[shard], (*stop)[shard].sequence);
    }
    plan_.more_unknown = false;
  }
  // What is beyond a history's end was void before.
  if (const Positions* end = directory_.manifest().EndOf(begins.back().first)) {
    for (size_t shard = 0; shard < ends.size(); ++shard) {
      ends[shard] = std::min(ends[shard], (*end)[shard].sequence);
    }
  }
  close();
}

}  // namespace

absl::StatusOr<RepairPlan> PlanRepair(const DataDirectory& directory, const Survey& survey) {
  return Planner(directory, survey).Plan();
}

std::vector<std::string> Describe(const RepairPlan& plan) {
  std::vector<std::string> lines;
  for (const std::string& problem : plan.problems) lines.push_back("problem: " + problem);
  for (const uint64_t number : plan.snapshots_away) {
    lines.push_back(fmt::format("snapshot {} goes to lost/", number));
  }
  for (const uint64_t number : plan.segments_away) {
    lines.push_back(SegmentName(number) + " goes to lost/");
  }
  if (plan.cut.has_value()) {
    if (!plan.cut->last.sealed)
      lines.push_back(fmt::format("{} is cut at byte {}, a copy of it goes to lost/",
                                  SegmentName(plan.cut->last_segment), plan.cut->last.end_bytes));
    for (size_t shard = 0; shard < plan.cut->positions.size(); ++shard) {
      lines.push_back(fmt::format("history {:016x} ends, shard {} at sequence {}",
                                  plan.cut->history.value(), shard,
                                  plan.cut->positions[shard].sequence.value()));
    }
  } else if (!plan.problems.empty()) {
    lines.push_back("no write is lost: a whole snapshot covers what is damaged");
  }
  for (const DiscardedSpan& span : plan.discarded) {
    lines.push_back(fmt::format("LOST: history {:016x} shard {} sequences {} to {}",
                                span.history.value(), span.shard.value(), span.first.value(),
                                span.last.value()));
  }
  if (plan.more_unknown && plan.cut.has_value()) {
    lines.push_back("LOST: what the damaged end of the log held beyond that; it cannot be read");
  }
  return lines;
}

absl::Status Repair(DataDirectory& directory, const RepairPlan& plan, HistoryId child,
                    int64_t now_ms) {
  Disk& disk = directory.disk();
  const auto set_aside = [&](const std::string& from, std::string_view why) -> absl::Status {
    const std::string name = from.substr(from.rfind('/') + 1);
    const absl::StatusOr<std::string> to =
        directory.MakeLostPath(fmt::format("{}.{}-{}", name, why, now_ms));
    if (!to.ok()) return to.status();
    if (absl::Status s = disk.Rename(from, *to); !s.ok()) return s;
    if (absl::Status s = disk.SyncDirectory(DirectoryOf(*to)); !s.ok()) return s;
    return directory.Sync();
  };
  for (const uint64_t number : plan.segments_away) {
    if (absl::Status s = set_aside(directory.SegmentPath(number), "repaired"); !s.ok()) return s;
  }
  for (const uint64_t number : plan.snapshots_away) {
    if (absl::Status s = set_aside(directory.SnapshotPath(number), "repaired"); !s.ok()) return s;
  }
  if (!plan.cut.has_value()) return absl::OkStatus();
  const Cut& cut = *plan.cut;
  if (cut.last_segment != 0 && !cut.last.sealed) {
    // A new file, not the old one made shorter: whatever happens, one of them is there, and the old
    // one may be linked to from a backup.
    const std::string path = directory.SegmentPath(cut.last_segment);
    const absl::StatusOr<std::string> cut_path = directory.MakeLostPath(
        fmt::format("{}.cut{}", SegmentName(cut.last_segment), kTemporarySuffix));
    if (!cut_path.ok()) return cut_path.status();
    if (absl::Status s = disk.RemoveTree(*cut_path); !s.ok()) return s;
    absl::Status s = CopySealed(directory, cut.last_segment, cut.last, *cut_path, now_ms);
    if (!s.ok()) return s;
    if (s = set_aside(path, "repaired"); !s.ok()) return s;
    if (s = disk.Rename(*cut_path, path); !s.ok()) return s;
    if (s = directory.Sync(); !s.ok()) return s;
  }
  return directory.Save(ManifestAt(directory.manifest(), cut, child, now_ms));
}

}  // namespace tidemark::wal
