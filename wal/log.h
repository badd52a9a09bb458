// Log makes what the shards write durable: it takes their frames, appends them all to one sequence
// of segments, syncs as the policy says, and publishes how far each shard is `durable`.
//
//   auto log = Log::Open(directory, {.history = h, .positions = p, .next_segment = n}, options);
//   (*log)->shard(ShardId(0)).Append(frame);          // That shard's thread; see shard_log.h.
//   if ((*log)->durable(ShardId(0)) >= sequence) ...  // Any thread.
//
// One log for all shards: a flush costs the same however many shards share it.
//
// Thread: its own, the log thread. It sleeps while there is nothing to do; a shard that appended
// wakes it, once a turn. LogWriter decides what it does then. A LogRunner may take its place.
// Failure: the states of LogWriter. While it is not kWriting, durable stands still, and the node
// must refuse writes with cause(); the log itself refuses nothing.
// Ownership: borrows the directory, which outlives it, and nothing of what it logs: frames are
// shared.

#ifndef TIDEMARK_WAL_LOG_H_
#define TIDEMARK_WAL_LOG_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/parking.h"
#include "wal/data_directory.h"
#include "wal/fsync_policy.h"
#include "wal/live_log.h"
#include "wal/log_counters.h"
#include "wal/log_tail.h"
#include "wal/log_writer.h"
#include "wal/manifest.h"
#include "wal/positions.h"
#include "wal/shard_log.h"

namespace tidemark::wal {

class Log;

// LogRunner runs logs in place of threads of their own: the simulation of a cluster does, in
// virtual time. All of such a log happens on one thread.
class LogRunner {
 public:
  // Something has come: BeginStep() and EndStep() are due, soon.
  virtual void Wake(Log* log) = 0;
  // The log has stopped; nothing of it is due any more.
  virtual void OnStopped(Log* log) = 0;

 protected:
  ~LogRunner() = default;
};

class Log final : public LiveLog {
 public:
  struct Options {
    FsyncPolicy fsync = FsyncPolicy::kInterval;
    int64_t fsync_interval_ms = 100;
    uint64_t segment_bytes = 64 << 20;
    CommitWindow::Options commit_window = {};  // With fsync=always, as is the next.
    uint64_t zero_ahead_bytes = 512 << 10;     // See SegmentWriter::ZeroAhead().
    bool zstd = false;
    int zstd_level = 3;
    size_t ring_bytes = 32 << 20;  // Of one shard: 100 % of ShardLog::utilisation_percent().
    size_t tail_bytes = 16 << 20;
    // Makes the shard run a turn, soon: called on the log thread for a shard that asked for it
    // (ShardLog::NotifyWhenDurable), or whose spilled frames now have room. Must not block.
    std::function<void(ShardId)> wake_shard = [](ShardId) {};
    const Clock* clock = &Clock::System();
    LogRunner* runner = nullptr;  // Borrowed; null: a thread of its own.
  };
  using Begin = LogBegin;
  using State = LogState;

  // Creates the first segment and starts the thread. `directory` holds the manifest of the history
  // that begins or goes on here.
  static absl::StatusOr<std::unique_ptr<Log>> Open(const DataDirectory& directory,
                                                   const Begin& begin, Options options);
  // As Stop(), if that was not called.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // --- Any thread ---

  ShardLog& shard(ShardId shard) { return *doors_[shard.value()]; }
  size_t shard_count() const override { return doors_.size(); }

  // written >= durable. Each only grows; the durables of all shards, read one after another, are a
  // moment apart, so not a cut. DurableCut() is one.
  Sequence durable(ShardId shard) const override { return Load(published_[shard.value()].durable); }
  Sequence written(ShardId shard) const { return Load(published_[shard.value()].written); }
  Watermarks DurableCut() const override;

  State state() const { return state_.load(std::memory_order_acquire); }
  // Why it is not kWriting, for people: the file and the system's words. Empty while it is.
  std::string cause() const;

  // Calls `done` on the log thread once durable is at or above `target` on every shard, syncing for
  // it whatever the policy; or with the error that the log failed with, or Cancelled if it stops
  // first (at once and on this thread, if it has). A full disk only delays it. `target` may be
  // ahead of what was appended so far.
  void SyncThrough(Watermarks target, std::function<void(absl::Status)> done);

  // `listener` is called on the log thread each time that durable moved or the state changed; it
  // must not block. After RemoveListener() it is not called and no call is under way.
  uint64_t AddListener(std::function<void()> listener);
  void RemoveListener(uint64_t id);

  void set_fsync(FsyncPolicy fsync, int64_t interval_ms);

