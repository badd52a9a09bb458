// Where a consumer of the log stands, and what it can no longer get.

#ifndef TIDEMARK_WAL_EXPORT_EXPORT_POSITION_H_
#define TIDEMARK_WAL_EXPORT_EXPORT_POSITION_H_

#include <cstddef>

#include "base/ids.h"

namespace tidemark::wal {

// Everything at or below `sequences` of `history`. Positions of different histories do not compare.
struct ExportPosition {
  HistoryId history;
  Watermarks sequences;

  friend bool operator==(const ExportPosition&, const ExportPosition&) = default;
};

// Whether every sequence of `marks` has reached that of `target`. Requires: equal sizes.
inline bool Reaches(const Watermarks& marks, const Watermarks& target) {
  for (size_t i = 0; i < marks.size(); ++i) {
    if (marks[i] < target[i]) return false;
  }
  return true;
}

// Sequences that a consumer needs and the log no longer has.
struct LostRange {
  ShardId shard;
  Sequence first;
  Sequence last;

  friend bool operator==(const LostRange&, const LostRange&) = default;
};

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_EXPORT_POSITION_H_
