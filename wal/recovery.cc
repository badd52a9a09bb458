#include "wal/recovery.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log/log.h"
#include "fmt/format.h"
#include "wal/data_directory.h"
#include "wal/frames_beyond.h"
#include "wal/log_replay.h"
#include "wal/recovery_plan.h"
#include "wal/segment_reader.h"
#include "wal/snapshot_reader.h"
#include "wal/torn_segment.h"

namespace tidemark::wal {
namespace {

class Recovery {
 public:
  Recovery(DataDirectory& directory, const RecoveryOptions& options, RecoverySink& sink,
           RecoveryProgress* progress)
      : directory_(directory), options_(options), sink_(sink), progress_(progress) {}

  absl::StatusOr<Recovered> Run();

 private:
  // Reading; nothing on disk is changed.
  absl::Status Read();
  absl::Status ReadHeaders();
  absl::Status LoadSnapshotAndPlan();
  absl::Status PassOver(uint64_t snapshot, const absl::Status& why);
  void ExpectBytes(const SnapshotReader* snapshot);
  absl::Status Replay();
  absl::Status CheckCleanStop() const;
  void NameDiscarded(const Positions& log_end);
  absl::Status FindBeyond();

  // Whether files of these numbers belong to what is recovered, see Manifest.
  bool CountsSegment(uint64_t number) const;
  bool CountsSnapshot(uint64_t number) const;

  // Writing, in this order.
  absl::Status RemoveWhatDoesNotCount();
  absl::Status MendNewestSegment();
  absl::Status SaveHistory();

  DataDirectory& directory_;
  const RecoveryOptions& options_;
  RecoverySink& sink_;
  RecoveryProgress* const progress_;

