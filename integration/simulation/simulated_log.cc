#include "integration/simulation/simulated_log.h"

#include <algorithm>
#include <utility>

#include "wal/export/export_position.h"

namespace tidemark::simulation {

SimulatedLog::SimulatedLog(const wal::DataDirectory& directory, const wal::LogBegin& begin,
                           const Options& options)
    : options_(options),
      history_(begin.history),
      manifest_(directory.manifest()),
      tail_(options.tail_bytes, SequencesOf(begin.positions),
            {.segment = begin.next_segment, .offset = 0}),
      durable_(SequencesOf(begin.positions)),
      current_segment_(begin.next_segment) {}

SimulatedLog::~SimulatedLog() = default;

absl::StatusOr<std::unique_ptr<SimulatedLog>> SimulatedLog::Open(
    const wal::DataDirectory& directory, const wal::LogBegin& begin, const Options& options) {
  std::unique_ptr<SimulatedLog> log(new SimulatedLog(directory, begin, options));
  wal::LogWriter::Options writing;
  writing.fsync = options.fsync;
  writing.fsync_interval_ms = options.fsync_interval_ms;
  writing.segment_bytes = options.segment_bytes;
  writing.zstd = options.zstd;
  writing.clock = options.time;
  writing.tail = &log->tail_;
  writing.counters = &log->counters_;
  auto writer = wal::LogWriter::Open(directory, begin, writing);
  if (!writer.ok()) return writer.status();
  log->writer_ = *std::move(writer);
  return log;
}

void SimulatedLog::Append(FrameRef frame) {
  options_.on_sealed(frame);
  appended_bytes_ += frame->bytes().size();
  pending_.push_back(std::move(frame));
}

size_t SimulatedLog::queued_bytes() const {
  uint64_t done_bytes = 0;
  for (size_t shard = 0; shard < durable_.size(); ++shard) {
    done_bytes += writer_->done_bytes(ShardId(static_cast<uint16_t>(shard)));
  }
  return appended_bytes_ - done_bytes;
}

void SimulatedLog::RunSoon() {
  if (busy_ || scheduled_ || (pending_.empty() && !hole_)) return;
  scheduled_ = true;
  options_.time->In(options_.time->sim().Between(1, 100), [this] { Run(); });
}

void SimulatedLog::TakePending() {
  for (FrameRef& frame : pending_) writer_->Take(std::move(frame));
  pending_.clear();
  if (std::exchange(hole_, false)) writer_->Fail(absl::DataLossError("a hole in the log"));
}

void SimulatedLog::Run() {
  scheduled_ = false;
  if (busy_) return;
  TakePending();
  const wal::LogWriter::Step step = writer_->Run(!requests_.empty());
  // The platter has it already; the process learns of it when the call returns.
  busy_ = true;
  const int64_t took_us = step.synced ? *options_.sync_us : 20;
  options_.time->In(took_us, [this, step] {
    busy_ = false;
    if (step.synced) {
      TakePending();
      writer_->BeginRound();
    }
    Publish(step);
    AnswerRequests();
    if (step.wait_ns.has_value() || step.synced || !pending_.empty()) {
      scheduled_ = true;
      const int64_t wait_us = step.synced ? 1 : step.wait_ns.value_or(0) / 1'000 + 1;
      // What is appended meanwhile waits no longer than a moment.
      options_.time->In(std::min<int64_t>(wait_us, 1'000), [this] { Run(); });
    }
  });
}

void SimulatedLog::Publish(const wal::LogWriter::Step& step) {
  current_segment_ = writer_->current_segment();
  durable_ = writer_->durable();
  state_ = writer_->state();
  if (step.durable_moved || step.state_changed) options_.on_moved();
}

void SimulatedLog::SyncThrough(Watermarks target, std::function<void(absl::Status)> done) {
  requests_.push_back({.target = std::move(target), .done = std::move(done)});
  if (scheduled_ || busy_) return;
  scheduled_ = true;
  options_.time->In(1, [this] { Run(); });
}

void SimulatedLog::AnswerRequests() {
  std::vector<SyncRequest> waiting;
  for (SyncRequest& request : std::exchange(requests_, {})) {
    if (wal::Reaches(durable_, request.target)) {
      request.done(absl::OkStatus());
    } else if (state_ == wal::LogState::kFailed) {
      request.done(writer_->cause());
    } else {
      waiting.push_back(std::move(request));
    }
  }
  for (SyncRequest& request : waiting) requests_.push_back(std::move(request));
}

absl::Status SimulatedLog::Stop(wal::DataDirectory& directory) {
  TakePending();
  if (absl::Status s = writer_->Finish(); !s.ok()) return s;
  Publish({.synced = true, .durable_moved = true, .state_changed = false, .wait_ns = {}});
  wal::Manifest manifest = directory.manifest();
  manifest.clean_stop = writer_->written();
  return directory.Save(std::move(manifest));
}

}  // namespace tidemark::simulation
