#include "server/snapshot_service.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include "base/log/log.h"
#include "base/thread_name.h"
#include "replication/chunk_router.h"

namespace tidemark::server {
namespace {

using replication::ChunkQueue;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The shards go first where there are too few cores for all. Threads of Linux have priorities of
// their own, by their ids.
constexpr int kNiceness = 10;
constexpr auto kCutPatience = std::chrono::seconds(30);

std::string_view Text(const absl::Status& status) {
  const absl::string_view text = status.message();
  return {text.data(), text.size()};
}

}  // namespace

// Where the log thread and ours meet; shared, for we may have left by the time it answers.
struct SnapshotService::LogSync {
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<absl::Status> answer;  // Guarded by mutex.
};

SnapshotService::SnapshotService(const wal::DataDirectory& directory, wal::Retention& retention,
                                 SnapshotSources sources, const Options& options)
    : directory_(directory),
      sources_(std::move(sources)),
      options_(options),
      pruner_(directory, retention, {.keep_snapshots = options.keep_snapshots}),
      schedule_(options.schedule, NowMs(), options.writes_covered) {
  status_.last_success_unix_s = options_.clock->UnixMillis() / 1000;
}

SnapshotService::~SnapshotService() { Stop(); }

void SnapshotService::Start() {
  thread_ = std::thread([this] {
    NameThread("snapshots");
    Run();
  });
}

void SnapshotService::Stop() {
  std::vector<Done> never;
  {
    const Lock lock(mutex_);
    stopping_ = true;
    if (queue_ != nullptr) queue_->Cancel();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  {
    const Lock lock(mutex_);
    never.swap(asking_);
  }
  for (const Done& done : never) done(absl::CancelledError("the node stops"));
}

// --- Asking ---

SnapshotService::Answer SnapshotService::Begin(Done done) {
  {
    const Lock lock(mutex_);
    if (schedule_.running() || schedule_.asked()) return Answer::kRunning;
    schedule_.Ask();
    if (done != nullptr) asking_.push_back(std::move(done));
    woken_ = true;
  }
  wake_.notify_all();
  return Answer::kStarted;
}

SnapshotService::Answer SnapshotService::BeginGently() {
  if (sources_.pressure() == Pressure::kNormal) return Begin(nullptr);
  const Lock lock(mutex_);
  if (schedule_.running()) return Answer::kRunning;
  schedule_.AskGently();
  return Answer::kScheduled;
}

SnapshotService::Answer SnapshotService::BeginAnother() {
  {
    const Lock lock(mutex_);
    if (schedule_.asked()) return Answer::kRunning;
    schedule_.Ask();
    if (schedule_.running()) return Answer::kScheduled;
    woken_ = true;
  }
  wake_.notify_all();
  return Answer::kStarted;
}

absl::Status SnapshotService::CoverAll(steady_clock::time_point deadline) {
  struct Outcome {
    std::mutex mutex;
    std::condition_variable known;
    std::optional<absl::Status> status;  // Guarded by mutex.
  };
  const auto outcome = std::make_shared<Outcome>();
  {
    const Lock lock(mutex_);
    if (stopping_) return absl::CancelledError("the node stops");
    if (schedule_.Uncovered(sources_.writes()) == 0) return absl::OkStatus();
    // One under way began too early: the next one holds everything.
    schedule_.Ask();
    asking_.push_back([outcome](absl::Status status) {
      const std::lock_guard outcome_lock(outcome->mutex);
      outcome->status = std::move(status);
      outcome->known.notify_all();
    });
    woken_ = true;
  }
  wake_.notify_all();
  std::unique_lock lock(outcome->mutex);
  if (outcome->known.wait_until(lock, deadline, [&] { return outcome->status.has_value(); })) {
    return *outcome->status;
  }
  lock.unlock();
  Stop();
  return absl::DeadlineExceededError("the snapshot took too long and was given up");
}

void SnapshotService::SetSchedule(int64_t every_ms, uint64_t min_writes) {
  const Lock lock(mutex_);
  schedule_.set_every_ms(every_ms);
  schedule_.set_min_writes(min_writes);
}

SnapshotStatus SnapshotService::status() const {
  const uint64_t writes = sources_.writes();
  const Lock lock(mutex_);
  SnapshotStatus status = status_;
  status.running = schedule_.running();
  status.asked = schedule_.asked();
  status.running_ms = status.running ? NowMs() - begun_ms_ : -1;
  status.uncovered_writes = schedule_.Uncovered(writes);
  status.deferrals = schedule_.deferrals();
  if (queue_ != nullptr) {
    status.queue_bytes = queue_->queued_bytes();
    status.queue_high_watermark_bytes =
        std::max(status.queue_high_watermark_bytes, queue_->high_watermark_bytes());
  }
  return status;
}

int SnapshotService::queue_utilisation_percent() const {
  const Lock lock(mutex_);
  return queue_ == nullptr ? 0 : queue_->utilisation_percent();
}

// --- The service's thread ---

void SnapshotService::Run() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);  // Or else without.
  Lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const uint64_t writes = sources_.writes();
    const Pressure pressure = sources_.pressure();
    const bool wanted = sources_.wanted != nullptr && sources_.wanted();
    lock.lock();
    if (wanted && NowMs() >= wanted_after_ms_) schedule_.Ask();
    if (!stopping_ && schedule_.Due(NowMs(), writes, pressure)) {
      RunOne(lock);
      continue;
    }
    // Asked to begin, or to stop; or time has passed.
    wake_.wait_for(lock, milliseconds(options_.tick_ms), [this] { return stopping_ || woken_; });
    woken_ = false;
  }
}

