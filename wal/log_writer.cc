#include "wal/log_writer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/crash_point.h"

namespace tidemark::wal {

LogWriter::LogWriter(const DataDirectory& directory, const LogBegin& begin, const Options& options)
    : directory_(directory),
      history_(begin.history),
      options_(options),
      compressor_({.level = options.zstd_level, .clock = options.clock}),
      window_(options.commit_window),
      cut_(begin.cut.empty() ? SequencesOf(begin.positions) : begin.cut),
      done_bytes_(begin.positions.size()),
      segment_number_(begin.next_segment),
      positions_(begin.positions) {}

LogWriter::~LogWriter() = default;

absl::StatusOr<std::unique_ptr<LogWriter>> LogWriter::Open(const DataDirectory& directory,
                                                           const LogBegin& begin,
                                                           const Options& options) {
  std::unique_ptr<LogWriter> writer(new LogWriter(directory, begin, options));
  for (const FrameRef& frame : begin.beyond) {
    if (absl::Status s = writer->cut_.Add(*frame); !s.ok()) return s;
  }
  if (absl::Status s = writer->CreateSegment(); !s.ok()) return s;
  return writer;
}

void LogWriter::set_fsync(FsyncPolicy fsync, int64_t interval_ms) {
  options_.fsync = fsync;
  options_.fsync_interval_ms = interval_ms;
}

void LogWriter::Take(FrameRef frame) {
  queue_bytes_ += frame->bytes().size();
  queue_records_ += frame->record_count();
  queue_.push_back(std::move(frame));
}

void LogWriter::Fail(absl::Status cause) {
  if (state_ == LogState::kFailed) return;
  state_ = LogState::kFailed;
  cause_ = std::move(cause);
}

LogWriter::Step LogWriter::Run(bool sync_wanted) {
  const LogState state_before = state_;
  const Watermarks durable_before = durable();
  const uint64_t syncs_before = options_.counters->syncs.value();
  Step step;
  if (state_ != LogState::kFailed) step.wait_ns = WriteAndSync(sync_wanted);
  if (state_ == LogState::kFailed) {
    DropQueue();
    step.wait_ns.reset();
  }
  options_.counters->queued_frames.Set(static_cast<int64_t>(queue_.size()));
  step.synced = options_.counters->syncs.value() != syncs_before;
  step.durable_moved = durable() != durable_before;
  // What was reported is final: between two calls, Fail() alone changes it.
  step.state_changed = state_ != reported_ || state_ != state_before;
  reported_ = state_;
  return step;
}

std::optional<int64_t> LogWriter::WriteAndSync(bool sync_wanted) {
  int64_t now_ns = options_.clock->MonotonicNanos();
  std::optional<int64_t> wait_ns;
  const auto wait_until = [&](int64_t then_ns) {
    const int64_t ns = std::max<int64_t>(0, then_ns - now_ns);
    wait_ns = std::min(wait_ns.value_or(ns), ns);
  };
  const int64_t held_ns = HoldBack(now_ns);
  const bool try_now = state_ == LogState::kWriting || now_ns >= retry_at_ns_;
  if (!queue_.empty() && try_now && held_ns == 0) HandleResult(WriteQueued());
  if (state_ == LogState::kFailed) return std::nullopt;
  now_ns = options_.clock->MonotonicNanos();
  // Also while the disk is full: what got its place before that can be durable.
  if (SyncDue(sync_wanted, now_ns)) {
    if (absl::Status s = Sync(); !s.ok()) Fail(std::move(s));
    now_ns = options_.clock->MonotonicNanos();
  }
  if (!queue_.empty()) wait_until(state_ == LogState::kDiskFull ? retry_at_ns_ : now_ns + held_ns);
  if (unsynced_records_ > 0 && options_.fsync == FsyncPolicy::kInterval) {
    wait_until(SyncDueAt());
  }
  return wait_ns;
}

int64_t LogWriter::HoldBack(int64_t now_ns) {
  if (options_.fsync != FsyncPolicy::kAlways || queue_.empty() || queue_bytes_ >= kMaxHeldBytes) {
    return 0;
  }
  const int64_t wait_ns = window_.Wait(queue_records_, now_ns);
  if (wait_ns > 0) options_.counters->commit_waits.Add();
  return wait_ns;
}

bool LogWriter::SyncDue(bool sync_wanted, int64_t now_ns) const {
  if (unsynced_records_ == 0) return false;
  switch (options_.fsync) {
    case FsyncPolicy::kAlways:
      return true;
    case FsyncPolicy::kInterval:
      return sync_wanted || now_ns >= SyncDueAt();
    case FsyncPolicy::kNever:
      return sync_wanted;
  }
  return true;
}

int64_t LogWriter::SyncDueAt() const {
  return unsynced_since_ns_ + std::max<int64_t>(1, options_.fsync_interval_ms) * 1'000'000;
}

void LogWriter::HandleResult(const absl::Status& result) {
  if (result.ok()) {
    state_ = LogState::kWriting;
    cause_ = absl::OkStatus();
    return;
  }
  // From a sync even "no space" is final: which pages it means, nobody says.
  if (!absl::IsResourceExhausted(result) || (segment_ != nullptr && segment_->sync_failed())) {
    return Fail(result);
  }
  (state_ == LogState::kDiskFull ? options_.counters->write_retries : options_.counters->disk_full)
      .Add();
  state_ = LogState::kDiskFull;
  cause_ = result;
  retry_at_ns_ = options_.clock->MonotonicNanos() + kRetryNanos;
}

absl::Status LogWriter::WriteQueued() {
  while (!queue_.empty()) {
    if (absl::Status s = EnsureRoom(OnDisk(*queue_.front()).bytes().size()); !s.ok()) return s;
    if (absl::Status s = WriteBatch(); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status LogWriter::EnsureRoom(uint64_t frame_bytes) {
  if (segment_ != nullptr && !segment_->sealed()) {
    if (segment_->empty() || segment_->HasRoomFor(frame_bytes)) return absl::OkStatus();
    if (absl::Status s = Seal(); !s.ok()) return s;
  }
  return CreateSegment();
}

absl::Status LogWriter::CreateSegment() {
  const uint64_t number = segment_ == nullptr ? segment_number_ : segment_->number() + 1;
  absl::StatusOr<std::unique_ptr<SegmentWriter>> created =
      SegmentWriter::Create(directory_,
                            {.directory = directory_.id(),
                             .number = number,
                             .created_at_ms = options_.clock->UnixMillis(),
                             .history = history_,
                             .before = positions_},
                            options_.segment_bytes);
  if (!created.ok()) return created.status();
  segment_ = *std::move(created);
  segment_number_ = number;
  segment_begin_ = SequencesOf(positions_);
  options_.counters->segments.Add();
  if (options_.tail != nullptr) {
    options_.tail->SetEnd({.segment = number, .offset = segment_->end_bytes()});
  }
  return absl::OkStatus();
}

const Frame& LogWriter::OnDisk(const Frame& frame) {
  return options_.zstd ? compressor_.Compress(frame) : frame;
}

absl::Status LogWriter::WriteBatch() {
  batch_.clear();
  uint64_t bytes = 0;
  for (const FrameRef& frame : queue_) {
    const Frame& on_disk = OnDisk(*frame);
    const uint64_t with_it = bytes + on_disk.bytes().size();
    const bool fits = batch_.size() < kMaxWriteFrames && with_it <= kMaxWriteBytes &&
                      segment_->HasRoomFor(with_it);
    if (!batch_.empty() && !fits) break;
    batch_.push_back(&on_disk);
    bytes = with_it;
  }
  CrashPoint("log.batch_gathered");
  const int64_t begin_ns = options_.clock->MonotonicNanos();
  if (options_.fsync == FsyncPolicy::kAlways && options_.zero_ahead_bytes > 0) {
    if (absl::Status s = segment_->ZeroAhead(bytes, options_.zero_ahead_bytes); !s.ok()) return s;
  }
  if (absl::Status s = segment_->Write(batch_, options_.clock->UnixMillis()); !s.ok()) return s;
  CrashPoint("log.batch_written");
  const int64_t end_ns = options_.clock->MonotonicNanos();
  if (unsynced_records_ == 0) unsynced_since_ns_ = end_ns;
  LogCounters& counters = *options_.counters;
  counters.write_nanos.Record(end_ns - begin_ns);
  counters.writes.Add();
  counters.bytes.Add(bytes);
  return OnBatchWritten();
}

absl::Status LogWriter::OnBatchWritten() {
  LogCounters& counters = *options_.counters;
  LogPosition at{.segment = segment_->number(), .offset = segment_->first_offset()};
  entries_.clear();
  for (const Frame* on_disk : batch_) {
    const FrameRef frame = TakeOldest();
    if (absl::Status s = cut_.Add(*frame); !s.ok()) return s;
    positions_[frame->shard().value()] = {.sequence = frame->last_sequence(),
                                          .digest = frame->stream_digest()};
    unsynced_records_ += frame->record_count();
    counters.frames.Add();
    counters.records.Add(frame->record_count());
    counters.raw_bytes.Add(frame->bytes().size());
    const uint64_t end = at.offset + on_disk->bytes().size();
    entries_.push_back({.frame = frame, .position = at, .end_offset = end});
    at.offset = end;
  }
  CHECK(at.offset == segment_->end_bytes());
  if (options_.tail != nullptr) options_.tail->Append(entries_, at);
  entries_.clear();  // Holds no frame longer than the tail does.
  return absl::OkStatus();
}

FrameRef LogWriter::TakeOldest() {
  FrameRef frame = std::move(queue_.front());
  queue_.pop_front();
  queue_bytes_ -= frame->bytes().size();
  queue_records_ -= frame->record_count();
  done_bytes_[frame->shard().value()] += frame->bytes().size();
  return frame;
}

void LogWriter::DropQueue() {
  options_.counters->dropped_frames.Add(queue_.size());
  while (!queue_.empty()) TakeOldest();
}

absl::Status LogWriter::Sync() {
  const int64_t begin_ns = options_.clock->MonotonicNanos();
  if (absl::Status s = segment_->Sync(); !s.ok()) return s;
  CrashPoint("log.synced");
  const int64_t end_ns = options_.clock->MonotonicNanos();
  options_.counters->sync_nanos.Record(end_ns - begin_ns);
  window_.OnSynced(unsynced_records_, end_ns - begin_ns, end_ns);
  OnSynced();
  return absl::OkStatus();
}

absl::Status LogWriter::Seal() {
  if (absl::Status s = segment_->Seal(options_.clock->UnixMillis()); !s.ok()) return s;
  OnSynced();
  return absl::OkStatus();
}

void LogWriter::OnSynced() {
  options_.counters->syncs.Add();
  unsynced_records_ = 0;
  cut_.Cut(SequencesOf(positions_));
}

absl::Status LogWriter::SealIfRoom() {
  if (state_ == LogState::kFailed) return cause_;
  HandleResult(WriteQueued());
  if (state_ == LogState::kWriting && !segment_->sealed()) HandleResult(Seal());
  return cause_;
}

absl::Status LogWriter::Finish() {
  if (state_ != LogState::kFailed) {
    SealIfRoom().IgnoreError();
    if (state_ == LogState::kDiskFull && unsynced_records_ > 0) {
      // It ends unsealed, as after a crash, and what is in it is on disk at least.
      if (absl::Status s = Sync(); !s.ok()) Fail(std::move(s));
    }
  }
  DropQueue();
  if (state_ != LogState::kWriting) return cause_;
  if (durable() != SequencesOf(positions_)) {
    return absl::DataLossError("the log ends within a transaction: a part of it never came");
  }
  return absl::OkStatus();
}

}  // namespace tidemark::wal
