#include "wal/format/segment.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"

namespace tidemark::wal {
namespace {

// Of the header.
constexpr size_t kVersionAt = 4, kFlagsAt = 5, kShardCountAt = 6, kHeaderBytesAt = 8,
                 kHeaderChecksumAt = 12, kDirectoryAt = 16, kNumberAt = 24, kCreatedAt = 32,
                 kHistoryAt = 40;
static_assert(kHistoryAt + 8 == kSegmentFixedBytes);

// Of a mark, and of a footer that begins like one.
constexpr size_t kMarkChecksumAt = 4, kMarkDirectoryAt = 8, kMarkNumberAt = 16, kMarkOffsetAt = 24,
                 kSyncedToAt = 32, kWrittenAt = 40, kFramesAt = 48;
static_assert(kWrittenAt + 8 == kMarkBytes && kFramesAt + 8 == kFooterFixedBytes);

char* StorePositions(char* p, const Positions& positions) {
  for (const ShardPosition& position : positions) {
    p = StoreFixed(StoreFixed(p, position.sequence.value()), position.digest);
  }
  return p;
}

Positions LoadPositions(const char* p, size_t shards) {
  Positions positions(shards);
  for (ShardPosition& position : positions) {
    position = {.sequence = Sequence(LoadFixed<uint64_t>(p)), .digest = LoadFixed<uint64_t>(p + 8)};
    p += kPositionBytes;
  }
  return positions;
}

// Of `bytes` with the four bytes at `at` zero.
uint32_t ChecksumWithout(std::string_view bytes, size_t at) {
  constexpr std::string_view kZero("\0\0\0", 4);
  return Crc32c(bytes.substr(at + 4), Crc32c(kZero, Crc32c(bytes.substr(0, at))));
}

char* StoreMark(uint32_t magic, const MarkPlace& place, uint64_t synced_to, int64_t written_at_ms,
                char* p) {
  p = StoreFixed(StoreFixed(p, magic), uint32_t{0});
  p = StoreFixed(StoreFixed(p, place.directory.value()), place.number);
  p = StoreFixed(StoreFixed(p, place.offset), synced_to);
  return StoreFixed(p, static_cast<uint64_t>(written_at_ms));
}

absl::Status CheckMark(std::string_view bytes, uint32_t magic, size_t size,
                       const MarkPlace& place) {
  const char* p = bytes.data();
  if (bytes.size() < size) return absl::DataLossError("a mark or a footer that is cut");
  if (LoadFixed<uint32_t>(p) != magic) return absl::DataLossError("no mark or footer begins here");
  if (LoadFixed<uint32_t>(p + kMarkChecksumAt) !=
      ChecksumWithout(bytes.substr(0, size), kMarkChecksumAt)) {
    return absl::DataLossError("the checksum of a mark or a footer does not match");
  }
  if (LoadFixed<uint64_t>(p + kMarkDirectoryAt) != place.directory.value() ||
      LoadFixed<uint64_t>(p + kMarkNumberAt) != place.number ||
      LoadFixed<uint64_t>(p + kMarkOffsetAt) != place.offset) {
    return absl::DataLossError("a mark or a footer of another place");
  }
  if (LoadFixed<uint64_t>(p + kSyncedToAt) > place.offset) {
    return absl::DataLossError("a mark or a footer that calls itself synced");
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  const size_t shards = header.before.size();
  CHECK(shards >= 1 && shards <= kMaxShards);
  std::string bytes(SegmentHeaderBytes(shards), '\0');
  char* p = bytes.data();
  StoreFixed(p, kSegmentMagic);
  StoreFixed(p + kVersionAt, kSegmentVersion);
  StoreFixed(p + kShardCountAt, static_cast<uint16_t>(shards));
  StoreFixed(p + kHeaderBytesAt, static_cast<uint32_t>(bytes.size()));
  StoreFixed(p + kDirectoryAt, header.directory.value());
  StoreFixed(p + kNumberAt, header.number);
  StoreFixed(p + kCreatedAt, static_cast<uint64_t>(header.created_at_ms));
  StoreFixed(p + kHistoryAt, header.history.value());
  StorePositions(p + kSegmentFixedBytes, header.before);
  StoreFixed(p + kHeaderChecksumAt, Crc32c(bytes));
  return bytes;
}

char* EncodeMark(const MarkPlace& place, const Mark& mark, char* p) {
  char* end = StoreMark(kMarkMagic, place, mark.synced_to, mark.written_at_ms, p);
  StoreFixed(p + kMarkChecksumAt, Crc32c({p, kMarkBytes}));
  return end;
}

std::string EncodeFooter(const MarkPlace& place, const Footer& footer) {
  std::string bytes(FooterBytes(footer.after.size()), '\0');
  char* p = StoreMark(kFooterMagic, place, footer.synced_to, footer.written_at_ms, bytes.data());
  StorePositions(StoreFixed(p, footer.frames), footer.after);
  StoreFixed(bytes.data() + kMarkChecksumAt, Crc32c(bytes));
  return bytes;
}

absl::StatusOr<SegmentHeader> DecodeSegmentHeader(std::string_view bytes) {
  const char* p = bytes.data();
  if (bytes.size() < kSegmentFixedBytes) {
    return absl::DataLossError(fmt::format("a header of {} bytes, cut", bytes.size()));
  }
  if (LoadFixed<uint32_t>(p) != kSegmentMagic) return absl::DataLossError("no segment begins here");
  // The length has this place in every version, so that a header of a newer one is told from
  // damage.
  const auto header_bytes = LoadFixed<uint32_t>(p + kHeaderBytesAt);
  if (header_bytes < kSegmentFixedBytes || header_bytes > kMaxSegmentHeaderBytes ||
      header_bytes > bytes.size()) {
    return absl::DataLossError(fmt::format("a header that claims {} bytes", header_bytes));
  }
  bytes = bytes.substr(0, header_bytes);
  if (LoadFixed<uint32_t>(p + kHeaderChecksumAt) != ChecksumWithout(bytes, kHeaderChecksumAt)) {
    return absl::DataLossError("the header's checksum does not match");
  }
  const auto version = LoadFixed<uint8_t>(p + kVersionAt);
  const auto flags = LoadFixed<uint8_t>(p + kFlagsAt);
  if (version != kSegmentVersion || flags != 0) {
    return absl::InvalidArgumentError(fmt::format(
        "version {} with flags {}; this reader knows version {}", version, flags, kSegmentVersion));
  }
  const auto shards = LoadFixed<uint16_t>(p + kShardCountAt);
  if (shards == 0 || shards > kMaxShards || SegmentHeaderBytes(shards) != header_bytes) {
    return absl::DataLossError(
        fmt::format("a header of {} bytes for {} shards", header_bytes, shards));
  }
  return SegmentHeader{
      .directory = DirectoryId(LoadFixed<uint64_t>(p + kDirectoryAt)),
      .number = LoadFixed<uint64_t>(p + kNumberAt),
      .created_at_ms = static_cast<int64_t>(LoadFixed<uint64_t>(p + kCreatedAt)),
      .history = HistoryId(LoadFixed<uint64_t>(p + kHistoryAt)),
      .before = LoadPositions(p + kSegmentFixedBytes, shards),
  };
}

absl::StatusOr<Mark> DecodeMark(std::string_view bytes, const MarkPlace& place) {
  if (absl::Status s = CheckMark(bytes, kMarkMagic, kMarkBytes, place); !s.ok()) return s;
  const char* p = bytes.data();
  return Mark{.synced_to = LoadFixed<uint64_t>(p + kSyncedToAt),
              .written_at_ms = static_cast<int64_t>(LoadFixed<uint64_t>(p + kWrittenAt))};
}

absl::StatusOr<Footer> DecodeFooter(std::string_view bytes, const MarkPlace& place, size_t shards) {
  if (absl::Status s = CheckMark(bytes, kFooterMagic, FooterBytes(shards), place); !s.ok()) {
    return s;
  }
  const char* p = bytes.data();
  return Footer{.synced_to = LoadFixed<uint64_t>(p + kSyncedToAt),
                .written_at_ms = static_cast<int64_t>(LoadFixed<uint64_t>(p + kWrittenAt)),
                .frames = LoadFixed<uint64_t>(p + kFramesAt),
                .after = LoadPositions(p + kFooterFixedBytes, shards)};
}

}  // namespace tidemark::wal
