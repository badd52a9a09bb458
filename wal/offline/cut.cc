#include "wal/offline/cut.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "wal/consistent_cut.h"
#include "wal/recovery_plan.h"
#include "wal/segment_reader.h"
#include "wal/stream_position.h"

namespace tidemark::wal {
namespace {

std::string TextOf(const Watermarks& watermarks) {
  std::vector<uint64_t> numbers;
  for (const Sequence sequence : watermarks) numbers.push_back(sequence.value());
  return fmt::format("{}", fmt::join(numbers, ","));
}

// Histories up to and with `last`; the manifest knows it.
Manifest Through(const Manifest& manifest, HistoryId last) {
  Manifest result = manifest;
  while (result.histories.back().id != last) result.histories.pop_back();
  result.clean_stop.reset();
  return result;
}

bool Reaches(const Watermarks& at, const Watermarks& target) {
  for (size_t shard = 0; shard < at.size(); ++shard) {
    if (at[shard] < target[shard]) return false;
  }
  return true;
}

struct SeenFrame {
  const Frame& frame;
  uint64_t digest_before;
  const SegmentReader& reader;  // Behind the frame.
  uint64_t segment;
};
// False: enough.
using OnFrame = absl::FunctionRef<absl::StatusOr<bool>(const SeenFrame&)>;

// The frames of segments[first, last), which are of one history and follow each other.
// `on_segment_end` may be asked for between them.
absl::Status ReadFrames(const DataDirectory& directory, const std::vector<SegmentInfo>& segments,
                        uint64_t newest, size_t first, size_t last, OnFrame on_frame,
                        absl::FunctionRef<void()> on_segment_end) {
  for (size_t i = first; i < last; ++i) {
    const uint64_t number = segments[i].number;
    absl::StatusOr<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(
        directory.disk(), directory.SegmentPath(number),
        {.directory = directory.id(),
         .number = number,
         .tail = number == newest ? SegmentTail::kMayBeTorn : SegmentTail::kSealed});
    if (!reader.ok()) return reader.status();
    Positions stream = (*reader)->positions();
    while (true) {
      absl::StatusOr<std::optional<SegmentReader::Item>> item = (*reader)->Next();
      if (!item.ok()) return item.status();
      if (!item->has_value()) break;
      const Frame& frame = *(*item)->frame;
      const uint64_t digest_before =
          std::exchange(stream[frame.shard().value()].digest, frame.stream_digest());
      const absl::StatusOr<bool> more = on_frame(
          {.frame = frame, .digest_before = digest_before, .reader = **reader, .segment = number});
      if (!more.ok()) return more.status();
      if (!*more) return absl::OkStatus();
    }
    on_segment_end();
  }
  return absl::OkStatus();
}

class Finder {
 public:
  Finder(const DataDirectory& directory, const Survey& survey, HistoryId history)
      : directory_(directory), survey_(survey), history_(history) {}

  absl::StatusOr<Cut> Find(const Watermarks& target, const SnapshotManifest* snapshot);

 private:
  absl::Status ChooseSegments();
  absl::Status CheckSnapshot(const SnapshotManifest& snapshot) const;
  absl::StatusOr<Watermarks> ConsistentWithin(const ReplayLeg& leg);
  absl::Status Locate(const ReplayLeg& leg, const Watermarks& at, Cut& cut);
  uint64_t newest() const { return survey_.segments.back().number; }