void SnapshotService::RunOne(Lock& lock) {
  begun_ms_ = NowMs();
  waiting_.swap(asking_);
  schedule_.OnBegun(begun_ms_, sources_.writes());
  lock.unlock();
  const absl::Status result = Take();
  lock.lock();

  status_.last_duration_ms = NowMs() - begun_ms_;
  status_.last_ok = result.ok();
  if (result.ok()) {
    schedule_.OnSucceeded();
    ++status_.completed;
    status_.last_success_unix_s = options_.clock->UnixMillis() / 1000;
    status_.last_error.clear();
  } else {
    schedule_.OnFailed(NowMs());
    wanted_after_ms_ = NowMs() + schedule_.backoff_ms();
    ++status_.failed;
    status_.last_error = std::string(Text(result));
  }
  std::vector<Done> done;
  done.swap(waiting_);
  const int64_t backoff_ms = schedule_.backoff_ms();
  lock.unlock();
  if (!result.ok()) {
    Log(LogLevel::kWarning, fmt::format("the snapshot failed: {}; the next try is due in {} ms",
                                        Text(result), backoff_ms));
  }
  for (const Done& tell : done) tell(result);
  if (result.ok()) Prune();
  lock.lock();
}

absl::Status SnapshotService::Take() {
  if (const absl::Status status = CheckLog(); !status.ok()) return status;
  if (const absl::Status status = CheckRoom(); !status.ok()) return status;
  if (sources_.request_cut != nullptr) return TakeCut();
  const absl::StatusOr<uint64_t> number = NextNumber();
  if (!number.ok()) return number.status();

  FrameCompressor compressor({.level = options_.zstd_level});
  auto writer = wal::SnapshotWriter::Create(
      directory_,
      {.number = *number,
       .history = sources_.history,
       .shard_count = sources_.shard_count,
       // Before any shard is asked: what it writes after its watermark is there or later.
       .first_segment = sources_.current_segment(),
       .begun_at_ms = options_.clock->UnixMillis()},
      WriterOptions(compressor));
  if (!writer.ok()) return writer.status();

  const std::shared_ptr<ChunkQueue> queue = OpenQueue();
  for (int i = 0; i < sources_.shard_count; ++i) {
    sources_.request_chunks(ShardId(static_cast<uint16_t>(i)), queue);
  }
  const absl::Status written = WriteChunks(
      *queue, [&] { return (*writer)->complete(); },
      [&](const ChunkQueue::Chunk& chunk) {
        return (*writer)->Add(*chunk.frame, chunk.needed_through);
      });
  CloseQueue();
  if (!written.ok()) return written;
  if (const absl::Status status = (*writer)->SyncFiles(); !status.ok()) return status;
  const Watermarks target = (*writer)->needed_through();
  const absl::Status synced = SyncLog(sources_.sync_through, target);
  if (!synced.ok()) return synced;
  const Watermarks complete_at = sources_.durable_cut();
  for (size_t i = 0; i < target.size(); ++i) {
    if (complete_at[i] >= target[i]) continue;
    return absl::InternalError(fmt::format("the log says that shard {} is durable, and is not", i));
  }
  const int64_t now_ms = options_.clock->UnixMillis();
  if (const absl::Status status = (*writer)->Finish(complete_at, now_ms); !status.ok()) {
    return status;
  }
  NoteComplete((*writer)->manifest());
  return absl::OkStatus();
}

