// NeededSegment turns what a consumer acknowledges into the first segment that it still needs: what
// it was sent may be far ahead of what it has stored.
//
// Threading: one thread at a time.
// Memory: one position for each segment between the two.

#ifndef TIDEMARK_WAL_EXPORT_NEEDED_SEGMENT_H_
#define TIDEMARK_WAL_EXPORT_NEEDED_SEGMENT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "wal/export/export_position.h"

namespace tidemark::wal {

class NeededSegment {
 public:
  // The stream begins in `history`, with what `segment` holds.
  NeededSegment(HistoryId history, uint64_t segment)
      : histories_{history}, needed_(segment), read_(segment) {}

  // What is read next is of `segment`, and comes right after `before`.
  void OnRead(uint64_t segment, const ExportPosition& before) {
    if (segment <= read_) return;
    read_ = segment;
    crossings_.push_back({segment, before});
  }
  // The stream goes on in this history.
  void OnHistory(HistoryId history) { histories_.push_back(history); }

  // Everything up to `acked` is stored. Requires: a history of this stream.
  uint64_t OnAck(const ExportPosition& acked) {
    while (!crossings_.empty() && Covers(acked, crossings_.front().before)) {
      needed_ = crossings_.front().segment;
      crossings_.pop_front();
    }
    return needed_;
  }

 private:
  struct Crossing {
    uint64_t segment;
    ExportPosition before;  // All of the segments before it is at or below this.
  };

  ptrdiff_t Ordinal(HistoryId history) const {
    return std::find(histories_.begin(), histories_.end(), history) - histories_.begin();
  }
  bool Covers(const ExportPosition& acked, const ExportPosition& before) const {
    if (acked.history == before.history) return Reaches(acked.sequences, before.sequences);
    return Ordinal(acked.history) > Ordinal(before.history);
  }
  std::vector<HistoryId> histories_;  // In the order of the stream.
  std::deque<Crossing> crossings_;
  uint64_t needed_;
  uint64_t read_;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_NEEDED_SEGMENT_H_
