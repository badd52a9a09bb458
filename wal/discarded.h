// SaveDiscarded keeps the records that a replica is about to throw away, because its primary's
// stream does not have them: copies of the log's segments that hold them, beside a manifest of
// their own, as DIRECTORY/lost/discarded-HISTORY-NUMBER/. It reads like any data directory:
// tidectl log dump DIRECTORY/lost/discarded-HISTORY-NUMBER.
//
// Bounded: the newest segments up to a number of bytes, but one at least, and the newest few such
// directories.
//
// Threading: blocks on the disk.

#ifndef TIDEMARK_WAL_DISCARDED_H_
#define TIDEMARK_WAL_DISCARDED_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "wal/data_directory.h"

namespace tidemark::wal {

struct SaveDiscardedOptions {
  uint64_t max_bytes = 128 << 20;
  size_t max_kept = 8;
};

struct SavedDiscarded {
  std::string path;      // Empty: the log holds nothing of it.
  bool complete = true;  // All that the log held of it; false: max_bytes was reached first.
};

// Saves what the log holds of `history` beyond `after`. Requires: every segment is sealed, and
// nobody writes.
absl::StatusOr<SavedDiscarded> SaveDiscarded(const DataDirectory& directory, HistoryId history,
                                             const Watermarks& after,
                                             const SaveDiscardedOptions& options);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_DISCARDED_H_
