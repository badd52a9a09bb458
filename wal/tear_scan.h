// What follows the last whole item of the newest segment: a torn write, or damage. Parts of
// SegmentReader that only a bad end needs. docs/formats/segment.md, "Torn or damaged".

#ifndef TIDEMARK_WAL_TEAR_SCAN_H_
#define TIDEMARK_WAL_TEAR_SCAN_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "wal/disk/disk.h"
#include "wal/format/segment.h"

namespace tidemark::wal {

struct TearScan {
  uint64_t torn_bytes = 0;  // From the beginning to the last byte that is not zero.
  uint64_t synced_to = 0;   // The most that a mark or footer says was synced; 0: none was found.
  uint64_t mark_at = 0;     // Where that one stands.
};

// Reads the file from `from` to its end and looks for marks and footers at every byte. `shards` is
// the segment's number of shards; 0: not known, and footers are passed over.
absl::StatusOr<TearScan> ScanTear(File& file, const MarkPlace& from, size_t shards);

// Whether what stands at `offset`, below `limit`, has the checksum of a frame: then its writer
// meant it so, even if this reader cannot take it. Frames of all versions have their length and
// checksum in one place.
absl::StatusOr<bool> ChecksumMatches(File& file, uint64_t offset, uint64_t limit);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_TEAR_SCAN_H_