  const DataDirectory& directory_;
  const Survey& survey_;
  const HistoryId history_;
  Manifest manifest_;
  Watermarks limit_;
  std::vector<SegmentInfo> segments_;
};

// Those of the history and of its ancestors.
absl::Status Finder::ChooseSegments() {
  segments_ = InfosOf(survey_.segments);
  size_t keep = 0;
  while (keep < segments_.size()) {
    const HistoryId of = segments_[keep].header.history;
    // One that is in the directory's manifest but no longer in ours is a descendant.
    if (manifest_.Find(of) == nullptr && directory_.manifest().Find(of) != nullptr) break;
    ++keep;
  }
  segments_.resize(keep);
  return absl::OkStatus();
}

absl::Status Finder::CheckSnapshot(const SnapshotManifest& snapshot) const {
  if (manifest_.Find(snapshot.history) == nullptr &&
      directory_.manifest().Find(snapshot.history) != nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("snapshot {} is of a later history", snapshot.number));
  }
  if (snapshot.history == history_ &&
      (snapshot.shards.size() != limit_.size() || !Reaches(limit_, snapshot.complete_at()))) {
    return absl::FailedPreconditionError(fmt::format(
        "snapshot {} is of a later moment, {}", snapshot.number, TextOf(snapshot.complete_at())));
  }
  return absl::OkStatus();
}

absl::StatusOr<Watermarks> Finder::ConsistentWithin(const ReplayLeg& leg) {
  ConsistentCut cut(leg.base);
  Watermarks reached = SequencesOf(leg.begin);
  if (Reaches(reached, limit_)) return reached;
  const absl::Status read = ReadFrames(
      directory_, segments_, newest(), leg.first, leg.first + leg.count,
      [&](const SeenFrame& seen) -> absl::StatusOr<bool> {
        const size_t shard = seen.frame.shard().value();
        if (seen.frame.first_sequence() > limit_[shard]) return true;
        if (absl::Status s = cut.Add(seen.frame); !s.ok()) return s;
        reached[shard] = std::min(seen.frame.last_sequence(), limit_[shard]);
        return !Reaches(reached, limit_);
      },
      [&] { cut.Cut(reached); });
  if (!read.ok()) return read;
  return cut.Cut(reached);
}

// The digests there, and how much of the log that takes.
absl::Status Finder::Locate(const ReplayLeg& leg, const Watermarks& at, Cut& cut) {
  cut.positions = leg.begin;
  cut.first_segment = segments_[0].number;
  cut.last_segment = segments_[leg.first].number;
  cut.last = {.sealed = false,
              .end_bytes = SegmentHeaderBytes(leg.begin.size()),
              .torn_bytes = 0,
              .frames = 0,
              .after = leg.begin};
  const auto reached = [&] { return Reaches(SequencesOf(cut.positions), at); };
  if (reached()) return absl::OkStatus();
  return ReadFrames(
      directory_, segments_, newest(), leg.first, leg.first + leg.count,
      [&](const SeenFrame& seen) -> absl::StatusOr<bool> {
        const size_t shard = seen.frame.shard().value();
        if (seen.frame.first_sequence() > at[shard]) return true;
        const absl::StatusOr<ShardPosition> position = PositionWithin(
            seen.frame, seen.digest_before, std::min(at[shard], seen.frame.last_sequence()));
        if (!position.ok()) return position.status();
        cut.positions[shard] = *position;
        cut.last_segment = seen.segment;
        cut.last = {.sealed = false,
                    .end_bytes = seen.reader.end_bytes(),
                    .torn_bytes = 0,
                    .frames = seen.reader.frames(),
                    .after = seen.reader.positions()};
        return !reached();
      },
      [] {});
}

absl::StatusOr<Cut> Finder::Find(const Watermarks& target, const SnapshotManifest* snapshot) {
  const History* const history = directory_.manifest().Find(history_);
  if (history == nullptr) {
    return absl::NotFoundError(
        fmt::format("history {:016x} is not one of this directory's", history_.value()));
  }
  if (target.size() != history->shard_count) {
    return absl::InvalidArgumentError(
        fmt::format("history {:016x} has {} shards, {} sequences "
                    "were given",
                    history_.value(), history->shard_count, target.size()));
  }
  limit_ = target;
  if (const Positions* end = directory_.manifest().EndOf(history_)) {
    for (size_t i = 0; i < limit_.size(); ++i) limit_[i] = std::min(limit_[i], (*end)[i].sequence);
  }
  manifest_ = Through(directory_.manifest(), history_);
  if (absl::Status s = ChooseSegments(); !s.ok()) return s;
  std::optional<SnapshotInfo> info;
  if (snapshot != nullptr) {
    if (absl::Status s = CheckSnapshot(*snapshot); !s.ok()) return s;
    info = InfoOf(*snapshot);
    std::erase_if(segments_,
                  [&](const SegmentInfo& each) { return each.number < info->first_segment; });
  }
  absl::StatusOr<RecoveryPlan> plan =
      PlanRecovery(manifest_, segments_, info.has_value() ? &*info : nullptr);
  if (!plan.ok()) return plan.status();

  Cut cut;
  cut.history = history_;
  cut.snapshot = snapshot != nullptr ? snapshot->number : 0;
  const bool written = !plan->legs.empty() && plan->legs.back().history == history_;
  const Positions begin = written ? plan->legs.back().begin : BeginOf(*history);
  if (!Reaches(limit_, SequencesOf(begin))) {
    return absl::FailedPreconditionError(
        fmt::format("the log of history {:016x} begins only after {}", history_.value(),
                    TextOf(SequencesOf(begin))));
  }
  if (written) {
    const absl::StatusOr<Watermarks> at = ConsistentWithin(plan->legs.back());
    if (!at.ok()) return at.status();
    if (absl::Status s = Locate(plan->legs.back(), *at, cut); !s.ok()) return s;
    return cut;
  }
  // Nothing was ever written in it: all of its ancestors is needed, and they are sealed.
  cut.positions = begin;
  if (segments_.empty()) return cut;
  cut.first_segment = segments_.front().number;
  cut.last_segment = segments_.back().number;
  cut.last.sealed = true;
  return cut;
}

}  // namespace