absl::Status SnapshotService::TakeCut() {
  std::shared_ptr<ChunkQueue> queue;
  const absl::StatusOr<SnapshotCut> cut = RequestCut(&queue);
  if (!cut.ok()) return cut.status();
  const auto leave_queue = [this](absl::Status status) {
    CloseQueue();
    return status;
  };
  const absl::StatusOr<uint64_t> number = NextNumber();
  if (!number.ok()) return leave_queue(number.status());
  FrameCompressor compressor({.level = options_.zstd_level});
  auto writer = wal::SnapshotWriter::Create(directory_,
                                            {.number = *number,
                                             .history = cut->at.history,
                                             .shard_count = static_cast<int>(cut->at.shards.size()),
                                             .first_segment = cut->first_segment,
                                             .begun_at_ms = options_.clock->UnixMillis()},
                                            WriterOptions(compressor));
  if (!writer.ok()) return leave_queue(writer.status());

  replication::ChunkRouter router(
      {.at = cut->at, .own_shards = sources_.shard_count, .now_ms = options_.clock->UnixMillis()});
  const auto add = [&](FrameRef chunk) { return (*writer)->Add(*chunk, chunk->last_sequence()); };
  absl::Status status = WriteChunks(
      *queue, [&] { return router.complete(); },
      [&](const ChunkQueue::Chunk& chunk) { return router.Add(*chunk.frame, add); });
  CloseQueue();
  if (!status.ok()) return status;
  if (status = (*writer)->SyncFiles(); !status.ok()) return status;
  // The cut splits no transaction: it is as good as one that the log finds, and never beyond a
  // fork.
  const Watermarks complete_at = (*writer)->needed_through();
  if (status = SyncLog(cut->sync_through, complete_at); !status.ok()) return status;
  status = cut->put([&] { return (*writer)->Finish(complete_at, options_.clock->UnixMillis()); });
  if (!status.ok()) return status;
  NoteComplete((*writer)->manifest());
  return absl::OkStatus();
}

// A digest may be walking the keyspaces, or a transaction be on its way: that is over soon.
absl::StatusOr<SnapshotCut> SnapshotService::RequestCut(std::shared_ptr<ChunkQueue>* queue) {
  const auto give_up_at = steady_clock::now() + kCutPatience;
  while (true) {
    *queue = OpenQueue();
    absl::StatusOr<SnapshotCut> cut = TryCut(*queue);
    if (cut.ok()) return cut;
    CloseQueue();
    if (!absl::IsUnavailable(cut.status()) || steady_clock::now() > give_up_at) return cut;
    Lock lock(mutex_);
    if (wake_.wait_for(lock, milliseconds(options_.tick_ms), [this] { return stopping_; })) {
      return absl::CancelledError("the node stops");
    }
  }
}

absl::StatusOr<SnapshotCut> SnapshotService::TryCut(const std::shared_ptr<ChunkQueue>& queue) {
  // Shared: the answer may come after we have left.
  const auto answer = std::make_shared<std::promise<absl::StatusOr<SnapshotCut>>>();
  std::future<absl::StatusOr<SnapshotCut>> known = answer->get_future();
  sources_.request_cut(
      queue, [answer](absl::StatusOr<SnapshotCut> cut) { answer->set_value(std::move(cut)); });
  while (known.wait_for(milliseconds(options_.tick_ms)) != std::future_status::ready) {
    if (stopping()) return absl::CancelledError("the node stops");
  }
  return known.get();
}

bool SnapshotService::stopping() const {
  const Lock lock(mutex_);
  return stopping_;
}

wal::SnapshotWriter::Options SnapshotService::WriterOptions(FrameCompressor& compressor) const {
  wal::SnapshotWriter::Options options;
  options.sync_every_bytes = options_.sync_every_bytes;
  if (options_.zstd) {
    options.compress = [&compressor](const Frame& chunk) -> const Frame& {
      return compressor.Compress(chunk);
    };
  }
  return options;
}

void SnapshotService::NoteComplete(const wal::SnapshotManifest& manifest) {
  Log(LogLevel::kInfo,
      fmt::format("snapshot {} is complete: {} keys, {} bytes, the log goes on in segment {}",
                  manifest.number, manifest.keys(), manifest.bytes(), manifest.first_segment));
  const Lock lock(mutex_);
  status_.last_number = manifest.number;
  status_.last_keys = manifest.keys();
  status_.last_bytes = manifest.bytes();
}

