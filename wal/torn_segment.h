// What a recovery does with the end of the log's newest segment after a crash: keeps the bytes of a
// tear for the operator, cuts them off, and seals what is left, so that from then on only a segment
// that a later process writes can be torn.
//
// A crash in between leaves something that the next recovery treats in the same way.

#ifndef TIDEMARK_WAL_TORN_SEGMENT_H_
#define TIDEMARK_WAL_TORN_SEGMENT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/data_directory.h"
#include "wal/log_replay.h"

namespace tidemark::wal {

// Saves what is torn and logs a warning, cuts, seals. Returns the path of what was saved, empty if
// nothing was torn, or there was no space for it. Requires: !end.sealed.
absl::StatusOr<std::string> CutAndSeal(const DataDirectory& directory, uint64_t segment,
                                       const SegmentEnd& end, int64_t now_ms);

// Writes a segment over itself and syncs it. A sync of the last process may have failed: then the
// system holds pages that the disk never got and takes them for written. They read well, a later
// sync passes over them, and a power cut would take them from below what follows.
absl::Status RewriteSegment(const DataDirectory& directory, uint64_t segment);

// Takes away a segment of which not even the header is whole: no frame can have been written to it.
// Returns where it is kept, empty if it held nothing but zeros.
absl::StatusOr<std::string> RemoveUnbegun(const DataDirectory& directory, uint64_t segment,
                                          uint64_t torn_bytes);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_TORN_SEGMENT_H_
