#include "tier/value_record.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"

namespace tidemark::tier {
namespace {

// Of the header but for its first field, put behind the place where it stands.
uint32_t HeaderCrc32c(const char* header, uint32_t segment, uint32_t offset) {
  char place[8];
  StoreFixed(StoreFixed(place, segment), offset);
  return Crc32c({header + 4, kRecordHeaderBytes - 4}, Crc32c({place, sizeof(place)}));
}

absl::Status Damaged(uint32_t segment, uint32_t offset, std::string_view what) {
  return absl::DataLossError(
      fmt::format("value log segment {}, record at byte {}: {}", segment, offset, what));
}

}  // namespace

char* EncodeValueSegmentHeader(const ValueSegmentHeader& header, char* p) {
  char* const begin = p;
  p = StoreFixed(p, kValueSegmentMagic);
  p = StoreFixed(p, uint32_t{0});
  p = StoreFixed(p, uint32_t{kValueSegmentVersion});  // And three bytes of zeros.
  p = StoreFixed(p, header.segment);
  p = StoreFixed(p, static_cast<uint64_t>(header.created_at_ms));
  StoreFixed(begin + 4, Crc32c({begin, kValueSegmentHeaderBytes}));
  return p;
}

absl::StatusOr<ValueSegmentHeader> DecodeValueSegmentHeader(std::string_view bytes) {
  DCHECK(bytes.size() >= kValueSegmentHeaderBytes);
  std::string header(bytes.substr(0, kValueSegmentHeaderBytes));
  StoreFixed(header.data() + 4, uint32_t{0});
  if (LoadFixed<uint32_t>(bytes.data()) != kValueSegmentMagic ||
      LoadFixed<uint32_t>(bytes.data() + 4) != Crc32c(header)) {
    return absl::DataLossError("not the header of a value log segment, or a damaged one");
  }
  if (const uint32_t version = LoadFixed<uint32_t>(bytes.data() + 8);
      version != kValueSegmentVersion) {
    return absl::InvalidArgumentError(fmt::format(
        "a value log segment of version {}; this reader knows {}", version, kValueSegmentVersion));
  }
  return ValueSegmentHeader{
      .segment = LoadFixed<uint32_t>(bytes.data() + 12),
      .created_at_ms = static_cast<int64_t>(LoadFixed<uint64_t>(bytes.data() + 16)),
  };
}

uint32_t RecordBodyCrc32c(std::string_view key, std::string_view stored) {
  return Crc32c(stored, Crc32c(key));
}

char* EncodeRecordHeader(const RecordHeader& header, uint32_t segment, uint32_t offset, char* p) {
  char* const begin = p;
  p = StoreFixed(p, uint32_t{0});
  p = StoreFixed(p, header.body_crc32c);
  p = StoreFixed(p, header.key_bytes);
  p = StoreFixed(p, header.stored_bytes);
  p = StoreFixed(p, header.value_bytes);
  p = StoreFixed(p, header.shard.value());
  p = StoreFixed(p, header.flags);
  p = StoreFixed(p, uint8_t{0});
  StoreFixed(begin, HeaderCrc32c(begin, segment, offset));
  return p;
}

absl::StatusOr<RecordHeader> DecodeRecordHeader(std::string_view bytes, uint32_t segment,
                                                uint32_t offset) {
  DCHECK(bytes.size() >= kRecordHeaderBytes);
  const char* const p = bytes.data();
  if (LoadFixed<uint32_t>(p) != HeaderCrc32c(p, segment, offset)) {
    return Damaged(segment, offset, "the header's checksum is not that of what is there");
  }
  const RecordHeader header = {
      .body_crc32c = LoadFixed<uint32_t>(p + 4),
      .key_bytes = LoadFixed<uint32_t>(p + 8),
      .stored_bytes = LoadFixed<uint32_t>(p + 12),
      .value_bytes = LoadFixed<uint32_t>(p + 16),
      .shard = ShardId(LoadFixed<uint16_t>(p + 20)),
      .flags = LoadFixed<uint8_t>(p + 22),
  };
  // The rest no writer would write; it is checked all the same, for what follows relies on it.
  if (header.key_bytes > kMaxRecordKeyBytes || header.value_bytes > kMaxRecordValueBytes) {
    return Damaged(segment, offset, "a key or a value beyond the limit");
  }
  if ((header.flags & ~kRecordZstd) != 0 || LoadFixed<uint8_t>(p + 23) != 0) {
    return Damaged(segment, offset, "flags that nobody writes");
  }
  const bool lengths_agree = header.is_compressed() ? header.stored_bytes < header.value_bytes
                                                    : header.stored_bytes == header.value_bytes;
  if (!lengths_agree) return Damaged(segment, offset, "lengths that contradict each other");
  if (header.shard.value() >= kMaxShards) return Damaged(segment, offset, "no such shard");
  return header;
}

absl::StatusOr<ValueRecord> DecodeRecord(std::string_view bytes, ValueLocation location) {
  const uint32_t segment = location.segment;
  const uint32_t offset = location.offset;
  if (bytes.size() != location.bytes || bytes.size() < kRecordHeaderBytes) {
    return Damaged(segment, offset,
                   fmt::format("{} of its {} bytes are there", bytes.size(), location.bytes));
  }
  const absl::StatusOr<RecordHeader> header = DecodeRecordHeader(bytes, segment, offset);
  if (!header.ok()) return header.status();
  if (header->record_bytes() != bytes.size()) {
    return Damaged(segment, offset, "not of the length that its location says");
  }
  const ValueRecord record = {
      .header = *header,
      .key = bytes.substr(kRecordHeaderBytes, header->key_bytes),
      .stored = bytes.substr(kRecordHeaderBytes + header->key_bytes),
  };
  if (RecordBodyCrc32c(record.key, record.stored) != header->body_crc32c) {
    return Damaged(segment, offset, "the checksum is not that of the key and value there");
  }
  return record;
}

}  // namespace tidemark::tier
