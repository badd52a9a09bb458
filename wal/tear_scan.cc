#include "wal/tear_scan.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/crc32c.h"
#include "base/format/coding.h"
#include "base/format/frame.h"

namespace tidemark::wal {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr size_t kStoredBytesAt = 60, kChecksumAt = 64;

// How many bytes there are up to the last one that is not zero.
size_t BytesWithoutZeros(std::string_view block) {
  // Most of what is scanned are the zeros of the preallocation, and memcmp sees to those fast.
  if (block.empty() ||
      (block[0] == '\0' && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0)) {
    return 0;
  }
  return block.find_last_not_of('\0') + 1;
}

// What the mark or footer that `bytes` may begin with says; 0 if it is none.
uint64_t SyncedTo(std::string_view bytes, const MarkPlace& place, size_t shards) {
  if (const absl::StatusOr<Mark> mark = DecodeMark(bytes, place); mark.ok()) return mark->synced_to;
  if (shards == 0) return 0;
  const absl::StatusOr<Footer> footer = DecodeFooter(bytes, place, shards);
  return footer.ok() ? footer->synced_to : 0;
}

}  // namespace

absl::StatusOr<TearScan> ScanTear(File& file, const MarkPlace& from, size_t shards) {
  // Each block is looked at together with the beginning of the next, since a mark may span both.
  const size_t overlap = std::max(kMarkBytes, FooterBytes(shards));
  const auto buffer = std::unique_ptr<char[]>(new char[kBlockBytes + overlap]);
  TearScan scan;
  for (uint64_t at = from.offset;; at += kBlockBytes) {
    const absl::StatusOr<size_t> read = file.ReadAt(at, kBlockBytes + overlap, buffer.get());
    if (!read.ok()) return read.status();
    const std::string_view bytes(buffer.get(), *read);
    if (const size_t used = BytesWithoutZeros(bytes); used > 0) {
      scan.torn_bytes = at - from.offset + used;
    }
    constexpr std::string_view kBeginning = "TDM";
    for (size_t i = bytes.find(kBeginning); i != bytes.npos && i < kBlockBytes;
         i = bytes.find(kBeginning, i + 1)) {
      MarkPlace place = from;
      place.offset = at + i;
      const uint64_t synced_to = SyncedTo(bytes.substr(i), place, shards);
      if (synced_to > scan.synced_to) {
        scan.synced_to = synced_to;
        scan.mark_at = place.offset;
      }
    }
    if (*read <= kBlockBytes) return scan;
  }
}

absl::StatusOr<bool> ChecksumMatches(File& file, uint64_t offset, uint64_t limit) {
  const auto buffer = std::unique_ptr<char[]>(new char[kBlockBytes]);
  const auto room = [&](uint64_t at, uint64_t wanted) {
    return static_cast<size_t>(std::min({wanted, uint64_t{kBlockBytes}, limit - at}));
  };
  if (offset >= limit) return false;
  absl::StatusOr<size_t> read = file.ReadAt(offset, room(offset, kFrameHeaderBytes), buffer.get());
  if (!read.ok()) return read.status();
  if (*read < kFrameHeaderBytes) return false;
  uint64_t left = LoadFixed<uint32_t>(buffer.get() + kStoredBytesAt);
  const auto expected = LoadFixed<uint32_t>(buffer.get() + kChecksumAt);
  StoreFixed(buffer.get() + kChecksumAt, uint32_t{0});
  uint32_t crc = Crc32c({buffer.get(), kFrameHeaderBytes});
  for (uint64_t at = offset + kFrameHeaderBytes; left > 0; at += *read, left -= *read) {
    if (at >= limit) return false;
    read = file.ReadAt(at, room(at, left), buffer.get());
    if (!read.ok()) return read.status();
    if (*read == 0) return false;
    crc = Crc32c({buffer.get(), *read}, crc);
  }
  return crc == expected;
}

}  // namespace tidemark::wal