  std::vector<SegmentInfo> segments_;
  // The newest number if not even its header is whole, and how much of the file is not zeros.
  std::optional<uint64_t> unbegun_;
  uint64_t unbegun_bytes_ = 0;
  RecoveryPlan plan_;
  std::string passed_over_;  // Why the newest snapshot was; empty: it was not.
  Positions reached_;        // In the newest history; empty if there is none.
  std::optional<SegmentEnd> newest_;
  Recovered result_;
};

// Whoever reads the error knows what to do.
absl::Status WithAdvice(const absl::Status& problem, const std::string& directory) {
  if (!absl::IsDataLoss(problem) && !absl::IsFailedPrecondition(problem)) return problem;
  return absl::Status(
      problem.code(),
      fmt::format("{}: {}; put missing or damaged files back, or see what can be saved: tidectl "
                  "log repair {}",
                  directory, std::string_view(problem.message().data(), problem.message().size()),
                  directory));
}

// Of a snapshot, as opposed to the disk that it is on.
bool IsDamage(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
         absl::IsFailedPrecondition(status);
}

absl::StatusOr<Recovered> Recovery::Run() {
  if (options_.shard_count < 1 || options_.shard_count > kMaxShards ||
      options_.fresh_history == HistoryId() ||
      directory_.manifest().Find(options_.fresh_history) != nullptr) {
    return absl::InvalidArgumentError("recovery: a shard count or a fresh history that cannot be");
  }
  if (directory_.manifest().restart.has_value() && !options_.follow) {
    return absl::FailedPreconditionError(fmt::format(
        "{} is a replica's, and a full sync from its primary is not yet whole in it: start it as a "
        "replica, which completes the sync, or falls back to what was there before",
        directory_.path()));
  }
  if (const absl::Status status = Read(); !status.ok()) {
    return WithAdvice(status, directory_.path());
  }
  if (const absl::Status status = sink_.OnEnd(); !status.ok()) return status;
  if (const absl::Status status = RemoveWhatDoesNotCount(); !status.ok()) return status;
  if (const absl::Status status = MendNewestSegment(); !status.ok()) return status;
  if (options_.follow) {
    if (const absl::Status status = FindBeyond(); !status.ok()) return status;
  }
  if (const absl::Status status = SaveHistory(); !status.ok()) return status;
  return std::move(result_);
}

bool Recovery::CountsSegment(uint64_t number) const {
  const Manifest& manifest = directory_.manifest();
  return number >= manifest.first.segment &&
         (!manifest.restart || number < manifest.restart->segment);
}

bool Recovery::CountsSnapshot(uint64_t number) const {
  const Manifest& manifest = directory_.manifest();
  return number >= manifest.first.snapshot &&
         (!manifest.restart || number < manifest.restart->snapshot);
}

// What a full sync left behind: the one before, which it replaced, or itself, half done.
absl::Status Recovery::RemoveWhatDoesNotCount() {
  const Manifest& manifest = directory_.manifest();
  if (manifest.first == FilesFrom() && !manifest.restart) return absl::OkStatus();
  const absl::StatusOr<std::vector<uint64_t>> snapshots = directory_.ListSnapshots();
  if (!snapshots.ok()) return snapshots.status();
  for (const uint64_t number : *snapshots) {
    if (CountsSnapshot(number)) continue;
    if (const absl::Status s = directory_.RemoveSnapshot(number); !s.ok()) return s;
  }
  const absl::StatusOr<std::vector<uint64_t>> segments = directory_.ListSegments();
  if (!segments.ok()) return segments.status();
  for (const uint64_t number : *segments) {
    if (CountsSegment(number)) continue;
    const absl::Status s = directory_.disk().Remove(directory_.SegmentPath(number));
    if (!s.ok()) return s;
  }
  return directory_.Sync();
}

// What a log that goes on must know of the transactions that were not whole at its end.
absl::Status Recovery::FindBeyond() {
  if (!newest_.has_value() || plan_.unused_newest.has_value()) return absl::OkStatus();
  if (result_.log_end == reached_) return absl::OkStatus();
  absl::StatusOr<std::vector<FrameRef>> beyond =
      FramesBeyond(directory_, plan_.legs.back().history, SequencesOf(reached_));
  if (!beyond.ok()) return beyond.status();
  result_.beyond = *std::move(beyond);
  return absl::OkStatus();
}

absl::Status Recovery::Read() {
  if (const absl::Status status = ReadHeaders(); !status.ok()) return status;
  if (const absl::Status status = LoadSnapshotAndPlan(); !status.ok()) return status;
  if (const absl::Status status = Replay(); !status.ok()) return status;
  return CheckCleanStop();
}

absl::Status Recovery::ReadHeaders() {
  absl::StatusOr<std::vector<uint64_t>> numbers = directory_.ListSegments();
  if (!numbers.ok()) return numbers.status();
  std::erase_if(*numbers, [this](uint64_t number) { return !CountsSegment(number); });
  for (const uint64_t number : *numbers) {
    const std::string path = directory_.SegmentPath(number);
    const bool newest = number == numbers->back();
    const absl::StatusOr<std::unique_ptr<SegmentReader>> reader =
        SegmentReader::Open(directory_.disk(), path,
                            {.directory = directory_.id(),
                             .number = number,
                             .tail = newest ? SegmentTail::kMayBeTorn : SegmentTail::kSealed});
    if (!reader.ok()) return reader.status();
    if ((*reader)->header() == nullptr) {
      // Damage of a header that frames follow is an error of Next().
      const absl::StatusOr<std::optional<SegmentReader::Item>> none = (*reader)->Next();
      if (!none.ok()) return none.status();
      CHECK(!none->has_value());
      unbegun_ = number;
      unbegun_bytes_ = (*reader)->torn_bytes();
      continue;
    }
    const absl::StatusOr<std::unique_ptr<File>> file =
        directory_.disk().OpenFile(path, Disk::Open::kRead);
    if (!file.ok()) return file.status();
    const absl::StatusOr<uint64_t> size = (*file)->Size();
    if (!size.ok()) return size.status();
    segments_.push_back({.number = number, .file_bytes = *size, .header = *(*reader)->header()});
  }
  return absl::OkStatus();
}

absl::Status Recovery::LoadSnapshotAndPlan() {
  absl::StatusOr<std::vector<uint64_t>> numbers = directory_.ListSnapshots();
  if (!numbers.ok()) return numbers.status();
  std::erase_if(*numbers, [this](uint64_t number) { return !CountsSnapshot(number); });
  const auto plan_with = [&](const SnapshotInfo* snapshot) {
    absl::StatusOr<RecoveryPlan> plan = PlanRecovery(directory_.manifest(), segments_, snapshot);
    if (!plan.ok()) {
      if (passed_over_.empty()) return plan.status();
      return absl::DataLossError(fmt::format(
          "{}; and without that snapshot the log cannot be replayed: {}", passed_over_,
          std::string_view(plan.status().message().data(), plan.status().message().size())));
    }
    plan_ = *std::move(plan);
    return absl::OkStatus();
  };
  for (; !numbers->empty(); numbers->pop_back()) {
    const uint64_t number = numbers->back();
    const absl::StatusOr<std::unique_ptr<SnapshotReader>> opened =
        SnapshotReader::Open(directory_.disk(), directory_.SnapshotPath(number),
                             {.directory = directory_.id(), .number = number});
    if (!opened.ok()) {
      if (const absl::Status s = PassOver(number, opened.status()); !s.ok()) return s;
      continue;
    }
    const SnapshotManifest& manifest = (*opened)->manifest();
    const SnapshotInfo info{.number = number,
                            .history = manifest.history,
                            .watermark = manifest.watermarks(),
                            .complete_at = manifest.complete_at(),
                            .first_segment = manifest.first_segment};
    if (const absl::Status s = plan_with(&info); !s.ok()) return s;
    ExpectBytes(opened->get());
    const absl::Status loaded = sink_.OnSnapshot(**opened, progress_);
    if (loaded.ok()) {
      result_.snapshot = number;
      return absl::OkStatus();
    }
    if (const absl::Status s = PassOver(number, loaded); !s.ok()) return s;
    if (const absl::Status s = sink_.OnReset(); !s.ok()) return s;
  }
  if (const absl::Status s = plan_with(nullptr); !s.ok()) return s;
  ExpectBytes(nullptr);
  return absl::OkStatus();
}

// The one before is tried. What the snapshot has and the log has not any more is then missed by the
// plan.
absl::Status Recovery::PassOver(uint64_t snapshot, const absl::Status& why) {
  if (!IsDamage(why)) return why;
  const std::string text =
      fmt::format("snapshot {} cannot be used: {}", snapshot,
                  std::string_view(why.message().data(), why.message().size()));
  Log(LogLevel::kWarning, fmt::format("{}: {}; trying to do without it", directory_.path(), text));
  if (passed_over_.empty()) passed_over_ = text;
  ++result_.snapshots_passed_over;
  return absl::OkStatus();
}

void Recovery::ExpectBytes(const SnapshotReader* snapshot) {
  if (progress_ == nullptr) return;
  uint64_t bytes = snapshot != nullptr ? snapshot->manifest().bytes() : 0;
  for (const ReplayLeg& leg : plan_.legs) {
    for (size_t i = leg.first; i < leg.first + leg.count; ++i) bytes += segments_[i].file_bytes;
  }
  progress_->loaded_bytes.store(0, std::memory_order_relaxed);
  progress_->loaded_records.store(0, std::memory_order_relaxed);
  progress_->total_bytes.store(bytes, std::memory_order_relaxed);
}

absl::Status Recovery::Replay() {
  LogReplay replay(
      directory_, segments_, sink_,
      {.newest_tail = unbegun_.has_value() ? SegmentTail::kSealed : SegmentTail::kMayBeTorn,
       .max_window_bytes = options_.max_window_bytes,
       .progress = progress_});
  if (const absl::Status status = replay.Run(plan_); !status.ok()) return status;
  newest_ = replay.newest();
  result_.records = replay.records();
  result_.segments = replay.segments_read();
  if (plan_.unused_newest.has_value()) {
    reached_ = result_.log_end = result_.borders = *plan_.unused_newest;
  } else {
    reached_ = replay.reached();
    result_.log_end = replay.log_end();
    result_.borders = replay.borders();
    // A replica keeps them: the rest of the transactions is on its way.
    if (!options_.follow) NameDiscarded(replay.log_end());
  }
  return absl::OkStatus();
}

void Recovery::NameDiscarded(const Positions& log_end) {
  for (size_t shard = 0; shard < log_end.size(); ++shard) {
    if (log_end[shard] == reached_[shard]) continue;
    const DiscardedSpan span{.history = plan_.legs.back().history,
                             .shard = ShardId(static_cast<uint16_t>(shard)),
                             .first = Next(reached_[shard].sequence),
                             .last = log_end[shard].sequence};
    Log(LogLevel::kWarning,
        fmt::format("{}: shard {}: sequences {} to {} are discarded, as the log lacks another "
                    "shard's part of a transaction in them",
                    directory_.path(), shard, span.first.value(), span.last.value()));
    result_.discarded.push_back(span);
  }
}

// A clean stop knows how far the log goes; not even its last segment can then be missed.
absl::Status Recovery::CheckCleanStop() const {
  const std::optional<Positions>& stop = directory_.manifest().clean_stop;
  if (!stop.has_value()) return absl::OkStatus();
  for (size_t shard = 0; shard < std::min(stop->size(), reached_.size()); ++shard) {
    if (reached_[shard].sequence >= (*stop)[shard].sequence) continue;
    return absl::DataLossError(
        fmt::format("the log ends too early: shard {} is at sequence {}, and the last process "
                    "stopped cleanly at {}: its last segments are missing",
                    shard, reached_[shard].sequence.value(), (*stop)[shard].sequence.value()));
  }
  return absl::OkStatus();
}

absl::Status Recovery::MendNewestSegment() {
  absl::StatusOr<std::string> saved_as;
  if (newest_.has_value() && !newest_->sealed) {
    result_.torn_bytes = newest_->torn_bytes;
    saved_as = CutAndSeal(directory_, segments_.back().number, *newest_, options_.now_ms);
  } else if (unbegun_.has_value()) {
    result_.torn_bytes = unbegun_bytes_;
    saved_as = RemoveUnbegun(directory_, *unbegun_, unbegun_bytes_);
  } else {
    saved_as = std::string();
    if (newest_.has_value() && !directory_.manifest().clean_stop.has_value()) {
      const absl::Status rewritten = RewriteSegment(directory_, segments_.back().number);
      if (!rewritten.ok()) return rewritten;
    }
  }
  if (!saved_as.ok()) return saved_as.status();
  result_.torn_saved_as = *std::move(saved_as);
  result_.next_segment = segments_.empty()
                             ? std::max<uint64_t>(1, directory_.manifest().first.segment)
                             : segments_.back().number + 1;
  return absl::OkStatus();
}

absl::Status Recovery::SaveHistory() {
  Manifest manifest = directory_.manifest();
  const bool was_clean = manifest.clean_stop.has_value() && *manifest.clean_stop == reached_ &&
                         result_.torn_bytes == 0 && result_.discarded.empty();
  manifest.clean_stop.reset();
  result_.was_follower = manifest.follows;
  result_.dropped_restart = manifest.restart.has_value();
  manifest.follows = options_.follow;
  manifest.restart.reset();
  const bool any = !manifest.histories.empty();
  const bool same_shards = any && manifest.histories.back().shard_count == options_.shard_count;
  // A history without a segment has never been told to anyone: a recovery was interrupted after
  // it had made it. Going on in it makes the second one's outcome the first one's.
  // Nor does a replica's history, in which its primary goes on.
  result_.same_history = options_.follow || (same_shards && !result_.was_follower &&
                                             (was_clean || plan_.unused_newest.has_value()));
  result_.new_directory = segments_.empty() && result_.snapshot == 0;
  if (!result_.same_history) {
    manifest.Add({.id = options_.fresh_history,
                  .shard_count = static_cast<uint16_t>(options_.shard_count),
                  .born_ms = options_.now_ms,
                  .parent = any ? manifest.histories.back().id : HistoryId(),
                  .fork = any ? reached_ : Positions()});
  }
  if (!manifest.histories.empty()) {
    result_.history = manifest.histories.back().id;
    result_.positions = result_.same_history ? reached_ : BeginOf(manifest.histories.back());
  }
  for (size_t i = 0; i + 1 < manifest.histories.size(); ++i) {
    result_.ancestors.push_back({manifest.histories[i].id, manifest.histories[i + 1].fork});
  }
  if (manifest == directory_.manifest()) return absl::OkStatus();
  return directory_.Save(std::move(manifest));
}

}  // namespace

absl::Status RecoverySink::OnSnapshot(const SnapshotReader& snapshot, RecoveryProgress* progress) {
  for (size_t shard = 0; shard < snapshot.manifest().shards.size(); ++shard) {
    absl::StatusOr<std::unique_ptr<SnapshotShardReader>> reader =
        snapshot.OpenShard(ShardId(static_cast<uint16_t>(shard)));
    if (!reader.ok()) return reader.status();
    uint64_t counted = 0;
    while (true) {
      absl::StatusOr<FrameRef> chunk = (*reader)->Next();
      if (!chunk.ok()) return chunk.status();
      if (*chunk == nullptr) break;
      if (progress != nullptr) {
        progress->loaded_records.fetch_add((*chunk)->record_count(), std::memory_order_relaxed);
        progress->loaded_bytes.fetch_add((*reader)->read_bytes() - counted,
                                         std::memory_order_relaxed);
        counted = (*reader)->read_bytes();
      }
      if (const absl::Status s = OnSnapshotChunk(*std::move(chunk)); !s.ok()) return s;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Recovered> Recover(DataDirectory& directory, const RecoveryOptions& options,
                                  RecoverySink& sink, RecoveryProgress* progress) {
  return Recovery(directory, options, sink, progress).Run();
}

}  // namespace tidemark::wal
