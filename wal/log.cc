#include "wal/log.h"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <chrono>
#include <string_view>

#include "base/check.h"
#include "base/thread_name.h"

namespace tidemark::wal {
namespace {

constexpr unsigned long kTimerSlackNanos = 1000;
// A replica's snapshot asks for one that is no further back than its queues of what is not yet
// applied.
constexpr size_t kMaxSegmentBegins = 256;

bool Reached(const Watermarks& durable, const Watermarks& target) {
  for (size_t shard = 0; shard < target.size(); ++shard) {
    if (durable[shard] < target[shard]) return false;
  }
  return true;
}

}  // namespace

Log::Log(const DataDirectory& directory, const Begin& begin, Options options)
    : begin_(begin),
      options_(std::move(options)),
      manifest_(directory.manifest()),
      tail_(options_.tail_bytes, SequencesOf(begin.positions),
            {.segment = begin.next_segment, .offset = 0}),
      published_(begin.positions.size()),
      current_segment_(begin.next_segment),
      fsync_(options_.fsync),
      fsync_interval_ms_(options_.fsync_interval_ms),
      durable_cut_(begin.cut.empty() ? SequencesOf(begin.positions) : begin.cut),
      segment_begins_{{.number = begin.next_segment, .before = SequencesOf(begin.positions)}} {
  for (size_t shard = 0; shard < begin.positions.size(); ++shard) {
    published_[shard].written = begin.positions[shard].sequence.value();
    published_[shard].durable = durable_cut_[shard].value();
    doors_.push_back(std::make_unique<ShardLog>(ShardId(static_cast<uint16_t>(shard)),
                                                options_.ring_bytes, [this] { WakeIfAsleep(); }));
  }
}

absl::StatusOr<std::unique_ptr<Log>> Log::Open(const DataDirectory& directory, const Begin& begin,
                                               Options options) {
  Begin place = begin;
  place.beyond.clear();  // The writer's alone.
  std::unique_ptr<Log> log(new Log(directory, place, std::move(options)));
  absl::StatusOr<std::unique_ptr<LogWriter>> writer =
      LogWriter::Open(directory, begin,
                      {.fsync = log->options_.fsync,
                       .fsync_interval_ms = log->options_.fsync_interval_ms,
                       .segment_bytes = log->options_.segment_bytes,
                       .commit_window = log->options_.commit_window,
                       .zero_ahead_bytes = log->options_.zero_ahead_bytes,
                       .zstd = log->options_.zstd,
                       .zstd_level = log->options_.zstd_level,
                       .clock = log->options_.clock,
                       .tail = &log->tail_,
                       .counters = &log->counters_});
  if (!writer.ok()) return writer.status();
  log->writer_ = *std::move(writer);
  if (log->options_.runner == nullptr) {
    log->thread_ = std::thread([log = log.get()] { log->Run(); });
  }
  return log;
}

Log::~Log() { Stop().IgnoreError(); }

// --- Any thread ---

Watermarks Log::DurableCut() const {
  std::lock_guard lock(mutex_);
  return durable_cut_;
}

std::optional<uint64_t> Log::SegmentAfter(const Watermarks& at) const {
  CHECK(at.size() == doors_.size());
  std::lock_guard lock(mutex_);
  for (auto begin = segment_begins_.rbegin(); begin != segment_begins_.rend(); ++begin) {
    if (Reached(at, begin->before)) return begin->number;
  }
  return std::nullopt;
}

std::string Log::cause() const {
  std::lock_guard lock(mutex_);
  return cause_;
}

void Log::SyncThrough(Watermarks target, std::function<void(absl::Status)> done) {
  CHECK(target.size() == doors_.size());
  {
    std::lock_guard lock(mutex_);
    if (!ended_) {
      new_requests_.push_back({.target = std::move(target), .done = std::move(done)});
      asked_.store(true, std::memory_order_relaxed);
    }
  }
  if (done != nullptr) return done(absl::CancelledError("the log has stopped"));
  WakeIfAsleep();
}

void Log::set_fsync(FsyncPolicy fsync, int64_t interval_ms) {
  {
    std::lock_guard lock(mutex_);
    fsync_ = fsync;
    fsync_interval_ms_ = interval_ms;
    asked_.store(true, std::memory_order_relaxed);
  }
  WakeIfAsleep();
}

uint64_t Log::AddListener(std::function<void()> listener) {
  std::lock_guard lock(listeners_mutex_);
  listeners_.emplace_back(next_listener_, std::move(listener));
  return next_listener_++;
}

void Log::RemoveListener(uint64_t id) {
  std::lock_guard lock(listeners_mutex_);
  std::erase_if(listeners_, [&](const auto& listener) { return listener.first == id; });
}

void Log::WakeIfAsleep() {
  if (options_.runner != nullptr) {
    if (!stopped_) options_.runner->Wake(this);
  } else if (parker_.NeedsWake()) {
    Wake();
  }
}

void Log::Wake() {
  {
    std::lock_guard lock(sleep_mutex_);
    woken_ = true;
  }
  sleep_.notify_one();
}

absl::Status Log::Stop() {
  if (writer_ == nullptr || std::exchange(stopped_, true)) return finished_;
  if (options_.runner != nullptr) {
    options_.runner->OnStopped(this);
    Drain();
    TakeFromOthers();
    Finish();
  } else if (thread_.joinable()) {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      asked_.store(true, std::memory_order_relaxed);
    }
    Wake();
    thread_.join();
  }
  final_positions_ = writer_->written();
  return finished_;
}

