// The layout of a segment of the log, docs/formats/segment.md: what stands before, between and
// after its frames. No I/O.

#ifndef TIDEMARK_WAL_FORMAT_SEGMENT_H_
#define TIDEMARK_WAL_FORMAT_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "wal/positions.h"

namespace tidemark::wal {

inline constexpr uint32_t kSegmentMagic = 0x534d4454;  // "TDMS" as bytes.
inline constexpr uint32_t kMarkMagic = 0x4b4d4454;     // "TDMK".
inline constexpr uint32_t kFooterMagic = 0x454d4454;   // "TDME".
inline constexpr uint8_t kSegmentVersion = 1;

inline constexpr size_t kSegmentFixedBytes = 48;  // Before the positions.
inline constexpr size_t kMarkBytes = 48;
inline constexpr size_t kFooterFixedBytes = 56;
inline constexpr size_t kPositionBytes = 16;

constexpr size_t SegmentHeaderBytes(size_t shards) {
  return kSegmentFixedBytes + shards * kPositionBytes;
}
constexpr size_t FooterBytes(size_t shards) { return kFooterFixedBytes + shards * kPositionBytes; }
inline constexpr size_t kMaxSegmentHeaderBytes = SegmentHeaderBytes(kMaxShards);

// Stands at the beginning. Every frame of the segment has its history and number of shards.
struct SegmentHeader {
  DirectoryId directory;
  uint64_t number = 0;  // From 1.
  int64_t created_at_ms = 0;
  HistoryId history;
  Positions before;  // Where each shard's stream stands before the first frame; one for each shard.
};

// Which segment a mark or a footer stands in, and where: bytes of a client's that happen to look
// like one are then no proof of anything.
struct MarkPlace {
  DirectoryId directory;
  uint64_t number = 0;
  uint64_t offset = 0;  // Of its own first byte.
};

// Begins the first write after each sync: how much of the segment is known to be on disk.
struct Mark {
  uint64_t synced_to = 0;  // The bytes below this offset were synced before the mark was written.
  int64_t written_at_ms = 0;
};

// Seals the segment: nothing follows. It says what a mark says, too.
struct Footer {
  uint64_t synced_to = 0;
  int64_t written_at_ms = 0;
  uint64_t frames = 0;
  Positions after;  // Where each shard's stream stands after the last frame.
};

std::string EncodeSegmentHeader(const SegmentHeader& header);
// Writes kMarkBytes at `p`; returns the end.
char* EncodeMark(const MarkPlace& place, const Mark& mark, char* p);
std::string EncodeFooter(const MarkPlace& place, const Footer& footer);

// The header that `bytes` begins with; give it kMaxSegmentHeaderBytes, or the whole file if that is
// less.
//   InvalidArgument  of a version or with a flag that this reader does not know
//   DataLoss         damaged, or cut
absl::StatusOr<SegmentHeader> DecodeSegmentHeader(std::string_view bytes);

// The mark that `bytes` begins with; it must say that it stands at `place`. DataLoss: none, or one
// of another place.
absl::StatusOr<Mark> DecodeMark(std::string_view bytes, const MarkPlace& place);
// The footer that `bytes` begins with, for `shards` shards. Errors as above.
absl::StatusOr<Footer> DecodeFooter(std::string_view bytes, const MarkPlace& place, size_t shards);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_FORMAT_SEGMENT_H_
