// What a copy of the data shows its readers, as a place in a stream of writes, and where that
// stream comes from.

#ifndef TIDEMARK_REPLICATION_SERVED_POSITION_H_
#define TIDEMARK_REPLICATION_SERVED_POSITION_H_

#include <vector>

#include "base/ids.h"

namespace tidemark::replication {

// A history that another descends from. Up to `fork`, by shard, the two are one stream.
struct Ancestor {
  HistoryId history;
  Watermarks fork;

  friend bool operator==(const Ancestor&, const Ancestor&) = default;
};

struct ServedPosition {
  HistoryId history;                // 0: nothing is known of what is served.
  std::vector<Ancestor> ancestors;  // Of `history`, oldest first.
  Watermarks reached;               // Every reader sees all of it.

  // No reader has seen more than this. It is at or above `reached`; of another history only while
  // that one's snapshot is taking the place of what was served, and then nothing is known to be
  // reached.
  HistoryId shown_history;
  Watermarks shown;

  bool settled() const { return history != HistoryId() && history == shown_history; }
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SERVED_POSITION_H_