  // The segment being written; all below it are sealed.
  uint64_t current_segment() const { return current_segment_.load(std::memory_order_acquire); }
  // A segment such that it and those after it hold all that comes after `at`, and no newer one than
  // need be. None: what was there when the log was opened goes beyond `at`.
  std::optional<uint64_t> SegmentAfter(const Watermarks& at) const;
  HistoryId history() const override { return begin_.history; }
  const Manifest& manifest() const override { return manifest_; }
  const Begin& begin() const { return begin_; }
  const LogTail& tail() const override { return tail_; }
  const LogCounters& counters() const { return counters_; }

  // --- The log thread, or the LogRunner ---

  // Takes what has come, writes and syncs what is due.
  LogWriter::Step BeginStep();
  // Tells those who wait. Then the next step is due after step.wait_ns; at once if it synced.
  void EndStep(const LogWriter::Step& step);

  // --- The owner's thread ---

  // Writes what was appended, syncs, seals, ends the thread. OK: all of it is durable, and
  // final_positions() may be stored as a clean stop. Otherwise the error that the log failed with,
  // or ResourceExhausted if the disk is full now.
  // Requires: the shards' threads have stopped appending, and have been seen to (joined).
  absl::Status Stop();
  // As Stop(), but a disk that is full now takes nothing from the log, which goes on trying:
  // ResourceExhausted. Call this or Stop() again; meanwhile the shards may append.
  absl::Status StopIfRoom();
  // How far it was written; all of it durable if Stop() returned OK.
  const Positions& final_positions() const { return final_positions_; }

 private:
  struct alignas(kCacheLineBytes) Published {
    std::atomic<uint64_t> durable{0};
    std::atomic<uint64_t> written{0};
  };
  struct SyncRequest {
    Watermarks target;
    std::function<void(absl::Status)> done;
  };
  static Sequence Load(const std::atomic<uint64_t>& sequence) {
    // Acquire: who sees the sequence may read its frame from the tail or the disk.
    return Sequence(sequence.load(std::memory_order_acquire));
  }

  Log(const DataDirectory& directory, const Begin& begin, Options options);

  // --- The log thread ---
  void Run();
  void Drain();           // From the doors into the writer.
  void TakeFromOthers();  // What other threads asked for.
  void Publish(const LogWriter::Step& step);
  void AnswerRequests();
  void WakeSpilled();
  void Sleep(const LogWriter::Step& step);
  void TakeAll();     // Drain(), and what spilled: the shards' threads have stopped appending.
  void SealIfRoom();  // For StopIfRoom().
  void Finish();
  bool HasWork() const;

  void WakeIfAsleep();  // Any thread: something has come.
  void Wake();          // Any thread: ends a sleep, now or the next one.

  const Begin begin_;
  const Options options_;
  const Manifest manifest_;
  LogCounters counters_;
  LogTail tail_;
  std::vector<std::unique_ptr<ShardLog>> doors_;
  std::vector<Published> published_;
  std::atomic<State> state_{State::kWriting};
  std::atomic<uint64_t> current_segment_;

  Parker parker_;
  std::mutex sleep_mutex_;
  std::condition_variable sleep_;
  bool woken_ = false;  // Guarded by sleep_mutex_.

  mutable std::mutex mutex_;  // Guards what follows, up to the blank line.
  std::vector<SyncRequest> new_requests_;
  FsyncPolicy fsync_;
  int64_t fsync_interval_ms_;
  bool stopping_ = false;
  std::shared_ptr<std::promise<absl::Status>> new_sealing_;  // StopIfRoom() waits for it.
  bool ended_ = false;  // Nothing is taken from new_requests_ any more.
  std::string cause_;
  Watermarks durable_cut_;
  struct SegmentBegin {
    uint64_t number;
    Watermarks before;
  };
  // The latest, ascending; the first one ever stays. Gaps make SegmentAfter() answer an older one.
  std::deque<SegmentBegin> segment_begins_;
  std::atomic<bool> asked_{false};  // Something of the above is new to the log thread.

  std::mutex listeners_mutex_;  // Held while they are called.
  std::vector<std::pair<uint64_t, std::function<void()>>> listeners_;
  uint64_t next_listener_ = 1;

  // The log thread's.
  std::unique_ptr<LogWriter> writer_;
  std::vector<SyncRequest> requests_;
  absl::Status finished_;
  bool stop_seen_ = false;
  std::shared_ptr<std::promise<absl::Status>> sealing_;

  bool stopped_ = false;  // The owner's, as is the next.
  Positions final_positions_;
  std::thread thread_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_LOG_H_
