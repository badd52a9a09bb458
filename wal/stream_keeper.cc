#include "wal/stream_keeper.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/crash_point.h"
#include "base/log/log.h"
#include "fmt/format.h"
#include "wal/frames_beyond.h"

namespace tidemark::wal {
namespace {

std::string Text(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

StreamKeeper::StreamKeeper(DataDirectory& directory, Log::Options options)
    : directory_(directory), options_(std::move(options)) {}

StreamKeeper::~StreamKeeper() {
  if (log_ != nullptr) log_->Stop().IgnoreError();
}

absl::Status StreamKeeper::Begin(const Recovered& recovered) {
  const std::lock_guard changing(changing_);
  if (recovered.history == HistoryId()) return absl::OkStatus();
  LogBegin begin{.history = recovered.history,
                 .positions = recovered.positions,
                 .next_segment = recovered.next_segment};
  if (!recovered.beyond.empty()) {
    begin.positions = recovered.log_end;
    begin.cut = SequencesOf(recovered.positions);
    begin.beyond = recovered.beyond;
  }
  return OpenLog(begin);
}

// --- Changes ---

absl::StatusOr<std::shared_ptr<Log>> StreamKeeper::Continue(HistoryId continues, HistoryId history,
                                                            const Positions& at) {
  const std::lock_guard changing(changing_);
  if (absl::Status s = Settle(); !s.ok()) return s;
  named_ = false;
  if (restarted_.has_value() && !restarted_->served) {
    if (absl::Status s = RemoveRestart(); !s.ok()) return Broke(std::move(s));
    if (absl::Status s = ReopenReplaced(); !s.ok()) return Broke(std::move(s));
  }
  const HistoryId kept = Histories().empty() ? HistoryId() : Histories().back().id;
  if (kept == continues && history != continues) {
    const int shards = static_cast<int>(at.size());
    const absl::Status added = AddHistory(history, at, shards, Minter::kPrimary);
    if (!added.ok()) return added;
    return log();
  }
  // Of the change that a full disk has interrupted, Settle() did the rest.
  const bool settled = kept == history && log() != nullptr && log()->begin().positions == at;
  if (kept != continues && !settled) {
    return Fail(absl::InternalError(
        fmt::format("{}: what is shown is of history {:016x}, which is not the one that is kept",
                    directory_.path(), continues.value())));
  }
  if (absl::Status s = ResumeLog(); !s.ok()) return s;
  return log();
}

absl::StatusOr<std::shared_ptr<Log>> StreamKeeper::Restart(HistoryId history, const Positions& at,
                                                           const std::function<void()>& before) {
  const std::lock_guard changing(changing_);
  const bool was_due = due_.has_value();
  if (absl::Status s = Settle(); !s.ok()) return s;
  if (was_due && restarted_.has_value() && !restarted_->served && log()->history() == history &&
      log()->begin().positions == at) {
    return log();  // A full disk has interrupted it.
  }
  const auto name = [&] {
    if (before != nullptr && !std::exchange(named_, true)) before();
  };
  std::optional<Restarted::Replaced> replaced;
  if (restarted_.has_value()) {
    if (restarted_->served) {
      if (absl::Status s = StopLog(); !s.ok()) return s;
      name();
    }
    if (absl::Status s = RemoveRestart(); !s.ok()) return Broke(std::move(s));
    restarted_->served = false;  // It is gone.
    replaced = restarted_->replaced;
  } else if (const std::shared_ptr<Log> old = log(); old != nullptr) {
    if (absl::Status s = StopLog(); !s.ok()) return s;
    replaced = {.history = old->history(), .end = old->final_positions(), .cut = old->DurableCut()};
  }
  const absl::StatusOr<FilesFrom> files = NextFiles();
  if (!files.ok()) return Fail(files.status());
  // The marker first: files that it does not name would be taken for the old stream's.
  Manifest manifest = directory_.manifest();
  manifest.follows = true;
  manifest.restart = *files;
  if (absl::Status s = directory_.Save(std::move(manifest)); !s.ok()) return Broke(std::move(s));
  CrashPoint("restart.marked");
  // Also where an earlier full sync was given up: this one may lack what that one had.
  name();
  named_ = false;
  restarted_.emplace(Restarted{});
  const std::vector<History>& known = directory_.manifest().histories;
  if (!known.empty() && known.back().id == history && known.back().shard_count == at.size()) {
    restarted_->histories = known;  // It only fell behind: the ancestors are the same.
  } else {
    restarted_->histories.push_back({.id = history,
                                     .shard_count = static_cast<uint16_t>(at.size()),
                                     .born_ms = options_.clock->UnixMillis(),
                                     .parent = HistoryId(),
                                     .fork = {}});
  }
  restarted_->replaced = std::move(replaced);
  {
    const std::lock_guard lock(mutex_);
    restarting_ = true;
    wants_snapshot_ = false;
    ++restarts_;
  }
  const absl::Status opened =
      OpenLog({.history = history, .positions = at, .next_segment = files->segment});
  if (!opened.ok()) return Broke(opened);
  return log();
}

void StreamKeeper::OnServed() {
  const std::lock_guard changing(changing_);
  if (!restarted_.has_value()) return;
  restarted_->served = true;
  const std::lock_guard lock(mutex_);
  wants_snapshot_ = true;
}

absl::Status StreamKeeper::BeginHistory(HistoryId id, const Positions& fork, int shard_count,
                                        Minter minter) {
  const std::lock_guard changing(changing_);
  if (absl::Status s = Settle(); !s.ok()) return s;
  named_ = false;
  if (restarted_.has_value() && restarted_->served) {
    return absl::FailedPreconditionError(
        fmt::format("{}: a full sync is not yet whole on disk", directory_.path()));
  }
  if (restarted_.has_value()) {
    if (absl::Status s = RemoveRestart(); !s.ok()) return Broke(std::move(s));
    if (absl::Status s = ReopenReplaced(); !s.ok()) return Broke(std::move(s));
  }
  if (absl::Status s = StopLog(); !s.ok()) return s;
  if (absl::Status s = CheckFork(fork); !s.ok()) return Fail(std::move(s));
  return AddHistory(id, fork, shard_count, minter);
}

absl::Status StreamKeeper::CheckFork(const Positions& fork) const {
  const Positions end = log() == nullptr ? Positions() : log()->final_positions();
  bool reached = end.size() == fork.size();
  for (size_t i = 0; reached && i < end.size(); ++i) {
    reached = fork[i].sequence <= end[i].sequence;
  }
  if (reached) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("{}: the log does not reach the point at which a new history is to begin",
                  directory_.path()));
}

absl::Status StreamKeeper::BeginFollowing() {
  const std::lock_guard changing(changing_);
  following_due_ = true;
  return Settle();
}

absl::Status StreamKeeper::PutSnapshot(const Log& log, const std::function<absl::Status()>& put) {
  const std::lock_guard changing(changing_);
  if (!failed_.ok()) return failed_;
  if (this->log().get() != &log) {
    return absl::CancelledError("the stream that it is of has been replaced");
  }
  if (absl::Status s = put(); !s.ok()) return s;
  return restarted_.has_value() && restarted_->served ? FinishRestart() : absl::OkStatus();
}

absl::Status StreamKeeper::Close() {
  const std::lock_guard changing(changing_);
  if (!failed_.ok()) return failed_;
  const std::shared_ptr<Log> last = log();
  if (last == nullptr) return absl::OkStatus();
  const absl::Status whole = last->Stop();
  log_stopped_ = true;
  if (!whole.ok() && last->state() != LogState::kWriting) return Fail(whole);
  failed_ = absl::FailedPreconditionError("closed");
  if (!whole.ok()) return directory_.manifest().follows ? absl::OkStatus() : whole;
  if (restarted_.has_value()) return absl::OkStatus();
  Manifest manifest = directory_.manifest();
  manifest.clean_stop = last->final_positions();
  return directory_.Save(std::move(manifest));
}

void StreamKeeper::SetFsync(FsyncPolicy fsync, int64_t interval_ms) {
  const std::lock_guard lock(mutex_);
  options_.fsync = fsync;
  options_.fsync_interval_ms = interval_ms;
  if (log_ != nullptr) log_->set_fsync(fsync, interval_ms);
}

// --- To look at ---

std::shared_ptr<Log> StreamKeeper::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

bool StreamKeeper::restarting() const {
  const std::lock_guard lock(mutex_);
  return restarting_;
}

bool StreamKeeper::wants_snapshot() const {
  const std::lock_guard lock(mutex_);
  return wants_snapshot_;
}

Watermarks StreamKeeper::durable() const {
  const std::lock_guard lock(mutex_);
  if (log_ == nullptr) return {};
  return restarting_ ? Watermarks(log_->shard_count()) : log_->DurableCut();
}

uint64_t StreamKeeper::restarts() const {
  const std::lock_guard lock(mutex_);
  return restarts_;
}

uint64_t StreamKeeper::abandoned_restarts() const {
  const std::lock_guard lock(mutex_);
  return abandoned_restarts_;
}

// --- Within a change ---

const std::vector<History>& StreamKeeper::Histories() const {
  return restarted_.has_value() ? restarted_->histories : directory_.manifest().histories;
}

absl::Status StreamKeeper::Fail(absl::Status cause) {
  if (failed_.ok()) failed_ = cause;
  return cause;
}

absl::Status StreamKeeper::Broke(absl::Status cause) {
  return absl::IsResourceExhausted(cause) ? cause : Fail(std::move(cause));
}

absl::Status StreamKeeper::Settle() {
  if (!failed_.ok()) return failed_;
  if (due_.has_value()) {
    const LogBegin begin = *due_;
    if (absl::Status s = OpenLog(begin); !s.ok()) return Broke(std::move(s));
  }
  return following_due_ ? MarkFollowing() : absl::OkStatus();
}

absl::Status StreamKeeper::MarkFollowing() {
  const std::shared_ptr<Log> own = log();
  if (directory_.manifest().follows || own == nullptr) {
    following_due_ = false;
    return absl::OkStatus();
  }
  if (absl::Status s = StopLog(); !s.ok()) return s;
  // Before the first record of another node: a primary must not go on behind it.
  Manifest manifest = directory_.manifest();
  manifest.follows = true;
  if (absl::Status s = directory_.Save(std::move(manifest)); !s.ok()) return Broke(std::move(s));
  following_due_ = false;
  CrashPoint("following.marked");
  if (absl::Status s = ResumeLog(); !s.ok()) return s;
  CrashPoint("following.begun");
  return absl::OkStatus();
}

absl::Status StreamKeeper::StopLog() {
  const std::shared_ptr<Log> old = log();
  if (old == nullptr || log_stopped_) return absl::OkStatus();
  const absl::Status stopped = old->StopIfRoom();
  // What it holds and has not written is shown already: it must not be dropped.
  if (old->state() == LogState::kDiskFull) return stopped;
  log_stopped_ = true;
  // Still writing, and not OK: it ends between the parts of a transaction.
  if (stopped.ok() || old->state() == LogState::kWriting) return absl::OkStatus();
  return Fail(stopped);
}

absl::Status StreamKeeper::ResumeLog() {
  if (!log_stopped_) return absl::OkStatus();
  const std::shared_ptr<Log> old = log();
  const absl::Status opened = Reopen(old->history(), old->final_positions(), old->DurableCut());
  return opened.ok() ? opened : Broke(opened);
}

absl::Status StreamKeeper::OpenLog(const LogBegin& begin) {
  Log::Options options;
  {
    const std::lock_guard lock(mutex_);
    options = options_;
  }
  absl::StatusOr<std::unique_ptr<Log>> opened = Log::Open(directory_, begin, std::move(options));
  if (!opened.ok() && !absl::IsResourceExhausted(opened.status())) return opened.status();
  due_ = opened.ok() ? std::nullopt : std::optional(begin);
  log_stopped_ = false;
  std::shared_ptr<Log> next = opened.ok() ? std::shared_ptr<Log>(*std::move(opened)) : nullptr;
  {
    const std::lock_guard lock(mutex_);
    log_.swap(next);
  }
  return opened.status();
}

absl::Status StreamKeeper::AddHistory(HistoryId id, const Positions& fork, int shard_count,
                                      Minter minter) {
  if (absl::Status s = StopLog(); !s.ok()) return s;
  const absl::StatusOr<FilesFrom> files = NextFiles();
  if (!files.ok()) return Fail(files.status());
  History history{.id = id,
                  .shard_count = static_cast<uint16_t>(shard_count),
                  .born_ms = options_.clock->UnixMillis(),
                  .parent = Histories().empty() ? HistoryId() : Histories().back().id,
                  .fork = fork};
  const bool same_shards = fork.size() == static_cast<size_t>(shard_count);
  if (restarted_.has_value()) {
    restarted_->histories.push_back(std::move(history));  // The manifest learns of all at the end.
  } else {
    Manifest manifest = directory_.manifest();
    manifest.follows = minter == Minter::kPrimary;
    manifest.Add(std::move(history));
    if (absl::Status s = directory_.Save(std::move(manifest)); !s.ok()) return Broke(std::move(s));
  }
  CrashPoint("history.added");
  const absl::Status opened = OpenLog({.history = id,
                                       .positions = same_shards ? fork : Positions(shard_count),
                                       .next_segment = files->segment});
  if (opened.ok()) return opened;
  // A history of this node's own is nothing that it could follow another node behind.
  return minter == Minter::kThisNode ? Fail(opened) : Broke(opened);
}

absl::Status StreamKeeper::RemoveRestart() {
  if (const std::shared_ptr<Log> of_restart = log(); of_restart != nullptr && !log_stopped_) {
    // What it has not written goes with the rest.
    const absl::Status stopped = of_restart->Stop();
    if (of_restart->state() == LogState::kFailed) return Fail(stopped);
    log_stopped_ = true;
  }
  Manifest manifest = directory_.manifest();
  if (!manifest.restart.has_value()) return absl::OkStatus();
  if (absl::Status s = RemoveFiles(*manifest.restart, Which::kFrom); !s.ok()) return s;
  CrashPoint("restart.removed");
  manifest.restart.reset();
  if (absl::Status s = directory_.Save(std::move(manifest)); !s.ok()) return s;
  const std::lock_guard lock(mutex_);
  restarting_ = wants_snapshot_ = false;
  ++abandoned_restarts_;
  return absl::OkStatus();
}

absl::Status StreamKeeper::ReopenReplaced() {
  const std::optional<Restarted::Replaced> replaced = std::move(restarted_->replaced);
  restarted_.reset();
  if (!replaced.has_value()) {
    log_stopped_ = false;
    const std::lock_guard lock(mutex_);
    log_ = nullptr;
    return absl::OkStatus();
  }
  return Reopen(replaced->history, replaced->end, replaced->cut);
}

absl::Status StreamKeeper::Reopen(HistoryId history, const Positions& end, const Watermarks& cut) {
  const absl::StatusOr<FilesFrom> files = NextFiles();
  if (!files.ok()) return files.status();
  LogBegin begin{.history = history, .positions = end, .next_segment = files->segment};
  if (SequencesOf(end) != cut) {
    absl::StatusOr<std::vector<FrameRef>> beyond = FramesBeyond(directory_, history, cut);
    if (!beyond.ok()) return beyond.status();
    begin.cut = cut;
    begin.beyond = *std::move(beyond);
  }
  return OpenLog(begin);
}

absl::Status StreamKeeper::FinishRestart() {
  Manifest manifest = directory_.manifest();
  const FilesFrom first = *manifest.restart;
  manifest.histories = restarted_->histories;
  manifest.first = first;
  manifest.restart.reset();
  // After an error the next snapshot tries again.
  if (absl::Status s = directory_.Save(std::move(manifest)); !s.ok()) return s;
  CrashPoint("restart.finished");
  restarted_.reset();
  {
    const std::lock_guard lock(mutex_);
    restarting_ = wants_snapshot_ = false;
  }
  const absl::Status removed = RemoveFiles(first, Which::kBelow);
  if (!removed.ok()) {
    tidemark::Log(
        LogLevel::kWarning,
        fmt::format("{}: what was there before the full sync could not all be deleted, the next "
                    "start tries again: {}",
                    directory_.path(), Text(removed)));
  }
  return absl::OkStatus();
}

absl::Status StreamKeeper::RemoveFiles(const FilesFrom& from, Which which) {
  const auto goes = [which](uint64_t number, uint64_t limit) {
    return which == Which::kFrom ? number >= limit : number < limit;
  };
  const absl::StatusOr<std::vector<uint64_t>> snapshots = directory_.ListSnapshots();
  if (!snapshots.ok()) return snapshots.status();
  for (const uint64_t number : *snapshots) {
    if (!goes(number, from.snapshot)) continue;
    if (absl::Status s = directory_.RemoveSnapshot(number); !s.ok()) return s;
  }
  const absl::StatusOr<std::vector<uint64_t>> segments = directory_.ListSegments();
  if (!segments.ok()) return segments.status();
  for (const uint64_t number : *segments) {
    if (!goes(number, from.segment)) continue;
    absl::Status s = directory_.disk().Remove(directory_.SegmentPath(number));
    if (!s.ok()) return s;
  }
  return directory_.Sync();
}

absl::StatusOr<FilesFrom> StreamKeeper::NextFiles() const {
  const absl::StatusOr<std::vector<uint64_t>> segments = directory_.ListSegments();
  if (!segments.ok()) return segments.status();
  const absl::StatusOr<std::vector<uint64_t>> snapshots = directory_.ListSnapshots();
  if (!snapshots.ok()) return snapshots.status();
  const FilesFrom& first = directory_.manifest().first;
  return FilesFrom{
      .segment = std::max(first.segment, segments->empty() ? 0 : segments->back()) + 1,
      .snapshot = std::max(first.snapshot, snapshots->empty() ? 0 : snapshots->back()) + 1};
}

}  // namespace tidemark::wal