absl::Status SnapshotService::CheckRoom() const {
  uint64_t expected_bytes;
  {
    const Lock lock(mutex_);
    expected_bytes = status_.last_bytes;
  }
  const absl::StatusOr<uint64_t> free_bytes = directory_.disk().FreeBytes(directory_.path());
  if (!free_bytes.ok()) return free_bytes.status();
  if (*free_bytes > expected_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("{} has {} bytes free and the last snapshot took {}", directory_.path(),
                  *free_bytes, expected_bytes));
}

absl::StatusOr<uint64_t> SnapshotService::NextNumber() const {
  const absl::StatusOr<std::vector<uint64_t>> taken = directory_.ListSnapshots();
  if (!taken.ok()) return taken.status();
  return taken->empty() ? 1 : taken->back() + 1;
}

absl::Status SnapshotService::WriteChunks(ChunkQueue& queue, const std::function<bool()>& complete,
                                          const Write& write) const {
  std::vector<ChunkQueue::Chunk> chunks;
  while (!complete()) {
    if (!queue.Wait(steady_clock::now() + milliseconds(options_.tick_ms), &chunks)) {
      if (queue.ended() == ChunkQueue::Ended::kCancelled) {
        return absl::CancelledError(stopping() ? "the node stops"
                                               : "a full sync replaces what it is of");
      }
      return absl::ResourceExhaustedError(
          "clients change entries faster than the disk takes what these held");
    }
    for (const ChunkQueue::Chunk& chunk : chunks) {
      if (const absl::Status status = write(chunk); !status.ok()) return status;
      // A shard that shares our core has waited long enough; the scheduler would wait for its tick.
      std::this_thread::yield();
    }
    // A log without room needs what this snapshot takes more than the snapshot does.
    if (const absl::Status status = CheckLog(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SnapshotService::SyncLog(const SyncThrough& through, const Watermarks& target) const {
  const auto sync = std::make_shared<LogSync>();
  through(target, [sync](absl::Status answer) {
    const std::lock_guard lock(sync->mutex);
    sync->answer = std::move(answer);
    sync->answered.notify_all();
  });
  std::unique_lock lock(sync->mutex);
  while (!sync->answer.has_value()) {
    sync->answered.wait_for(lock, milliseconds(options_.tick_ms));
    if (sync->answer.has_value()) break;
    if (const absl::Status status = CheckLog(); !status.ok()) return status;
    const Lock own_lock(mutex_);
    if (stopping_) return absl::CancelledError("the node stops");
  }
  return *sync->answer;
}

absl::Status SnapshotService::CheckLog() const {
  const absl::Status state = sources_.log_state();
  if (state.ok()) return state;
  return absl::Status(state.code(), fmt::format("the log cannot be written: {}", Text(state)));
}

void SnapshotService::Prune() {
  if (sources_.backup_hold != nullptr && !sources_.backup_hold->BeginPruning(NowMs())) {
    Log(LogLevel::kInfo, "a backup is under way: what is not needed any more stays for now");
    return;
  }
  const absl::StatusOr<wal::Pruner::Pruned> pruned = pruner_.Run();
  if (sources_.backup_hold != nullptr) sources_.backup_hold->EndPruning();
  {
    const Lock lock(mutex_);
    if (pruned.ok()) {
      status_.segments_pruned += pruned->segments;
    } else {
      ++status_.prune_failures;
    }
  }
  if (!pruned.ok()) {
    Log(LogLevel::kWarning,
        fmt::format("cannot prune the data directory, the next snapshot tries again: {}",
                    Text(pruned.status())));
  } else if (pruned->segments + pruned->snapshots > 0) {
    Log(LogLevel::kInfo, fmt::format("pruned {} snapshots, {} segments with {} bytes",
                                     pruned->snapshots, pruned->segments, pruned->segment_bytes));
  }
}

std::shared_ptr<ChunkQueue> SnapshotService::OpenQueue() {
  auto queue = std::make_shared<ChunkQueue>(ChunkQueue::Options{
      .shard_count = sources_.shard_count,
      .walk_bytes = options_.walk_bytes,
      .max_displaced_bytes = options_.max_displaced_bytes,
      .wake_shard = sources_.wake_shard,
  });
  {
    const Lock lock(mutex_);
    queue_ = queue;
    if (stopping_) queue->Cancel();
  }
  return queue;
}

void SnapshotService::CloseQueue() {
  const Lock lock(mutex_);
  status_.queue_high_watermark_bytes =
      std::max(status_.queue_high_watermark_bytes, queue_->high_watermark_bytes());
  if (queue_->ended() == ChunkQueue::Ended::kOverflowed) ++status_.overflowed;
  queue_->Cancel();  // Shards that have not finished let go.
  queue_ = nullptr;
}

}  // namespace tidemark::server
