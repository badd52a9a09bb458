#include "wal/export/export_session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/link/peer_text.h"
#include "base/link/refusal.h"
#include "base/link/wire_vectors.h"
#include "fmt/format.h"

namespace tidemark::wal {
namespace {

// Refusals that only an operator mends, and those that pass by themselves.
constexpr uint32_t kRetryLateMs = 30'000;
constexpr uint32_t kRetrySoonMs = 5'000;

// Why a Hello contradicts itself; empty: it does not.
std::string HelloFault(const wire::Hello& hello) {
  if (!IsConsumerName(hello.consumer())) {
    return fmt::format("a consumer's name has 1 to {} of A-Z a-z 0-9 . _ -", kMaxConsumerNameBytes);
  }
  if (hello.start() < wire::Hello::RESUME || hello.start() > wire::Hello::SNAPSHOT) {
    return fmt::format("start {} is not known here", static_cast<int>(hello.start()));
  }
  const bool resumes = hello.start() == wire::Hello::RESUME;
  if (resumes != (hello.history() != 0) || resumes != !hello.positions().empty()) {
    return "a history and positions belong to start RESUME, and to no other";
  }
  if (hello.positions_size() > kMaxShards) {
    return fmt::format("positions of {} shards", hello.positions_size());
  }
  return "";
}

ExportStart StartOf(const wire::Hello& hello) {
  ExportStart start;
  start.from = static_cast<ExportStart::From>(hello.start());
  start.position = {.history = HistoryId(hello.history()),
                    .sequences = tidemark::FromWire(hello.positions())};
  return start;
}

}  // namespace

ExportSession::ExportSession(const Options& options, ExportHost* host, ExportSource* source,
                             int64_t now_ms)
    : options_(options),
      host_(host),
      source_(source),
      reader_({.frames_allowed = false}),
      opened_ms_(now_ms),
      last_heard_ms_(now_ms),
      write_progress_ms_(now_ms) {
  if (!options_.dialled) return;
  wire::Dial dial;
  dial.set_min_version(kExportVersion);
  dial.set_max_version(kExportVersion);
  dial.set_token(options_.tokens.current);
  Push(dial);
}

// --- What comes in ---

void ExportSession::OnBytes(std::string_view bytes, int64_t now_ms) {
  ExportMessage message;
  while (state_ != State::kClosing && state_ != State::kClosed) {
    const absl::StatusOr<bool> got = reader_.Next(&bytes, &message);
    if (!got.ok()) {
      return Close(wire::Goodbye::PROTOCOL, std::string(got.status().message()));
    }
    if (!*got) return;
    last_heard_ms_ = now_ms;
    Handle(std::get<ExportControl>(message), now_ms);
  }
}

void ExportSession::Handle(const ExportControl& message, int64_t now_ms) {
  if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) {
    state_ = State::kClosed;
    cause_ = absl::UnavailableError(fmt::format("the consumer said goodbye ({}): {}",
                                                wire::Goodbye::Code_Name(goodbye->code()),
                                                PeerText(goodbye->text())));
    return;
  }
  if (const auto* hello = std::get_if<wire::Hello>(&message); hello && state_ == State::kHello) {
    return HandleHello(*hello, now_ms);
  }
  if (const auto* ack = std::get_if<wire::Ack>(&message); ack && streaming()) {
    return HandleAck(*ack);
  }
  Close(wire::Goodbye::PROTOCOL, fmt::format("{} out of turn", ExportControlName(message)));
}

void ExportSession::HandleHello(const wire::Hello& hello, int64_t now_ms) {
  if (hello.min_version() > kExportVersion || hello.max_version() < kExportVersion) {
    return Refuse(wire::Refuse::VERSION,
                  fmt::format("this node speaks version {} of the export stream, the consumer {} "
                              "to {}",
                              kExportVersion, hello.min_version(), hello.max_version()),
                  kRetryLateMs);
  }
  // The bound comes first, so that a long token costs no more than a good one.
  if (!options_.tokens.Admits(hello.token())) {
    return Refuse(wire::Refuse::TOKEN, "the export token is not this node's", kRetrySoonMs);
  }
  if (const std::string fault = HelloFault(hello); !fault.empty()) {
    return Refuse(wire::Refuse::BAD_HELLO, fault, kRetryLateMs);
  }
  if (const std::optional<wire::Refuse> refusal = host_->Admit(hello.consumer())) {
    return Refuse(refusal->code(), refusal->text(), refusal->retry_after_ms());
  }
  consumer_ = hello.consumer();
  Begin(hello, now_ms);
}

