#include "wal/log_replay.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "fmt/format.h"
#include "wal/replay_window.h"
#include "wal/stream_position.h"

namespace tidemark::wal {

absl::Status LogReplay::Run(const RecoveryPlan& plan) {
  for (size_t i = 0; i < plan.legs.size(); ++i) {
    const ReplayLeg& leg = plan.legs[i];
    if (i > 0 && leg.begin.size() != plan.legs[i - 1].begin.size()) {
      const absl::Status status = sink_.OnTopologyChange(static_cast<int>(leg.begin.size()));
      if (!status.ok()) return status;
    }
    if (const absl::Status status = RunLeg(leg); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status LogReplay::RunLeg(const ReplayLeg& leg) {
  reached_ = leg.begin;
  borders_ = leg.begin;
  const absl::Status status = leg.end.has_value()
                                  ? DeliverThrough(leg, SequencesOf(*leg.end), LogPosition())
                                  : DeliverOpenLeg(leg);
  if (!status.ok()) return status;
  return CheckEnd(leg);
}

absl::Status LogReplay::DeliverThrough(const ReplayLeg& leg, const Watermarks& end,
                                       LogPosition from) {
  return ReadLeg(leg, from, [&](FrameRef frame, uint64_t digest_before, LogPosition) {
    const Sequence through = std::min(frame->last_sequence(), end[frame->shard().value()]);
    return Deliver(leg, std::move(frame), digest_before, Sequence(), through);
  });
}

absl::Status LogReplay::DeliverOpenLeg(const ReplayLeg& leg) {
  ReplayWindow window(leg.base, options_.max_window_bytes);
  const auto deliver_ready = [&] {
    while (std::optional<ReplayWindow::Part> part = window.TakeReady()) {
      const absl::Status status =
          Deliver(leg, std::move(part->frame), part->digest_before, part->from, part->through);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  };
  absl::Status status =
      ReadLeg(leg, LogPosition(), [&](FrameRef frame, uint64_t digest_before, LogPosition at) {
        const absl::Status added = window.Add(std::move(frame), digest_before, at);
        return added.ok() ? deliver_ready() : added;
      });
  if (!status.ok()) return status;
  window.Look();
  status = deliver_ready();
  if (!status.ok() || !window.reread_from().has_value()) return status;
  return DeliverThrough(leg, window.cut(), *window.reread_from());
}

absl::Status LogReplay::ReadLeg(const ReplayLeg& leg, LogPosition from, OnFrame on_frame) {
  stream_ = leg.begin;
  for (size_t i = leg.first; i < leg.first + leg.count; ++i) {
    const SegmentInfo& segment = segments_[i];
    if (segment.number < from.segment) continue;
    // A second pass may begin in the middle.
    if (segment.number == from.segment) stream_ = segment.header.before;
    const absl::Status status = ReadSegment(segment, i + 1 == segments_.size(), from, on_frame);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status LogReplay::ReadSegment(const SegmentInfo& segment, bool newest, LogPosition from,
                                    OnFrame on_frame) {
  for (size_t shard = 0; shard < stream_.size(); ++shard) {
    if (segment.header.before[shard] == stream_[shard]) continue;
    return absl::DataLossError(fmt::format(
        "{} does not go on where the segment before it ended: shard {} is at sequence {}, it "
        "begins after {}",
        SegmentName(segment.number), shard, stream_[shard].sequence.value(),
        segment.header.before[shard].sequence.value()));
  }
  absl::StatusOr<std::unique_ptr<SegmentReader>> opened =
      SegmentReader::Open(directory_.disk(), directory_.SegmentPath(segment.number),
                          {.directory = directory_.id(),
                           .number = segment.number,
                           .tail = newest ? options_.newest_tail : SegmentTail::kSealed});
  if (!opened.ok()) return opened.status();
  SegmentReader& reader = **opened;
  if (from == LogPosition()) ++segments_read_;
  while (true) {
    absl::StatusOr<std::optional<SegmentReader::Item>> item = reader.Next();
    if (!item.ok()) return item.status();
    if (!item->has_value()) break;
    FrameRef frame = std::move((*item)->frame);
    ShardPosition& position = stream_[frame->shard().value()];
    const uint64_t digest_before = position.digest;
    position = {frame->last_sequence(), frame->stream_digest()};
    const LogPosition at{segment.number, (*item)->offset};
    Count(segment, reader.end_bytes());
    if (at < from) continue;
    const absl::Status status = on_frame(std::move(frame), digest_before, at);
    if (!status.ok()) return status;
  }
  Count(segment, segment.file_bytes);
  if (newest) {
    newest_ = SegmentEnd{.sealed = reader.sealed(),
                         .end_bytes = reader.end_bytes(),
                         .torn_bytes = reader.torn_bytes(),
                         .frames = reader.frames(),
                         .after = reader.positions()};
  }
  return absl::OkStatus();
}

absl::Status LogReplay::Deliver(const ReplayLeg& leg, FrameRef frame, uint64_t digest_before,
                                Sequence from, Sequence through) {
  ShardPosition& reached = reached_[frame->shard().value()];
  // Void, or delivered by the pass before.
  if (through < frame->first_sequence() || through <= reached.sequence) return absl::OkStatus();
  absl::Status status = CheckWatermark(leg, *frame, digest_before);
  if (!status.ok()) return status;
  const absl::StatusOr<ShardPosition> position = PositionWithin(*frame, digest_before, through);
  if (!position.ok()) return position.status();
  const Sequence skip = leg.skip_through[frame->shard().value()].sequence;
  from = std::max({from, frame->first_sequence(), Next(reached.sequence), Next(skip)});
  reached = *position;
  borders_[frame->shard().value()] =
      through == frame->last_sequence()
          ? reached
          : ShardPosition{.sequence = Sequence(frame->first_sequence().value() - 1),
                          .digest = digest_before};
  if (from > through) return absl::OkStatus();
  const uint64_t records = through.value() - from.value() + 1;
  records_ += records;
  if (options_.progress != nullptr) {
    options_.progress->loaded_records.fetch_add(records, std::memory_order_relaxed);
  }
  return sink_.OnFrame(std::move(frame), from, through);
}

// That the snapshot and the log are one stream is seen where they meet.
absl::Status LogReplay::CheckWatermark(const ReplayLeg& leg, const Frame& frame,
                                       uint64_t digest_before) {
  const ShardPosition& watermark = leg.skip_through[frame.shard().value()];
  if (watermark.sequence < frame.first_sequence() || watermark.sequence > frame.last_sequence()) {
    return absl::OkStatus();
  }
  const absl::StatusOr<ShardPosition> position =
      PositionWithin(frame, digest_before, watermark.sequence);
  if (!position.ok()) return position.status();
  if (position->digest == watermark.digest) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("the snapshot is not of the stream in the log: they differ in shard {} at "
                  "sequence {}",
                  frame.shard().value(), watermark.sequence.value()));
}

absl::Status LogReplay::CheckEnd(const ReplayLeg& leg) const {
  const std::string last = SegmentName(segments_[leg.first + leg.count - 1].number);
  for (size_t shard = 0; shard < reached_.size(); ++shard) {
    const Sequence needed = leg.base[shard];
    if (reached_[shard].sequence < needed) {
      return absl::DataLossError(fmt::format(
          "the log ends too early: {} has sequences of shard {} up to {} only, and those up to {} "
          "were on disk",
          last, shard, reached_[shard].sequence.value(), needed.value()));
    }
    if (leg.end.has_value() && reached_[shard] != (*leg.end)[shard]) {
      return absl::DataLossError(fmt::format(
          "{} is not of the stream that MANIFEST speaks of: they differ in shard {} at sequence {}",
          last, shard, needed.value()));
    }
  }
  return absl::OkStatus();
}

void LogReplay::Count(const SegmentInfo& segment, uint64_t end_bytes) {
  const LogPosition end{segment.number, end_bytes};
  if (options_.progress == nullptr || end <= counted_) return;
  const uint64_t counted = counted_.segment == segment.number ? counted_.offset : 0;
  options_.progress->loaded_bytes.fetch_add(end_bytes - counted, std::memory_order_relaxed);
  counted_ = end;
}

}  // namespace tidemark::wal
