#include "wal/pruner.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/crash_point.h"
#include "base/log/log.h"
#include "wal/disk/disk.h"
#include "wal/snapshot_reader.h"

namespace tidemark::wal {

PrunePlan PlanPrune(const std::vector<SnapshotOnDisk>& snapshots, size_t keep) {
  CHECK(keep >= 1);
  PrunePlan plan;
  size_t kept = 0;
  uint64_t lowest = 0;
  for (auto snapshot = snapshots.rbegin(); snapshot != snapshots.rend(); ++snapshot) {
    if (snapshot->whole && kept < keep) {
      ++kept;
      lowest = kept == 1 ? snapshot->first_segment : std::min(lowest, snapshot->first_segment);
    } else if (kept > 0) {
      plan.snapshots.push_back(snapshot->number);
    }
  }
  std::reverse(plan.snapshots.begin(), plan.snapshots.end());
  if (kept == keep) plan.segment_floor = lowest;
  return plan;
}

absl::StatusOr<Pruner::Pruned> Pruner::Run() {
  const absl::StatusOr<std::vector<SnapshotOnDisk>> snapshots = LookAtSnapshots();
  if (!snapshots.ok()) return snapshots.status();
  const PrunePlan plan = PlanPrune(*snapshots, options_.keep_snapshots);
  Pruned pruned;
  for (uint64_t number : plan.snapshots) {
    if (const absl::Status status = directory_.RemoveSnapshot(number); !status.ok()) return status;
    ++pruned.snapshots;
  }

  const absl::StatusOr<std::vector<SegmentSize>> segments = LookAtSegments(plan.segment_floor);
  if (!segments.ok()) return segments.status();
  const uint64_t floor = retention_.Settle(*segments, plan.segment_floor);
  for (const SegmentSize& segment : *segments) {
    if (segment.number >= floor) break;
    const absl::Status status = directory_.disk().Remove(directory_.SegmentPath(segment.number));
    if (!status.ok()) return status;
    CrashPoint("prune.segment_removed");
    ++pruned.segments;
    pruned.segment_bytes += segment.bytes;
  }
  if (pruned.segments == 0) return pruned;
  if (const absl::Status status = directory_.Sync(); !status.ok()) return status;
  return pruned;
}

absl::StatusOr<std::vector<SnapshotOnDisk>> Pruner::LookAtSnapshots() const {
  const absl::StatusOr<std::vector<uint64_t>> numbers = directory_.ListSnapshots();
  if (!numbers.ok()) return numbers.status();
  std::vector<SnapshotOnDisk> snapshots;
  for (uint64_t number : *numbers) {
    const auto snapshot = SnapshotReader::Open(directory_.disk(), directory_.SnapshotPath(number),
                                               {directory_.id(), number});
    if (snapshot.ok()) {
      snapshots.push_back({number, (*snapshot)->manifest().first_segment, true});
    } else if (absl::IsDataLoss(snapshot.status())) {
      const absl::string_view text = snapshot.status().message();
      Log(LogLevel::kWarning,
          fmt::format("a snapshot is of no use: {}", std::string_view(text.data(), text.size())));
      snapshots.push_back({number, 0, false});
    } else {
      return snapshot.status();
    }
  }
  return snapshots;
}

absl::StatusOr<std::vector<SegmentSize>> Pruner::LookAtSegments(uint64_t below) const {
  const absl::StatusOr<std::vector<uint64_t>> numbers = directory_.ListSegments();
  if (!numbers.ok()) return numbers.status();
  std::vector<SegmentSize> segments;
  for (uint64_t number : *numbers) {
    // The newest is the log's own, whatever a manifest says.
    if (number >= below || number == numbers->back()) break;
    const auto file = directory_.disk().OpenFile(directory_.SegmentPath(number), Disk::Open::kRead);
    if (!file.ok()) return file.status();
    const absl::StatusOr<uint64_t> bytes = (*file)->Size();
    if (!bytes.ok()) return bytes.status();
    segments.push_back({number, *bytes});
  }
  return segments;
}

}  // namespace tidemark::wal
