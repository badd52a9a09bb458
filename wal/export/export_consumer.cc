#include "wal/export/export_consumer.h"

#include <algorithm>
#include <utility>

#include "base/link/link_tokens.h"
#include "base/link/peer_text.h"
#include "base/link/wire_vectors.h"
#include "fmt/format.h"

namespace tidemark::wal {
namespace {

// A position that a message names, if it is one.
absl::StatusOr<ExportPosition> PositionOf(uint64_t history, uint32_t shard_count,
                                          const google::protobuf::RepeatedField<uint64_t>& marks) {
  if (history == 0 || marks.empty() || marks.size() > kMaxShards ||
      static_cast<uint32_t>(marks.size()) != shard_count) {
    return absl::InvalidArgumentError(fmt::format("{} positions for {} shards of history {}",
                                                  marks.size(), shard_count, history));
  }
  return ExportPosition{.history = HistoryId(history), .sequences = tidemark::FromWire(marks)};
}

}  // namespace

ExportConsumer::ExportConsumer(const Options& options, int64_t now_ms)
    : options_(options),
      state_(options.dialled ? State::kDial : State::kHello),
      reader_({.frames_allowed = true, .max_frame_bytes = options.max_frame_bytes}),
      said_ms_(now_ms),
      heard_ms_(now_ms) {
  if (!options_.dialled) SayHello();
}

void ExportConsumer::SayHello() {
  wire::Hello hello;
  hello.set_min_version(kExportVersion);
  hello.set_max_version(kExportVersion);
  hello.set_consumer(options_.name);
  hello.set_token(options_.token);
  hello.set_start(static_cast<wire::Hello::Start>(options_.start.from));
  if (options_.start.from == ExportStart::From::kPosition) {
    hello.set_history(options_.start.position.history.value());
    tidemark::ToWire(options_.start.position.sequences, hello.mutable_positions());
  }
  hello.set_want_zstd(options_.want_zstd);
  Push(hello);
}

absl::StatusOr<bool> ExportConsumer::Next(std::string_view* input, ExportEvent* event,
                                          int64_t now_ms) {
  if (!input->empty()) heard_ms_ = now_ms;
  while (true) {
    if (!failure_.ok()) return failure_;
    if (state_ == State::kEnded) {
      *input = {};
      return false;
    }
    ExportMessage message;
    const absl::StatusOr<bool> got = reader_.Next(input, &message);
    if (!got.ok()) return Fail(got.status());
    if (!*got) {
      Tick(now_ms);
      return false;
    }
    bool is_event = true;
    auto* frame = std::get_if<FrameRef>(&message);
    const absl::Status handled = frame != nullptr
                                     ? HandleFrame(std::move(*frame), event)
                                     : Handle(std::get<ExportControl>(message), event, &is_event);
    if (!handled.ok()) return Fail(handled);
    if (is_event) return true;
  }
}

absl::Status ExportConsumer::Handle(const ExportControl& message, ExportEvent* event,
                                    bool* is_event) {
  const bool streaming = state_ == State::kSnapshot || state_ == State::kStreaming;
  if (const auto* dial = std::get_if<wire::Dial>(&message); dial && state_ == State::kDial) {
    *is_event = false;
    return HandleDial(*dial);
  }
  if (const auto* accept = std::get_if<wire::Accept>(&message); accept && state_ == State::kHello) {
    return HandleAccept(*accept, event);
  }
  if (const auto* refuse = std::get_if<wire::Refuse>(&message); refuse && !streaming) {
    state_ = State::kEnded;
    *event = StreamRefused{.code = refuse->code(),
                           .text = PeerText(refuse->text()),
                           .retry_after_ms = refuse->retry_after_ms(),
                           .lost = FromWire(refuse->lost())};
    return absl::OkStatus();
  }
  if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) {
    state_ = State::kEnded;
    *event = StreamEnded{.code = goodbye->code(),
                         .text = PeerText(goodbye->text()),
                         .lost = FromWire(goodbye->lost())};
    return absl::OkStatus();
  }
  if (const auto* beat = std::get_if<wire::Heartbeat>(&message); beat && streaming) {
    ack_due_ = true;
    *event = DurableMoved{.durable = {.history = HistoryId(beat->history()),
                                      .sequences = tidemark::FromWire(beat->durable())},
                          .wall_ms = beat->wall_ms()};
    return absl::OkStatus();
  }
  if (const auto* end = std::get_if<wire::SnapshotEnd>(&message);
      end && state_ == State::kSnapshot) {
    return HandleSnapshotEnd(*end, event);
  }
  if (const auto* change = std::get_if<wire::HistoryChange>(&message);
      change && state_ == State::kStreaming) {
    return HandleHistory(*change, event);
  }
  return absl::InvalidArgumentError(fmt::format("{} out of turn", ExportControlName(message)));
}

absl::Status ExportConsumer::HandleDial(const wire::Dial& dial) {
  // Before our Hello, which carries the same secret.
  if (!EqualInConstantTime(dial.token(), options_.token)) {
    return absl::PermissionDeniedError("whoever dialled did not show the export token");
  }
  if (dial.min_version() > kExportVersion || dial.max_version() < kExportVersion) {
    return absl::InvalidArgumentError(fmt::format("the node speaks versions {} to {}, we speak {}",
                                                  dial.min_version(), dial.max_version(),
                                                  kExportVersion));
  }
  state_ = State::kHello;
  SayHello();
  return absl::OkStatus();
}

