#include "wal/segment_writer.h"

#include <algorithm>

#include "base/check.h"
#include "base/crash_point.h"

namespace tidemark::wal {

SegmentWriter::SegmentWriter(std::unique_ptr<File> file, std::string path,
                             const SegmentHeader& header, uint64_t segment_bytes)
    : file_(std::move(file)),
      path_(std::move(path)),
      place_{.directory = header.directory, .number = header.number, .offset = 0},
      history_(header.history),
      segment_bytes_(segment_bytes),
      footer_bytes_(FooterBytes(header.before.size())),
      positions_(header.before),
      end_(SegmentHeaderBytes(header.before.size())),
      synced_to_(end_) {}

absl::StatusOr<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(const DataDirectory& directory,
                                                                     const SegmentHeader& header,
                                                                     uint64_t segment_bytes) {
  const std::string path = directory.SegmentPath(header.number);
  absl::StatusOr<std::unique_ptr<File>> file = directory.disk().OpenFile(path, Disk::Open::kCreate);
  if (!file.ok()) return file.status();
  const auto prepare = [&]() -> absl::Status {
    if (absl::Status s = (*file)->Allocate(segment_bytes); !s.ok()) return s;
    CrashPoint("segment.allocated");
    if (absl::Status s = (*file)->WriteAt(0, EncodeSegmentHeader(header)); !s.ok()) return s;
    CrashPoint("segment.header_written");
    if (absl::Status s = (*file)->Sync(); !s.ok()) return s;
    CrashPoint("segment.header_synced");
    return directory.Sync();
  };
  if (absl::Status s = prepare(); !s.ok()) {
    // It holds no frame. If it cannot be removed either, the next attempt says so.
    file->reset();
    directory.disk().Remove(path).IgnoreError();
    return s;
  }
  CrashPoint("segment.created");
  return std::unique_ptr<SegmentWriter>(
      new SegmentWriter(*std::move(file), path, header, segment_bytes));
}

absl::Status SegmentWriter::Write(std::span<const Frame* const> frames, int64_t now_ms) {
  CHECK(!sealed_ && !sync_failed_ && !frames.empty());
  char mark[kMarkBytes];
  pieces_.clear();
  uint64_t first = end_;
  if (mark_due_) {
    MarkPlace place = place_;
    place.offset = end_;
    EncodeMark(place, {.synced_to = synced_to_, .written_at_ms = now_ms}, mark);
    pieces_.emplace_back(mark, kMarkBytes);
    first += kMarkBytes;
  }
  uint64_t end = first;
  for (const Frame* frame : frames) {
    pieces_.push_back(frame->bytes());
    end += frame->bytes().size();
  }
  if (absl::Status s = file_->WriteAt(end_, pieces_); !s.ok()) return s;
  for (const Frame* frame : frames) {
    // A frame out of place would make the segment unreadable from here on: better no log than that.
    CHECK(frame->history() == history_ && frame->shard().value() < positions_.size());
    ShardPosition& position = positions_[frame->shard().value()];
    CHECK(frame->first_sequence() == Next(position.sequence));
    position = {.sequence = frame->last_sequence(), .digest = frame->stream_digest()};
  }
  frames_ += frames.size();
  first_offset_ = first;
  end_ = end;
  mark_due_ = false;
  return absl::OkStatus();
}

absl::Status SegmentWriter::ZeroAhead(uint64_t bytes, uint64_t ahead_bytes) {
  CHECK(!sealed_ && !sync_failed_);
  const uint64_t needed = end_ + kMarkBytes + bytes;
  if (needed <= zeroed_to_) return absl::OkStatus();
  const uint64_t from = std::max(end_, zeroed_to_);
  const uint64_t to = std::min(needed + ahead_bytes, segment_bytes_);
  if (to <= from) return absl::OkStatus();
  static constexpr char kZeros[64 << 10] = {};
  pieces_.clear();
  for (uint64_t left = to - from; left > 0;) {
    pieces_.emplace_back(kZeros, std::min<uint64_t>(left, sizeof(kZeros)));
    left -= pieces_.back().size();
  }
  if (absl::Status s = file_->WriteAt(from, pieces_); !s.ok()) return s;
  zeroed_to_ = to;
  return absl::OkStatus();
}

absl::Status SegmentWriter::Sync() {
  CHECK(!sync_failed_);
  if (absl::Status s = file_->Sync(); !s.ok()) {
    sync_failed_ = true;
    return s;
  }
  mark_due_ = mark_due_ || end_ != synced_to_;
  synced_to_ = end_;
  return absl::OkStatus();
}

absl::Status SegmentWriter::Seal(int64_t now_ms) {
  CHECK(!sealed_);
  MarkPlace place = place_;
  place.offset = end_;
  const std::string footer = EncodeFooter(
      place,
      {.synced_to = synced_to_, .written_at_ms = now_ms, .frames = frames_, .after = positions_});
  if (absl::Status s = file_->WriteAt(end_, footer); !s.ok()) return s;
  CrashPoint("segment.footer_written");
  if (absl::Status s = file_->Truncate(end_ + footer.size()); !s.ok()) return s;
  CrashPoint("segment.truncated");
  if (absl::Status s = Sync(); !s.ok()) return s;
  CrashPoint("segment.sealed");
  sealed_ = true;
  return absl::OkStatus();
}

}  // namespace tidemark::wal
