// SimulatedLog is the log thread in virtual time: it takes the shards' frames, lets the production
// LogWriter put them on the simulated disk, and publishes what that made durable after as long as
// the disk took.
//
// What wal::Log does with a ring, a thread and atomics is here a queue and events; everything that
// decides (LogWriter, with its segments, commit window, consistent cut and states) is the real one.
//
// Threading: none; a simulation runs on one thread.
// Ownership: borrows what is in its Options and the directory.

#ifndef TIDEMARK_INTEGRATION_SIMULATION_SIMULATED_LOG_H_
#define TIDEMARK_INTEGRATION_SIMULATION_SIMULATED_LOG_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "integration/simulation/node_time.h"
#include "replication/frame_log.h"
#include "wal/data_directory.h"
#include "wal/live_log.h"
#include "wal/log_counters.h"
#include "wal/log_writer.h"

namespace tidemark::simulation {

class SimulatedLog final : public wal::LiveLog {
 public:
  struct Options {
    wal::FsyncPolicy fsync = wal::FsyncPolicy::kAlways;
    int64_t fsync_interval_ms = 20;
    uint64_t segment_bytes = 32 << 10;
    bool zstd = false;
    size_t tail_bytes = 16 << 10;
    size_t max_queue_bytes = 64 << 10;  // Past it the node takes no writes.
    NodeTime* time = nullptr;           // Borrowed, as all that follows.
    const int64_t* sync_us = nullptr;   // How long the disk takes now.
    std::function<void(const FrameRef&)> on_sealed;
    std::function<void()> on_moved;  // Durable has moved, or the state has changed.
  };
  static absl::StatusOr<std::unique_ptr<SimulatedLog>> Open(const wal::DataDirectory& directory,
                                                            const wal::LogBegin& begin,
                                                            const Options& options);
  ~SimulatedLog();

  replication::FrameLog* door() { return &door_; }  // Of all shards.

  // LiveLog.
  HistoryId history() const override { return history_; }
  size_t shard_count() const override { return durable_.size(); }
  const wal::Manifest& manifest() const override { return manifest_; }
  Sequence durable(ShardId shard) const override { return durable_[shard.value()]; }
  Watermarks DurableCut() const override { return durable_; }
  const wal::LogTail& tail() const override { return tail_; }

  wal::LogState state() const { return state_; }
  uint64_t current_segment() const { return current_segment_; }
  uint64_t segments_begun() const { return counters_.segments.value(); }
  bool takes_writes() const {
    return state_ == wal::LogState::kWriting && queued_bytes() < options_.max_queue_bytes;
  }
  size_t queued_bytes() const;  // Appended, and neither written nor dropped.

  // `done` comes once `target` is durable, syncing for it whatever the policy; or with the error
  // that the log failed with.
  void SyncThrough(Watermarks target, std::function<void(absl::Status)> done);

  // A stop in good order: everything that was appended is durable, and the directory says so.
  absl::Status Stop(wal::DataDirectory& directory);

 private:
  class Door final : public replication::FrameLog {
   public:
    explicit Door(SimulatedLog* log) : log_(*log) {}
    void Append(FrameRef frame) override { log_.Append(std::move(frame)); }
    void OnTurnEnd() override { log_.RunSoon(); }
    void OnHole(Sequence) override { log_.hole_ = true; }

   private:
    SimulatedLog& log_;
  };
  struct SyncRequest {
    Watermarks target;
    std::function<void(absl::Status)> done;
  };

  SimulatedLog(const wal::DataDirectory& directory, const wal::LogBegin& begin,
               const Options& options);
  void Append(FrameRef frame);
  void RunSoon();
  void Run();
  void TakePending();
  void Publish(const wal::LogWriter::Step& step);
  void AnswerRequests();

  const Options options_;
  const HistoryId history_;
  const wal::Manifest manifest_;
  Door door_{this};
  wal::LogCounters counters_;
  wal::LogTail tail_;
  std::unique_ptr<wal::LogWriter> writer_;

  std::vector<FrameRef> pending_;  // Appended, and not yet seen by the writer.
  uint64_t appended_bytes_ = 0;
  bool hole_ = false;
  bool scheduled_ = false;  // A Run() is to come.
  bool busy_ = false;       // Within a write or a sync.
  std::vector<SyncRequest> requests_;

  // As published.
  Watermarks durable_;
  wal::LogState state_ = wal::LogState::kWriting;
  uint64_t current_segment_;
};

}  // namespace tidemark::simulation

#endif  // TIDEMARK_INTEGRATION_SIMULATION_SIMULATED_LOG_H_