absl::Status Log::StopIfRoom() {
  if (writer_ == nullptr || stopped_) return finished_;
  // Shared: the log thread may still be about to leave it when it is known here.
  const auto sealed = std::make_shared<std::promise<absl::Status>>();
  if (options_.runner != nullptr) {
    sealing_ = sealed;
    SealIfRoom();
  } else {
    {
      std::lock_guard lock(mutex_);
      new_sealing_ = sealed;
      asked_.store(true, std::memory_order_relaxed);
    }
    Wake();
  }
  const absl::Status status = sealed->get_future().get();
  if (!absl::IsResourceExhausted(status) || state() == LogState::kFailed) return Stop();
  if (options_.runner != nullptr) options_.runner->Wake(this);
  return status;
}

// --- The log thread ---

void Log::Run() {
  NameThread("log");
  // A commit wait may be shorter than the 50 us by which the system likes to be late. Without the
  // right to say so, waits are a little longer.
  prctl(PR_SET_TIMERSLACK, kTimerSlackNanos);
  while (true) {
    const LogWriter::Step step = BeginStep();
    if (stop_seen_) break;
    EndStep(step);
    // What came during the sync is in the writer's queue: `step` knows nothing of it.
    if (!step.synced) Sleep(step);
  }
  Finish();
}

LogWriter::Step Log::BeginStep() {
  Drain();
  TakeFromOthers();
  if (sealing_ != nullptr) SealIfRoom();
  return stop_seen_ ? LogWriter::Step() : writer_->Run(!requests_.empty());
}

void Log::EndStep(const LogWriter::Step& step) {
  if (step.synced) {
    // Before Publish() lets those come back whom the sync answers: CommitWindow tells the two
    // apart.
    Drain();
    writer_->BeginRound();
  }
  Publish(step);
  AnswerRequests();
  WakeSpilled();
}

void Log::Drain() {
  FrameRef frame;
  for (const std::unique_ptr<ShardLog>& door : doors_) {
    // No more than a ring holds: a shard that never pauses must not keep the others waiting.
    for (size_t taken = 0; taken < ShardLog::kRingFrames && door->TryTake(frame); ++taken) {
      writer_->Take(std::move(frame));
    }
    if (const Sequence hole = door->TakeHole(); hole != Sequence()) {
      writer_->Fail(absl::DataLossError(
          fmt::format("shard {}: mutations up to sequence {} could not be encoded, and are not in "
                      "the log",
                      door->shard().value(), hole.value())));
    }
  }
}

void Log::TakeFromOthers() {
  // Acquire: pairs with the store before the wake; the mutex guards the rest.
  if (!asked_.exchange(false, std::memory_order_acquire)) return;
  std::lock_guard lock(mutex_);
  for (SyncRequest& request : new_requests_) requests_.push_back(std::move(request));
  new_requests_.clear();
  writer_->set_fsync(fsync_, fsync_interval_ms_);
  stop_seen_ = stopping_;
  sealing_ = std::exchange(new_sealing_, nullptr);
}

