#include "wal/recovery_plan.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace tidemark::wal {
namespace {

class Planner {
 public:
  Planner(const Manifest& manifest, const std::vector<SegmentInfo>& segments,
          const SnapshotInfo* snapshot)
      : manifest_(manifest), segments_(segments), snapshot_(snapshot) {}

  absl::StatusOr<RecoveryPlan> Plan();

 private:
  absl::Status ChooseSegments();
  absl::Status CutIntoLegs();
  absl::Status CheckBeginning();
  absl::Status CheckChange(const ReplayLeg& from, const ReplayLeg& to) const;
  absl::Status FindEnds();
  absl::Status ApplySnapshot();
  absl::Status CheckNewest();

  // Its place in the manifest; none if it has been forgotten.
  std::optional<size_t> IndexOf(HistoryId id) const;
  const Manifest& manifest_;
  const std::vector<SegmentInfo>& segments_;
  const SnapshotInfo* const snapshot_;
  size_t first_ = 0;  // Of segments_, to be replayed.
  RecoveryPlan plan_;
};

absl::Status Refuse(std::string_view problem) {
  return absl::DataLossError({problem.data(), problem.size()});
}

std::string Hex(HistoryId id) { return fmt::format("{:016x}", id.value()); }

// Null: equal.
std::optional<size_t> FirstDifference(const Positions& a, const Positions& b) {
  if (a.size() != b.size()) return std::min(a.size(), b.size());
  for (size_t shard = 0; shard < a.size(); ++shard) {
    if (a[shard] != b[shard]) return shard;
  }
  return std::nullopt;
}

absl::StatusOr<RecoveryPlan> Planner::Plan() {
  for (const auto step : {&Planner::ChooseSegments, &Planner::CutIntoLegs, &Planner::CheckBeginning,
                          &Planner::FindEnds, &Planner::ApplySnapshot, &Planner::CheckNewest}) {
    if (const absl::Status status = (this->*step)(); !status.ok()) return status;
  }
  return std::move(plan_);
}

std::optional<size_t> Planner::IndexOf(HistoryId id) const {
  for (size_t i = 0; i < manifest_.histories.size(); ++i) {
    if (manifest_.histories[i].id == id) return i;
  }
  return std::nullopt;
}

// Numbers must be without a gap from the first that is needed.
absl::Status Planner::ChooseSegments() {
  const uint64_t first = snapshot_ != nullptr ? snapshot_->first_segment : 1;
  while (first_ < segments_.size() && segments_[first_].number < first) ++first_;
  uint64_t expected = first;
  for (size_t i = first_; i < segments_.size(); ++i, ++expected) {
    if (segments_[i].number == expected) continue;
    return Refuse(snapshot_ == nullptr && i == first_
                      ? fmt::format("{} is missing, and no snapshot covers it", SegmentName(1))
                      : fmt::format("{} is missing", SegmentName(expected)));
  }
  if (snapshot_ != nullptr && first_ == segments_.size()) {
    return Refuse(fmt::format("{} is missing, where the log goes on after snapshot {}",
                              SegmentName(first), snapshot_->number));
  }
  return absl::OkStatus();
}

absl::Status Planner::CutIntoLegs() {
  for (size_t i = first_; i < segments_.size(); ++i) {
    const SegmentHeader& header = segments_[i].header;
    if (!plan_.legs.empty() && plan_.legs.back().history == header.history) {
      if (header.before.size() != plan_.legs.back().begin.size()) {
        return Refuse(fmt::format("{} has {} shards, the one before {}, in the same history",
                                  SegmentName(segments_[i].number), header.before.size(),
                                  plan_.legs.back().begin.size()));
      }
      ++plan_.legs.back().count;
      continue;
    }
    ReplayLeg leg;
    leg.history = header.history;
    leg.first = i;
    leg.count = 1;
    leg.begin = header.before;
    leg.skip_through = leg.begin;
    leg.base = SequencesOf(leg.begin);
    if (!plan_.legs.empty()) {
      if (const absl::Status status = CheckChange(plan_.legs.back(), leg); !status.ok()) {
        return status;
      }
    }
    plan_.legs.push_back(std::move(leg));
  }
  return absl::OkStatus();
}

// The log goes over to a descendant, at the very point where that one began. Histories between them
// were never written in.
absl::Status Planner::CheckChange(const ReplayLeg& from, const ReplayLeg& to) const {
  const std::string name = SegmentName(segments_[to.first].number);
  const std::optional<size_t> to_index = IndexOf(to.history);
  const std::optional<size_t> from_index = IndexOf(from.history);
  if (!to_index.has_value()) {
    if (!from_index.has_value()) return absl::OkStatus();  // Both forgotten.
    return Refuse(
        fmt::format("{} is of history {}, which MANIFEST does not know", name, Hex(to.history)));
  }
  if (from_index.has_value() && *from_index >= *to_index) {
    return Refuse(fmt::format("{} is of history {}, an ancestor of the one before it", name,
                              Hex(to.history)));
  }
  const History& history = manifest_.histories[*to_index];
  if (FirstDifference(BeginOf(history), to.begin).has_value()) {
    return Refuse(fmt::format("{} is not the first of history {}: segments before it are missing",
                              name, Hex(to.history)));
  }
  for (size_t i = from_index.has_value() ? *from_index + 1 : *to_index; i < *to_index; ++i) {
    if (FirstDifference(BeginOf(manifest_.histories[i]), manifest_.histories[i + 1].fork)) {
      return Refuse(fmt::format("the segments of history {}, before {}, are missing",
                                Hex(manifest_.histories[i].id), name));
    }
  }
  return absl::OkStatus();
}

// Without a snapshot the first frame must be the first there ever was.
absl::Status Planner::CheckBeginning() {
  if (snapshot_ != nullptr || plan_.legs.empty()) return absl::OkStatus();
  const ReplayLeg& leg = plan_.legs.front();
  if (FirstDifference(leg.begin, Positions(leg.begin.size())).has_value()) {
    return Refuse(
        fmt::format("{} does not begin with the first frame, and no snapshot covers "
                    "what was before",
                    SegmentName(segments_[leg.first].number)));
  }
  return absl::OkStatus();
}

absl::Status Planner::FindEnds() {
  for (size_t i = 0; i < plan_.legs.size(); ++i) {
    ReplayLeg& leg = plan_.legs[i];
    if (const Positions* end = manifest_.EndOf(leg.history)) {
      leg.end = *end;
    } else if (i + 1 < plan_.legs.size()) {
      // Forgotten by the manifest. The child's first segment knows, unless it counts anew.
      const Positions& next = plan_.legs[i + 1].begin;
      if (next.size() != leg.begin.size()) {
        return Refuse(
            fmt::format("MANIFEST has forgotten where history {} ended", Hex(leg.history)));
      }
      leg.end = next;
    } else if (!manifest_.histories.empty() && leg.history != manifest_.histories.back().id) {
      return Refuse(fmt::format("{} is of history {}, which MANIFEST does not know",
                                SegmentName(segments_[leg.first].number), Hex(leg.history)));
    }
    if (!leg.end.has_value()) continue;
    if (leg.end->size() != leg.begin.size()) {
      return Refuse(fmt::format("MANIFEST gives history {} {} shards, its segments {}",
                                Hex(leg.history), leg.end->size(), leg.begin.size()));
    }
    leg.base = SequencesOf(*leg.end);
  }
  return absl::OkStatus();
}

absl::Status Planner::ApplySnapshot() {
  if (snapshot_ == nullptr) return absl::OkStatus();
  ReplayLeg& leg = plan_.legs.front();
  const std::string name = fmt::format("snapshot {}", snapshot_->number);
  if (snapshot_->history != leg.history || snapshot_->watermark.size() != leg.begin.size() ||
      snapshot_->complete_at.size() != leg.begin.size()) {
    return Refuse(fmt::format("{} is of history {} with {} shards, {} of history {} with {}", name,
                              Hex(snapshot_->history), snapshot_->watermark.size(),
                              SegmentName(segments_[leg.first].number), Hex(leg.history),
                              leg.begin.size()));
  }
  for (size_t shard = 0; shard < leg.begin.size(); ++shard) {
    const Sequence watermark = snapshot_->watermark[shard].sequence;
    const Sequence complete_at = snapshot_->complete_at[shard];
    if (watermark < leg.begin[shard].sequence) {
      return Refuse(fmt::format("{} ends at sequence {} of shard {}, {} begins after {}", name,
                                watermark.value(), shard, SegmentName(segments_[leg.first].number),
                                leg.begin[shard].sequence.value()));
    }
    if (watermark == leg.begin[shard].sequence &&
        snapshot_->watermark[shard].digest != leg.begin[shard].digest) {
      return Refuse(fmt::format("{} and {} are not of the same stream in shard {}", name,
                                SegmentName(segments_[leg.first].number), shard));
    }
    if (complete_at < watermark ||
        (leg.end.has_value() && complete_at > (*leg.end)[shard].sequence)) {
      return Refuse(fmt::format("{} goes beyond the end of its history {} in shard {}", name,
                                Hex(leg.history), shard));
    }
  }
  leg.skip_through = snapshot_->watermark;
  if (!leg.end.has_value()) leg.base = snapshot_->complete_at;
  return absl::OkStatus();
}

absl::Status Planner::CheckNewest() {
  if (manifest_.histories.empty()) {
    if (plan_.legs.empty()) return absl::OkStatus();
    return Refuse("there are segments, but MANIFEST knows no history");
  }
  const History& newest = manifest_.histories.back();
  if (!plan_.legs.empty() && plan_.legs.back().history == newest.id) return absl::OkStatus();
  // A process died between saving the manifest and its first segment.
  plan_.unused_newest = BeginOf(newest);
  const HistoryId last = plan_.legs.empty() ? HistoryId() : plan_.legs.back().history;
  const std::optional<size_t> last_index = IndexOf(last);
  for (size_t i = last_index.has_value() ? *last_index + 1 : 0; i + 1 < manifest_.histories.size();
       ++i) {
    if (FirstDifference(BeginOf(manifest_.histories[i]), manifest_.histories[i + 1].fork)) {
      return Refuse(
          fmt::format("the segments of history {} are missing", Hex(manifest_.histories[i].id)));
    }
  }
  if (plan_.legs.empty() && FirstDifference(BeginOf(manifest_.histories[0]),
                                            Positions(manifest_.histories[0].shard_count))) {
    return Refuse("the segments that MANIFEST speaks of are missing");
  }
  return absl::OkStatus();
}

}  // namespace

Positions BeginOf(const History& history) {
  if (history.fork.size() == history.shard_count) return history.fork;
  return Positions(history.shard_count);
}

absl::StatusOr<RecoveryPlan> PlanRecovery(const Manifest& manifest,
                                          const std::vector<SegmentInfo>& segments,
                                          const SnapshotInfo* snapshot) {
  return Planner(manifest, segments, snapshot).Plan();
}

std::string SegmentName(uint64_t number) { return fmt::format("wal-{:020}.seg", number); }

}  // namespace tidemark::wal
