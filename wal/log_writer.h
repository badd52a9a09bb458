// LogWriter decides what is written to the log and when: one gathered write for all frames that
// have come, a sync when the policy has one due, the next segment when this one is full; and which
// of it is durable. It is the core of Log, which gives it a thread.
//
//   writer.Take(frame);                       // Of any shard; each shard's in order.
//   const LogWriter::Step step = writer.Run(sync_wanted);
//   if (step.durable_moved) Publish(writer.durable());
//   wait for frames, at most step.wait_ns;
//
// Durable is a consistent cut (consistent_cut.h) at or below what is synced: a transaction whose
// part on another shard is not synced does not count yet, nor what follows it.
//
// States. A disk that is full loses nothing: what was taken stays queued, and is tried again every
// kRetryNanos, from the same place in the file, so that no hole is left. Any other error of a
// write, and every error of a sync, is final: the system may have dropped pages and report the next
// sync as a success ("fsyncgate", PostgreSQL 2018). What was not durable then never becomes it, and
// what comes later is dropped and counted.
//
// Crash points: log.batch_gathered, log.batch_written, log.synced, segment.footer_written,
// segment.truncated, segment.sealed, segment.allocated, segment.header_written,
// segment.header_synced, segment.created.
//
// Threading: confined to the log thread; Run() and Finish() block on the disk.
// Ownership: borrows everything in its Options and the directory; shares each frame until it is
// written.

#ifndef TIDEMARK_WAL_LOG_WRITER_H_
#define TIDEMARK_WAL_LOG_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/format/frame.h"
#include "base/format/frame_compressor.h"
#include "base/ids.h"
#include "wal/commit_window.h"
#include "wal/consistent_cut.h"
#include "wal/data_directory.h"
#include "wal/fsync_policy.h"
#include "wal/log_counters.h"
#include "wal/log_tail.h"
#include "wal/positions.h"
#include "wal/segment_writer.h"

namespace tidemark::wal {

// Where a log begins to write, as recovery found it.
struct LogBegin {
  HistoryId history;
  Positions positions;        // One for each shard: where its stream stands.
  uint64_t next_segment = 1;  // Which no file has.
  // Of a replica's log, which may stop between the parts of a transaction: the consistent cut below
  // `positions`, and the frames from there to `positions`. Empty: `positions` is one.
  Watermarks cut = {};
  std::vector<FrameRef> beyond = {};
};

enum class LogState : uint8_t {
  kWriting,
  kDiskFull,  // Mends itself when there is space.
  kFailed,    // Final.
};

class LogWriter {
 public:
  struct Options {
    FsyncPolicy fsync = FsyncPolicy::kAlways;
    int64_t fsync_interval_ms = 100;
    uint64_t segment_bytes = 64 << 20;
    CommitWindow::Options commit_window = {};  // With fsync=always, as is the next.
    uint64_t zero_ahead_bytes = 512 << 10;     // SegmentWriter::ZeroAhead(); 0: never.
    bool zstd = false;
    int zstd_level = 3;
    const Clock* clock = &Clock::System();
    LogTail* tail = nullptr;          // May be null.
    LogCounters* counters = nullptr;  // Never null.
  };
  // Creates the segment begin.next_segment.
  static absl::StatusOr<std::unique_ptr<LogWriter>> Open(const DataDirectory& directory,
                                                         const LogBegin& begin,
                                                         const Options& options);
  ~LogWriter();

  void set_fsync(FsyncPolicy fsync, int64_t interval_ms);

  // Queues it. Requires: it is of the log's history and continues its shard's stream.
  void Take(FrameRef frame);
  // From outside: something is lost that should have been taken. Final.
  void Fail(absl::Status cause);

  struct Step {
    bool synced = false;  // Call BeginRound() once what came meanwhile was taken.
    bool durable_moved = false;
    bool state_changed = false;
    // Until Run() has something to do even if nothing more is taken; none: nothing will fall due.
    std::optional<int64_t> wait_ns;
  };
  // Writes and syncs what is due. `sync_wanted`: someone waits for durable, whatever the policy.
  Step Run(bool sync_wanted);

  // Tells the commit window what queued up during a sync. Call it before those who waited for the
  // sync are answered: they are expected again.
  void BeginRound() { window_.Expect(queue_records_); }

  // Writes what is queued and seals. ResourceExhausted while the state is kDiskFull: nothing is
  // lost, and Run() goes on trying. After OK nothing may be taken any more: Finish() is next.
  absl::Status SealIfRoom();
  // Writes what is queued, syncs and seals. OK: everything that was taken is durable. Nothing may
  // be called after it but the accessors.
  absl::Status Finish();

  LogState state() const { return state_; }
  const absl::Status& cause() const { return cause_; }  // OK while kWriting.
  const Watermarks& durable() const { return cut_.cut(); }
  const Positions& written() const { return positions_; }
  // Bytes of the shard's frames that were taken and have left the queue, written or dropped; before
  // compression. Only grows.
  uint64_t done_bytes(ShardId shard) const { return done_bytes_[shard.value()]; }
  uint64_t current_segment() const { return segment_number_; }
  // Where each shard's stream stood when the current segment began.
  const Watermarks& segment_begin() const { return segment_begin_; }

  static constexpr int64_t kRetryNanos = 100'000'000;
  // Of one gathered write, whichever comes first.
  static constexpr size_t kMaxWriteBytes = size_t{8} << 20;
  static constexpr size_t kMaxWriteFrames = 1024;
  // fsync=always: a flush is no longer held back once this much waits for it.
  static constexpr size_t kMaxHeldBytes = size_t{1} << 20;

 private:
  LogWriter(const DataDirectory& directory, const LogBegin& begin, const Options& options);

  std::optional<int64_t> WriteAndSync(bool sync_wanted);  // Step::wait_ns.
  // fsync=always: how long the queue is to wait for more.
  int64_t HoldBack(int64_t now_ns);
  bool SyncDue(bool sync_wanted, int64_t now_ns) const;
  int64_t SyncDueAt() const;  // With kInterval, what was written and not synced.
  void HandleResult(const absl::Status& result);  // Of writing: makes it the state.

  absl::Status WriteQueued();
  absl::Status EnsureRoom(uint64_t frame_bytes);
  absl::Status CreateSegment();
  absl::Status WriteBatch();
  absl::Status OnBatchWritten();
  absl::Status Sync();
  absl::Status Seal();
  void OnSynced();

  const Frame& OnDisk(const Frame& frame);  // As it is to be written.
  FrameRef TakeOldest();                    // Out of the queue.
  void DropQueue();

  const DataDirectory& directory_;
  const HistoryId history_;
  Options options_;
  FrameCompressor compressor_;
  CommitWindow window_;
  ConsistentCut cut_;

  std::deque<FrameRef> queue_;
  size_t queue_bytes_ = 0;
  uint64_t queue_records_ = 0;
  std::vector<uint64_t> done_bytes_;

  std::unique_ptr<SegmentWriter> segment_;  // Null or sealed: the next is to be created.
  uint64_t segment_number_;
  Watermarks segment_begin_;
  Positions positions_;            // Written.
  uint64_t unsynced_records_ = 0;  // Written and not synced.
  int64_t unsynced_since_ns_ = 0;  // When the oldest of those was written.

  LogState state_ = LogState::kWriting;
  absl::Status cause_;
  LogState reported_ = LogState::kWriting;  // By the latest Run().
  int64_t retry_at_ns_ = 0;

  // Of one batch; kept for their memory.
  std::vector<const Frame*> batch_;
  std::vector<LogTail::Entry> entries_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_LOG_WRITER_H_
