#include "wal/export/log_export_cursor.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "wal/export/frame_cut.h"

namespace tidemark::wal {

ExportFault FaultOf(const absl::Status& failure, const std::vector<LostRecords>& lost) {
  ExportFault fault;
  fault.text = std::string(failure.message());
  for (const LostRecords& records : lost) {
    fault.lost.push_back({.shard = records.shard, .first = records.first, .last = records.last});
  }
  switch (failure.code()) {
    case absl::StatusCode::kInvalidArgument:
      fault.kind = ExportFault::Kind::kBadPosition;
      break;
    case absl::StatusCode::kFailedPrecondition:
      fault.kind = ExportFault::Kind::kForeignHistory;
      break;
    case absl::StatusCode::kNotFound:
      fault.kind = ExportFault::Kind::kPositionLost;
      break;
    default:
      fault.kind = ExportFault::Kind::kUnavailable;
  }
  return fault;
}

LogExportCursor::LogExportCursor(ExportPosition begin, const Manifest& manifest,
                                 std::unique_ptr<LogReader> reader,
                                 std::vector<std::unique_ptr<SnapshotShardReader>> chunks)
    : begin_(std::move(begin)),
      manifest_(manifest),
      reader_(std::move(reader)),
      chunks_(std::move(chunks)),
      has_snapshot_(!chunks_.empty()),
      snapshot_done_(!has_snapshot_),
      at_(begin_),
      needed_(begin_.history, reader_->segment()) {}

ExportItem LogExportCursor::Next() {
  if (fault_) return *fault_;
  if (!snapshot_done_) return NextChunk();
  if (held_) {
    if (held_->frame->history() != at_.history) return EnterChild();
    return Take(*std::exchange(held_, std::nullopt));
  }
  absl::StatusOr<std::optional<LogReader::Item>> item = reader_->Next();
  if (!item.ok()) return Fail(FaultOf(item.status(), {}));
  if (item->has_value()) {
    held_ = std::move(*item);
    return Next();
  }
  // The reader may stand in a child that has no frame yet.
  if (reader_->history() != at_.history) return EnterChild();
  return CaughtUp{};
}

ExportItem LogExportCursor::NextChunk() {
  if (chunks_shard_ == chunks_.size()) {
    snapshot_done_ = true;
    chunks_.clear();
    return SnapshotDone{};
  }
  absl::StatusOr<FrameRef> chunk = chunks_[chunks_shard_]->Next();
  if (!chunk.ok()) return Fail(FaultOf(chunk.status(), {}));
  if (*chunk != nullptr) return *std::move(chunk);
  chunks_[chunks_shard_++].reset();  // Closes its file.
  return NextChunk();
}

ExportItem LogExportCursor::Take(LogReader::Item item) {
  needed_.OnRead(item.position.segment, at_);
  Sequence& at = at_.sequences[item.frame->shard().value()];
  at = std::max(at, item.through);
  if (item.through == item.frame->last_sequence()) return std::move(item.frame);
  const Positions* end = manifest_.EndOf(at_.history);
  CHECK(end != nullptr);  // Only a history's end cuts a frame.
  absl::StatusOr<FrameRef> cut =
      CutFrame(*item.frame, item.through, (*end)[item.frame->shard().value()].digest);
  if (!cut.ok()) return Fail(FaultOf(cut.status(), {}));
  return *std::move(cut);
}

HistoryStart LogExportCursor::EnterChild() {
  const auto child =
      std::find_if(manifest_.histories.begin(), manifest_.histories.end(),
                   [&](const History& history) { return history.parent == at_.history; });
  CHECK(child != manifest_.histories.end());
  at_.history = child->id;
  at_.sequences = child->shard_count == child->fork.size()
                      ? SequencesOf(child->fork)
                      : Watermarks(child->shard_count, Sequence());
  needed_.OnHistory(at_.history);
  return HistoryStart{at_};
}

ExportItem LogExportCursor::Fail(ExportFault fault) {
  fault_ = std::move(fault);
  return *fault_;
}

uint64_t LogExportCursor::Acknowledge(const ExportPosition& acked) {
  const uint64_t segment = needed_.OnAck(acked);
  if (hold_ != nullptr) hold_->Set(segment);
  return segment;
}

}  // namespace tidemark::wal