absl::Status ExportConsumer::HandleAccept(const wire::Accept& accept, ExportEvent* event) {
  if (accept.version() != kExportVersion) {
    return absl::InvalidArgumentError(fmt::format("accepted in version {}", accept.version()));
  }
  absl::StatusOr<ExportPosition> position =
      PositionOf(accept.history(), accept.shard_count(), accept.positions());
  if (!position.ok()) return position.status();
  cursor_ = *std::move(position);
  state_ = accept.snapshot() ? State::kSnapshot : State::kStreaming;
  if (accept.heartbeat_interval_ms() > 0) heartbeat_interval_ms_ = accept.heartbeat_interval_ms();
  if (accept.silence_timeout_ms() > 0) silence_timeout_ms_ = accept.silence_timeout_ms();
  *event = StreamBegins{.position = cursor_, .snapshot = accept.snapshot()};
  return absl::OkStatus();
}

absl::Status ExportConsumer::HandleSnapshotEnd(const wire::SnapshotEnd& end, ExportEvent* event) {
  if (end.chunks() != chunks_ || end.entries() != entries_) {
    return absl::DataLossError(
        fmt::format("a snapshot of {} chunks and {} entries ended as one of "
                    "{} and {}",
                    chunks_, entries_, end.chunks(), end.entries()));
  }
  state_ = State::kStreaming;
  *event = SnapshotComplete{.entries = entries_};
  return absl::OkStatus();
}

absl::Status ExportConsumer::HandleHistory(const wire::HistoryChange& change, ExportEvent* event) {
  absl::StatusOr<ExportPosition> position =
      PositionOf(change.history(), change.shard_count(), change.positions());
  if (!position.ok()) return position.status();
  cursor_ = *std::move(position);
  *event = HistoryChanged{.position = cursor_};
  return absl::OkStatus();
}

absl::Status ExportConsumer::HandleFrame(FrameRef frame, ExportEvent* event) {
  if (state_ != State::kSnapshot && state_ != State::kStreaming) {
    return absl::InvalidArgumentError("a frame before the stream was accepted");
  }
  if (frame->shard_count() != cursor_.sequences.size()) {
    return absl::InvalidArgumentError(fmt::format("a frame of one of {} shards; there are {}",
                                                  frame->shard_count(), cursor_.sequences.size()));
  }
  if (frame->kind() == FrameKind::kSnapshotChunk) return HandleChunk(std::move(frame), event);
  if (state_ != State::kStreaming || frame->history() != cursor_.history) {
    return absl::InvalidArgumentError(
        fmt::format("a frame of history {:016x}, out of turn", frame->history().value()));
  }
  Sequence& at = cursor_.sequences[frame->shard().value()];
  if (frame->first_sequence() > tidemark::Next(at)) {
    return absl::DataLossError(fmt::format("a hole: shard {} goes on with sequence {} after {}",
                                           frame->shard().value(), frame->first_sequence().value(),
                                           at.value()));
  }
  const Sequence skip_through = at;
  at = std::max(at, frame->last_sequence());
  *event = Changes{.frame = std::move(frame), .skip_through = skip_through};
  return absl::OkStatus();
}

absl::Status ExportConsumer::HandleChunk(FrameRef frame, ExportEvent* event) {
  if (state_ != State::kSnapshot) {
    return absl::InvalidArgumentError("a chunk of a snapshot that was not announced");
  }
  if (frame->first_sequence() != cursor_.sequences[frame->shard().value()]) {
    return absl::InvalidArgumentError(fmt::format(
        "a chunk of shard {} at sequence {}; the snapshot is at {}", frame->shard().value(),
        frame->first_sequence().value(), cursor_.sequences[frame->shard().value()].value()));
  }
  ++chunks_;
  entries_ += frame->record_count();
  *event = SnapshotChunk{.frame = std::move(frame)};
  return absl::OkStatus();
}

void ExportConsumer::SendAck(bool positions, int64_t now_ms) {
  wire::Ack ack;
  if (positions) {
    ack.set_history(cursor_.history.value());
    tidemark::ToWire(cursor_.sequences, ack.mutable_positions());
  }
  said_ms_ = now_ms;
  ack_due_ = false;
  Push(ack);
}

void ExportConsumer::Acknowledge(int64_t now_ms) {
  if (has_cursor()) SendAck(true, now_ms);
}

void ExportConsumer::Tick(int64_t now_ms) {
  if (state_ != State::kSnapshot && state_ != State::kStreaming) return;
  if (ack_due_ || now_ms - said_ms_ >= heartbeat_interval_ms_) SendAck(false, now_ms);
}

void ExportConsumer::Close(std::string_view text) {
  if (state_ == State::kEnded) return;
  SayGoodbye(wire::Goodbye::DONE, text);
  state_ = State::kEnded;
}

void ExportConsumer::SayGoodbye(wire::Goodbye::Code code, std::string_view text) {
  wire::Goodbye goodbye;
  goodbye.set_code(code);
  goodbye.set_text(std::string(text));
  Push(goodbye);
}

absl::Status ExportConsumer::Fail(absl::Status why) {
  failure_ = std::move(why);
  // Not to whoever could not show the token.
  if (failure_.code() != absl::StatusCode::kPermissionDenied) {
    SayGoodbye(wire::Goodbye::PROTOCOL, std::string(failure_.message()));
  }
  return failure_;
}

}  // namespace tidemark::wal
