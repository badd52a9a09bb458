#include "base/format/frame.h"

#include <fmt/format.h>

#if defined(__x86_64__)
// The widest vectors that this CPU has; the plain header knows SSE2 alone.
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#include <algorithm>
#include <cstdlib>

#include "base/crc32c.h"

namespace tidemark {
namespace {

constexpr size_t kVersionAt = 4, kKindAt = 5, kFlagsAt = 6, kHistoryAt = 8, kShardAt = 16,
                 kShardCountAt = 18, kRecordCountAt = 20, kFirstAt = 24, kLastAt = 32,
                 kDigestAt = 40, kSealedAt = 48, kRawBytesAt = 56, kStoredBytesAt = 60,
                 kChecksumAt = 64;
static_assert(kChecksumAt + 4 == kFrameHeaderBytes);

// zstd's densest block, three bytes and one to repeat, stands for 128 KiB (RFC 8878, 3.1.1.2).
constexpr uint64_t kMaxZstdRatio = (128 << 10) / 4;

absl::Status Damaged(size_t at, std::string_view problem) {
  return absl::DataLossError(fmt::format("byte {} of a frame header: {}", at, problem));
}

absl::Status Unknown(size_t at, std::string_view problem) {
  return absl::InvalidArgumentError(fmt::format("byte {} of a frame header: {}", at, problem));
}

absl::Status CheckLengths(const FrameHeader& h, size_t max_frame_bytes) {
  const bool zstd = (h.flags & kFrameZstd) != 0;
  if (kFrameHeaderBytes + uint64_t{h.raw_bytes} > max_frame_bytes) {
    return Unknown(kRawBytesAt,
                   fmt::format("a payload of {} bytes; at most {} are taken", h.raw_bytes,
                               max_frame_bytes - std::min(max_frame_bytes, kFrameHeaderBytes)));
  }
  if (zstd ? h.stored_bytes >= h.raw_bytes : h.stored_bytes != h.raw_bytes) {
    return Damaged(kStoredBytesAt, fmt::format("{} bytes stored of {}, {}", h.stored_bytes,
                                               h.raw_bytes, zstd ? "compressed" : "as they are"));
  }
  if (zstd && h.raw_bytes > h.stored_bytes * kMaxZstdRatio) {
    return Damaged(kRawBytesAt,
                   fmt::format("{} bytes cannot hold {}", h.stored_bytes, h.raw_bytes));
  }
  if (h.record_count > h.raw_bytes / kMinRecordBytes) {
    return Damaged(kRecordCountAt,
                   fmt::format("{} records in {} bytes", h.record_count, h.raw_bytes));
  }
  return absl::OkStatus();
}

absl::Status CheckSequences(const FrameHeader& h) {
  const uint64_t first = h.first_sequence.value(), last = h.last_sequence.value();
  if (h.kind == FrameKind::kSnapshotChunk) {
    if (first != last) return Damaged(kLastAt, "a snapshot chunk with two watermarks");
    if (h.record_count == 0 && (h.flags & kFrameLast) == 0) {
      return Damaged(kRecordCountAt, "an empty snapshot chunk that is not the last");
    }
    return absl::OkStatus();
  }
  if (h.record_count == 0) return Damaged(kRecordCountAt, "no records");
  if (first == 0 || last < first || last - first != h.record_count - 1) {
    return Damaged(kFirstAt,
                   fmt::format("sequences {} to {} for {} records", first, last, h.record_count));
  }
  return absl::OkStatus();
}

}  // namespace

void EncodeFrameHeader(const FrameHeader& header, char* frame) {
  StoreFixed(frame, kFrameMagic);
  StoreFixed(frame + kVersionAt, kFrameVersion);
  StoreFixed(frame + kKindAt, static_cast<uint8_t>(header.kind));
  StoreFixed(frame + kFlagsAt, header.flags);
  StoreFixed(frame + kHistoryAt, header.history.value());
  StoreFixed(frame + kShardAt, header.shard.value());
  StoreFixed(frame + kShardCountAt, header.shard_count);
  StoreFixed(frame + kRecordCountAt, header.record_count);
  StoreFixed(frame + kFirstAt, header.first_sequence.value());
  StoreFixed(frame + kLastAt, header.last_sequence.value());
  StoreFixed(frame + kDigestAt, header.stream_digest);
  StoreFixed(frame + kSealedAt, static_cast<uint64_t>(header.sealed_at_ms));
  StoreFixed(frame + kRawBytesAt, header.raw_bytes);
  StoreFixed(frame + kStoredBytesAt, header.stored_bytes);
  StoreFixed(frame + kChecksumAt, uint32_t{0});
  const uint32_t crc = Crc32c({frame, kFrameHeaderBytes + header.stored_bytes});
  StoreFixed(frame + kChecksumAt, crc);
}

absl::Status DecodeFrameHeader(std::string_view bytes, size_t max_frame_bytes,
                               FrameHeader* header) {
  const char* p = bytes.data();
  if (LoadFixed<uint32_t>(p) != kFrameMagic) return Damaged(0, "no frame begins here");
  const auto version = LoadFixed<uint8_t>(p + kVersionAt);
  if (version != kFrameVersion) {
    return Unknown(kVersionAt,
                   fmt::format("version {}; this reader knows {}", version, kFrameVersion));
  }
  const auto kind = LoadFixed<uint8_t>(p + kKindAt);
  uint16_t known_flags = kFrameZstd;
  switch (static_cast<FrameKind>(kind)) {
    case FrameKind::kMutations:
      known_flags |= kFrameTransactions;
      break;
    case FrameKind::kSnapshotChunk:
      known_flags |= kFrameFirst | kFrameLast;
      break;
    default:
      return Unknown(kKindAt, fmt::format("unknown kind {}", kind));
  }
  FrameHeader h;
  h.kind = static_cast<FrameKind>(kind);
  h.flags = LoadFixed<uint16_t>(p + kFlagsAt);
  if ((h.flags & ~known_flags) != 0) {
    return Unknown(kFlagsAt, fmt::format("unknown flags {:#x} for kind {}", h.flags, kind));
  }
  h.history = HistoryId(LoadFixed<uint64_t>(p + kHistoryAt));
  h.shard = ShardId(LoadFixed<uint16_t>(p + kShardAt));
  h.shard_count = LoadFixed<uint16_t>(p + kShardCountAt);
  h.record_count = LoadFixed<uint32_t>(p + kRecordCountAt);
  h.first_sequence = Sequence(LoadFixed<uint64_t>(p + kFirstAt));
  h.last_sequence = Sequence(LoadFixed<uint64_t>(p + kLastAt));
  h.stream_digest = LoadFixed<uint64_t>(p + kDigestAt);
  h.sealed_at_ms = static_cast<int64_t>(LoadFixed<uint64_t>(p + kSealedAt));
  h.raw_bytes = LoadFixed<uint32_t>(p + kRawBytesAt);
  h.stored_bytes = LoadFixed<uint32_t>(p + kStoredBytesAt);
  if (h.shard_count == 0 || h.shard_count > kMaxShards || h.shard.value() >= h.shard_count) {
    return Damaged(kShardAt, fmt::format("shard {} of {}", h.shard.value(), h.shard_count));
  }
  if (absl::Status s = CheckLengths(h, max_frame_bytes); !s.ok()) return s;
  if (absl::Status s = CheckSequences(h); !s.ok()) return s;
  *header = h;
  return absl::OkStatus();
}

uint64_t StreamDigest(uint64_t previous, std::string_view payload) {
  return XXH3_64bits_withSeed(payload.data(), payload.size(), previous);
}

FrameHeader Frame::header() const {
  return {.kind = kind(),
          .flags = flags(),
          .history = history(),
          .shard = shard(),
          .shard_count = shard_count(),
          .record_count = record_count(),
          .first_sequence = first_sequence(),
          .last_sequence = last_sequence(),
          .stream_digest = stream_digest(),
          .sealed_at_ms = sealed_at_ms(),
          .raw_bytes = raw_bytes(),
          .stored_bytes = stored_bytes()};
}

const Frame* Frame::PublishCompressed(FrameRef twin) const {
  const Frame* present = nullptr;
  // Release: who reads the pointer sees the twin's bytes.
  if (twin_.compare_exchange_strong(present, twin.get(), std::memory_order_acq_rel)) {
    const Frame* published = twin.Detach();
    // "Not worth it" is no reference: a frame that held itself would never be freed.
    if (published == this) Release();
    return published;
  }
  return present;
}

void Frame::Free(const Frame* frame) {
  const Frame* twin = frame->twin_.load(std::memory_order_acquire);
  if (twin != nullptr && twin != frame) twin->Release();
  frame->~Frame();
  std::free(const_cast<Frame*>(frame));
}

}  // namespace tidemark