void Log::Publish(const LogWriter::Step& step) {
  if (writer_->current_segment() != current_segment()) {
    std::lock_guard lock(mutex_);
    if (segment_begins_.size() == kMaxSegmentBegins) {
      segment_begins_.erase(segment_begins_.begin() + 1);
    }
    segment_begins_.push_back(
        {.number = writer_->current_segment(), .before = writer_->segment_begin()});
  }
  current_segment_.store(writer_->current_segment(), std::memory_order_release);
  const Positions& written = writer_->written();
  const Watermarks& durable = writer_->durable();
  for (size_t shard = 0; shard < doors_.size(); ++shard) {
    // Release: who sees the sequence finds its frame in the tail or on the disk.
    published_[shard].written.store(written[shard].sequence.value(), std::memory_order_release);
    published_[shard].durable.store(durable[shard].value(), std::memory_order_release);
    doors_[shard]->OnDone(writer_->done_bytes(doors_[shard]->shard()));
  }
  if (!step.durable_moved && !step.state_changed) return;
  {
    std::lock_guard lock(mutex_);
    cause_ = std::string(writer_->cause().message());
    durable_cut_ = durable;
  }
  state_.store(writer_->state(), std::memory_order_release);
  // ShardLog::NotifyWhenDurable() is the other half.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (const std::unique_ptr<ShardLog>& door : doors_) {
    if (door->TakeNotice()) options_.wake_shard(door->shard());
  }
  std::lock_guard lock(listeners_mutex_);
  for (const auto& [id, listener] : listeners_) listener();
}

void Log::AnswerRequests() {
  if (requests_.empty()) return;
  std::vector<SyncRequest> waiting;
  for (SyncRequest& request : std::exchange(requests_, {})) {
    if (Reached(writer_->durable(), request.target)) {
      request.done(absl::OkStatus());
    } else if (writer_->state() == State::kFailed) {
      request.done(writer_->cause());
    } else {
      waiting.push_back(std::move(request));
    }
  }
  // None came meanwhile: what `done` asks for goes through new_requests_.
  requests_ = std::move(waiting);
}

void Log::WakeSpilled() {
  // ShardLog::OnTurnEnd() is the other half; Drain() made the room.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (const std::unique_ptr<ShardLog>& door : doors_) {
    if (door->TakeSpilled()) options_.wake_shard(door->shard());
  }
}

bool Log::HasWork() const {
  if (asked_.load(std::memory_order_relaxed)) return true;
  for (const std::unique_ptr<ShardLog>& door : doors_) {
    if (door->HasWork()) return true;
  }
  return false;
}

void Log::Sleep(const LogWriter::Step& step) {
  if (step.wait_ns == 0) return;
  parker_.PublishParked();
  if (!HasWork()) {
    std::unique_lock lock(sleep_mutex_);
    const auto woken = [this] { return woken_; };
    if (step.wait_ns.has_value()) {
      sleep_.wait_for(lock, std::chrono::nanoseconds(*step.wait_ns), woken);
    } else {
      sleep_.wait(lock, woken);
    }
    woken_ = false;
  }
  parker_.ClearParked();
}

void Log::TakeAll() {
  for (const std::unique_ptr<ShardLog>& door : doors_) {
    FrameRef frame;
    while (door->TryTake(frame)) writer_->Take(std::move(frame));
    for (FrameRef& spilled : door->TakeSpill()) writer_->Take(std::move(spilled));
  }
  Drain();  // Holes.
}

void Log::SealIfRoom() {
  TakeAll();
  const Watermarks durable_before = writer_->durable();
  const absl::Status status = writer_->SealIfRoom();
  Publish({.synced = true,
           .durable_moved = writer_->durable() != durable_before,
           .state_changed = writer_->state() != state(),
           .wait_ns = {}});
  AnswerRequests();
  const std::shared_ptr<std::promise<absl::Status>> sealing = std::exchange(sealing_, nullptr);
  sealing->set_value(status);
}

void Log::Finish() {
  // The shards have stopped: rings and spills hold the last of what they appended.
  TakeAll();
  const Watermarks durable_before = writer_->durable();
  finished_ = writer_->Finish();
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    for (SyncRequest& request : new_requests_) requests_.push_back(std::move(request));
    new_requests_.clear();
  }
  Publish({.synced = true,
           .durable_moved = writer_->durable() != durable_before,
           .state_changed = writer_->state() != state(),
           .wait_ns = {}});
  AnswerRequests();
  for (SyncRequest& request : requests_) {
    request.done(finished_.ok() ? absl::CancelledError("the log has stopped") : finished_);
  }
  requests_.clear();
}

}  // namespace tidemark::wal