absl::StatusOr<Cut> FindCutFrom(const DataDirectory& directory, const Survey& survey,
                                HistoryId history, const Watermarks& target,
                                const SnapshotManifest* snapshot) {
  return Finder(directory, survey, history).Find(target, snapshot);
}

absl::StatusOr<Cut> FindCut(const DataDirectory& directory, const Survey& survey, HistoryId history,
                            const Watermarks& target) {
  std::string refusals;
  const auto refuse = [&](const absl::Status& why) {
    refusals += (refusals.empty() ? "" : "; ") + std::string(why.message());
  };
  for (size_t i = survey.snapshots.size(); i-- > 0;) {
    const absl::StatusOr<SnapshotManifest>& manifest = survey.snapshots[i].manifest;
    if (!manifest.ok()) {
      refuse(manifest.status());
      continue;
    }
    absl::StatusOr<Cut> cut = FindCutFrom(directory, survey, history, target, &*manifest);
    if (cut.ok() || !IsDamage(cut.status()) || absl::IsInvalidArgument(cut.status())) return cut;
    refuse(cut.status());
  }
  absl::StatusOr<Cut> cut = FindCutFrom(directory, survey, history, target, nullptr);
  if (cut.ok() || refusals.empty()) return cut;
  refuse(cut.status());
  return absl::Status(cut.status().code(), refusals);
}

absl::StatusOr<Target> TargetAt(const DataDirectory& directory, const Survey& survey,
                                int64_t time_ms) {
  const History* history = nullptr;
  for (const History& each : directory.manifest().histories) {
    if (each.born_ms <= time_ms) history = &each;
  }
  if (history == nullptr) {
    return absl::FailedPreconditionError("all that this directory knows is later than that");
  }
  const std::vector<SegmentInfo> segments = InfosOf(survey.segments);
  const auto is_of_it = [&](const SegmentInfo& each) { return each.header.history == history->id; };
  const auto first = std::find_if(segments.begin(), segments.end(), is_of_it);
  const auto last = std::find_if_not(first, segments.end(), is_of_it);
  Target target{.history = history->id, .sequences = SequencesOf(BeginOf(*history))};
  if (first == segments.end()) return target;
  target.sequences = SequencesOf(first->header.before);
  std::vector<bool> later(target.sequences.size());
  const absl::Status read = ReadFrames(
      directory, segments, survey.segments.back().number,
      static_cast<size_t>(first - segments.begin()), static_cast<size_t>(last - segments.begin()),
      [&](const SeenFrame& seen) -> absl::StatusOr<bool> {
        const size_t shard = seen.frame.shard().value();
        if (seen.frame.sealed_at_ms() > time_ms) later[shard] = true;
        if (!later[shard]) target.sequences[shard] = seen.frame.last_sequence();
        return true;
      },
      [] {});
  if (!read.ok()) return read;
  return target;
}

Manifest ManifestAt(const Manifest& manifest, const Cut& cut, HistoryId child, int64_t now_ms) {
  Manifest result = Through(manifest, cut.history);
  result.Add({.id = child,
              .shard_count = result.histories.back().shard_count,
              .born_ms = now_ms,
              .parent = cut.history,
              .fork = cut.positions});
  return result;
}

}  // namespace tidemark::wal
