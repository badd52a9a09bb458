// SentMarks turns bytes written into a position: what is exported is what has left, not what waits
// in a queue.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_WAL_EXPORT_SENT_MARKS_H_
#define TIDEMARK_WAL_EXPORT_SENT_MARKS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <variant>

#include "wal/export/export_position.h"

namespace tidemark::wal {

class SentMarks {
 public:
  void Begin(ExportPosition position, bool snapshot) {
    written_ = std::move(position);
    snapshot_written_ = !snapshot;
  }

  // What holds once everything queued up to now is written; `queued_bytes` of it is not yet.
  void OnFrame(size_t queued_bytes, ShardId shard, Sequence last) {
    marks_.push_back({written_bytes_ + queued_bytes, Frame{shard, last}});
  }
  void OnHistory(size_t queued_bytes, ExportPosition position) {
    marks_.push_back({written_bytes_ + queued_bytes, std::move(position)});
  }
  void OnSnapshotEnd(size_t queued_bytes) {
    marks_.push_back({written_bytes_ + queued_bytes, SnapshotEnd{}});
  }

  void OnWritten(size_t bytes) {
    written_bytes_ += bytes;
    while (!marks_.empty() && marks_.front().end <= written_bytes_) {
      Reach(std::move(marks_.front().what));
      marks_.pop_front();
    }
  }

  const ExportPosition& written() const { return written_; }
  bool snapshot_written() const { return snapshot_written_; }  // Or there was none.

 private:
  struct Frame {
    ShardId shard;
    Sequence last;
  };
  struct SnapshotEnd {};
  using What = std::variant<Frame, ExportPosition, SnapshotEnd>;
  struct Mark {
    uint64_t end;  // In bytes of the connection.
    What what;
  };

  void Reach(What what) {
    if (const auto* frame = std::get_if<Frame>(&what)) {
      Sequence& at = written_.sequences[frame->shard.value()];
      at = std::max(at, frame->last);
    } else if (auto* position = std::get_if<ExportPosition>(&what)) {
      written_ = std::move(*position);
    } else {
      snapshot_written_ = true;
    }
  }

  ExportPosition written_;
  bool snapshot_written_ = false;
  uint64_t written_bytes_ = 0;
  std::deque<Mark> marks_;  // As many as messages are queued.
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_SENT_MARKS_H_