void ExportSession::Begin(const wire::Hello& hello, int64_t now_ms) {
  ExportOpened opened = source_->Open(consumer_, StartOf(hello));
  if (const auto* fault = std::get_if<ExportFault>(&opened)) return OnFault(*fault);
  cursor_ = std::get<std::unique_ptr<ExportCursor>>(std::move(opened));
  wants_zstd_ = hello.want_zstd();
  queued_ = cursor_->begin();
  ack_floor_ = queued_.sequences;
  if (!cursor_->has_snapshot()) acked_ = queued_;
  marks_.Begin(queued_, cursor_->has_snapshot());
  state_ = cursor_->has_snapshot() ? State::kSnapshot : State::kStreaming;

  wire::Accept accept;
  accept.set_version(kExportVersion);
  accept.set_history(queued_.history.value());
  accept.set_shard_count(static_cast<uint32_t>(queued_.sequences.size()));
  tidemark::ToWire(queued_.sequences, accept.mutable_positions());
  accept.set_snapshot(cursor_->has_snapshot());
  accept.set_heartbeat_interval_ms(static_cast<uint32_t>(options_.heartbeat_interval_ms));
  accept.set_silence_timeout_ms(static_cast<uint32_t>(options_.silence_timeout_ms));
  Push(accept);
  QueueHeartbeat(now_ms);
  // A consumer without its snapshot has no position to come back to, but needs the log after it.
  const uint64_t segment = cursor_->Acknowledge(queued_);
  host_->OnPosition(consumer_, acked_, segment);
}

void ExportSession::HandleAck(const wire::Ack& ack) {
  ++acks_;
  if (ack.positions().empty()) return;  // It lives.
  const HistoryId history(ack.history());
  if (std::find(left_.begin(), left_.end(), history) != left_.end()) return;  // Late.
  const Watermarks positions = tidemark::FromWire(ack.positions());
  // An ack beyond what was sent would let go of what the consumer lacks.
  if (state_ != State::kStreaming || history != queued_.history ||
      positions.size() != queued_.sequences.size() || !Reaches(queued_.sequences, positions) ||
      !Reaches(positions, ack_floor_)) {
    return Close(wire::Goodbye::PROTOCOL, "an ack that cannot be");
  }
  ack_floor_ = positions;
  acked_ = {.history = history, .sequences = positions};
  host_->OnPosition(consumer_, acked_, cursor_->Acknowledge(acked_));
}

// --- What goes out ---

bool ExportSession::Pump(size_t budget_bytes, int64_t now_ms) {
  size_t taken = 0;
  while (streaming() && output_.bytes() < options_.max_queue_bytes) {
    if (taken >= budget_bytes) return true;
    // An idle queue was no stall: what is queued now has its own time.
    if (output_.empty()) write_progress_ms_ = now_ms;
    ExportItem item = cursor_->Next();
    if (std::holds_alternative<CaughtUp>(item)) {
      if (draining_) Close(wire::Goodbye::STOPPING, "the node is shutting down");
      return false;
    }
    if (auto* frame = std::get_if<FrameRef>(&item)) {
      if (!Continues(**frame)) {
        OnFault({.kind = ExportFault::Kind::kUnavailable,
                 .text = "the log is not contiguous where it is read",
                 .lost = {}});
        return false;
      }
      taken += Queue(std::move(*frame));
    } else if (const auto* start = std::get_if<HistoryStart>(&item)) {
      QueueHistory(*start);
    } else if (const auto* fault = std::get_if<ExportFault>(&item)) {
      OnFault(*fault);
    } else {
      QueueSnapshotEnd();
    }
  }
  return false;
}

// A hole in what is sent would be one in every copy that is made of it.
bool ExportSession::Continues(const Frame& frame) const {
  if (frame.shard_count() != queued_.sequences.size()) return false;
  if (frame.kind() == FrameKind::kSnapshotChunk) return state_ == State::kSnapshot;
  return frame.history() == queued_.history &&
         frame.first_sequence() <= tidemark::Next(queued_.sequences[frame.shard().value()]);
}

size_t ExportSession::Queue(FrameRef frame) {
  const Frame* twin = wants_zstd_ ? frame->compressed() : nullptr;
  if (twin == nullptr) twin = frame.get();
  const size_t bytes = twin->bytes().size();
  ++counters_.frames;
  counters_.records += frame->record_count();
  counters_.bytes += bytes;
  const Frame& queued = *frame;
  output_.Push(std::move(frame), twin);
  if (queued.kind() == FrameKind::kSnapshotChunk) {
    ++counters_.chunks;
    ++snapshot_chunks_;
    snapshot_entries_ += queued.record_count();
    return bytes;
  }
  Sequence& at = queued_.sequences[queued.shard().value()];
  at = std::max(at, queued.last_sequence());
  marks_.OnFrame(output_.bytes(), queued.shard(), queued.last_sequence());
  return bytes;
}

void ExportSession::QueueSnapshotEnd() {
  wire::SnapshotEnd end;
  end.set_chunks(snapshot_chunks_);
  end.set_entries(snapshot_entries_);
  Push(end);
  marks_.OnSnapshotEnd(output_.bytes());
  state_ = State::kStreaming;
}

void ExportSession::QueueHistory(const HistoryStart& start) {
  left_.push_back(queued_.history);
  queued_ = start.position;
  ack_floor_ = queued_.sequences;
  wire::HistoryChange change;
  change.set_history(queued_.history.value());
  change.set_shard_count(static_cast<uint32_t>(queued_.sequences.size()));
  tidemark::ToWire(queued_.sequences, change.mutable_positions());
  Push(change);
  marks_.OnHistory(output_.bytes(), queued_);
}

