// The layout of the value log, docs/formats/value_log.md: what a segment begins with, and its
// records, one value with its key each. No I/O; compression is value_codec.h's.
//
// A record's header is checksummed together with the place where it stands, so that bytes that were
// read from, or written to, the wrong place are damage and not another value.
//
// Decoding trusts nothing: lengths are bounded before they are used.
//
// Threading: any thread.

#ifndef TIDEMARK_TIER_VALUE_RECORD_H_
#define TIDEMARK_TIER_VALUE_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "tier/value_location.h"

namespace tidemark::tier {

inline constexpr uint32_t kValueSegmentMagic = 0x564d4454;  // "TDMV" as bytes.
inline constexpr uint8_t kValueSegmentVersion = 1;
inline constexpr size_t kValueSegmentHeaderBytes = 24;
inline constexpr size_t kRecordHeaderBytes = 24;

// The longest key and value that a record may say it has (cache/entry.h's limits).
inline constexpr uint32_t kMaxRecordKeyBytes = uint32_t{512} << 20;
inline constexpr uint32_t kMaxRecordValueBytes = uint32_t{512} << 20;

inline constexpr uint8_t kRecordZstd = 1;  // The stored value is one zstd frame.

struct ValueSegmentHeader {
  uint32_t segment = 0;
  int64_t created_at_ms = 0;  // Wall time.
};

// Writes kValueSegmentHeaderBytes at `p`; returns the end.
char* EncodeValueSegmentHeader(const ValueSegmentHeader& header, char* p);
// `bytes` is at least kValueSegmentHeaderBytes.
//   InvalidArgument  of a version that this reader does not know
//   DataLoss         damaged
absl::StatusOr<ValueSegmentHeader> DecodeValueSegmentHeader(std::string_view bytes);

struct RecordHeader {
  uint32_t body_crc32c = 0;  // Of the key and the stored value; see RecordBodyCrc32c().
  uint32_t key_bytes = 0;
  uint32_t stored_bytes = 0;  // Of the value as it is stored.
  uint32_t value_bytes = 0;   // Of the value itself: stored_bytes, unless compressed.
  ShardId shard = {};         // Whose key it is.
  uint8_t flags = 0;

  // The whole record's.
  uint64_t record_bytes() const { return kRecordHeaderBytes + uint64_t{key_bytes} + stored_bytes; }
  bool is_compressed() const { return (flags & kRecordZstd) != 0; }

  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

uint32_t RecordBodyCrc32c(std::string_view key, std::string_view stored);

// Writes kRecordHeaderBytes at `p`, for a record that will stand at this place; returns the end.
// The key and the stored value follow it.
char* EncodeRecordHeader(const RecordHeader& header, uint32_t segment, uint32_t offset, char* p);

// The header of the record that stands at this place; `bytes` is at least kRecordHeaderBytes. Says
// nothing of the body.
//   DataLoss  damaged, or of another place
absl::StatusOr<RecordHeader> DecodeRecordHeader(std::string_view bytes, uint32_t segment,
                                                uint32_t offset);

// One record. The views point into what it was decoded from.
struct ValueRecord {
  RecordHeader header;
  std::string_view key;
  std::string_view stored;
};

// The record that `bytes`, read from `location`, are: all of them.
//   DataLoss  damaged, or of another place, or not of that length
absl::StatusOr<ValueRecord> DecodeRecord(std::string_view bytes, ValueLocation location);

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_VALUE_RECORD_H_