void ExportSession::QueueHeartbeat(int64_t now_ms) {
  heartbeat_ms_ = now_ms;
  // A consumer so slow that this much waits learns more from what waits.
  if (output_.bytes() >= options_.max_queue_bytes) return;
  const ExportPosition durable = source_->Durable();
  wire::Heartbeat heartbeat;
  heartbeat.set_history(durable.history.value());
  tidemark::ToWire(durable.sequences, heartbeat.mutable_durable());
  heartbeat.set_wall_ms(host_->UnixMillis());
  Push(heartbeat);
}

void ExportSession::OnWritten(size_t bytes, int64_t now_ms) {
  output_.Consume(bytes);
  marks_.OnWritten(bytes);
  write_progress_ms_ = now_ms;
  if (state_ == State::kClosing && output_.empty()) state_ = State::kClosed;
}

// --- Time ---

void ExportSession::Tick(int64_t now_ms) {
  if (state_ == State::kClosed) return;
  if (output_.empty()) write_progress_ms_ = now_ms;
  if (now_ms - write_progress_ms_ >= options_.write_timeout_ms) {
    timed_out_writing_ = true;
    if (cause_.ok()) {
      cause_ = absl::DeadlineExceededError(
          fmt::format("no byte could be sent for {} ms", options_.write_timeout_ms));
    }
    state_ = State::kClosed;
    return;
  }
  if (state_ == State::kHello && now_ms - opened_ms_ >= options_.hello_timeout_ms) {
    return Refuse(wire::Refuse::NO_HELLO,
                  fmt::format("no hello within {} ms", options_.hello_timeout_ms), 0);
  }
  if (!streaming()) return;
  if (now_ms - last_heard_ms_ >= options_.silence_timeout_ms) {
    return Close(wire::Goodbye::SILENCE,
                 fmt::format("nothing was heard for {} ms", options_.silence_timeout_ms));
  }
  if (now_ms - heartbeat_ms_ >= options_.heartbeat_interval_ms) QueueHeartbeat(now_ms);
}

int64_t ExportSession::NextDeadlineMs() const {
  if (state_ == State::kClosed) return std::numeric_limits<int64_t>::max();
  int64_t deadline = write_progress_ms_ + options_.write_timeout_ms;
  if (state_ == State::kHello) {
    deadline = std::min(deadline, opened_ms_ + options_.hello_timeout_ms);
  }
  if (streaming()) {
    deadline = std::min(deadline, last_heard_ms_ + options_.silence_timeout_ms);
    deadline = std::min(deadline, heartbeat_ms_ + options_.heartbeat_interval_ms);
  }
  return deadline;
}

// --- Endings ---

void ExportSession::OnFault(const ExportFault& fault) {
  using Kind = ExportFault::Kind;
  if (accepted()) {
    return Close(fault.kind == Kind::kPositionLost ? wire::Goodbye::POSITION_LOST
                                                   : wire::Goodbye::UNAVAILABLE,
                 fault.text, fault.lost);
  }
  switch (fault.kind) {
    case Kind::kBadPosition:
      return Refuse(wire::Refuse::BAD_HELLO, fault.text, kRetryLateMs);
    case Kind::kForeignHistory:
      return Refuse(wire::Refuse::FOREIGN_HISTORY, fault.text, kRetryLateMs);
    case Kind::kPositionLost:
      return Refuse(wire::Refuse::POSITION_LOST, fault.text, kRetryLateMs, fault.lost);
    case Kind::kNoSnapshot:
      return Refuse(wire::Refuse::NO_SNAPSHOT, fault.text, kRetrySoonMs);
    case Kind::kUnavailable:
      return Refuse(wire::Refuse::UNAVAILABLE, fault.text, kRetrySoonMs);
  }
}

void ExportSession::Close(wire::Goodbye::Code code, std::string_view text,
                          const std::vector<LostRange>& lost) {
  if (state_ == State::kClosing || state_ == State::kClosed) return;
  wire::Goodbye goodbye;
  goodbye.set_code(code);
  goodbye.set_text(std::string(text));
  ToWire(lost, goodbye.mutable_lost());
  Push(goodbye);
  goodbye_ = code;
  BeginClosing(absl::AbortedError(fmt::format("{}: {}", wire::Goodbye::Code_Name(code), text)));
}

void ExportSession::Refuse(wire::Refuse::Code code, std::string_view text, uint32_t retry_after_ms,
                           const std::vector<LostRange>& lost) {
  auto refusal = MakeRefusal<wire::Refuse>(code, std::string(text), retry_after_ms);
  ToWire(lost, refusal.mutable_lost());
  Push(refusal);
  refusal_ = code;
  retry_after_ms_ = retry_after_ms;
  BeginClosing(absl::PermissionDeniedError(
      fmt::format("refused ({}): {}", wire::Refuse::Code_Name(code), text)));
}

void ExportSession::BeginClosing(absl::Status cause) {
  state_ = State::kClosing;
  cause_ = std::move(cause);
}

void ExportSession::OnDisconnected(const absl::Status& why) {
  if (cause_.ok()) cause_ = why;
  state_ = State::kClosed;
}

}  // namespace tidemark::wal
