// Frame: a sealed batch of records of one shard, with its header and checksum; immutable, and
// shared by the backlog, every subscriber and the log as the very bytes that travel. Layout:
// docs/formats/frame.md.
//
//   OpenFrame (open_frame.h) makes one from records; FrameDecoder (frame_decoder.h) from received
//   bytes.
//
// Threading: immutable but for the count and the twin, both atomic: any thread may hold one.

#ifndef TIDEMARK_BASE_FORMAT_FRAME_H_
#define TIDEMARK_BASE_FORMAT_FRAME_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "base/check.h"
#include "base/format/coding.h"
#include "base/ids.h"
#include "base/intrusive_ptr.h"

namespace tidemark {

enum class FrameKind : uint8_t {
  kMutations = 1,
  kSnapshotChunk = 2,
};

// Bits of the header's flags.
inline constexpr uint16_t kFrameZstd = 1;   // The stored payload is one zstd frame.
inline constexpr uint16_t kFrameFirst = 2;  // Snapshot chunk: the first of its shard.
inline constexpr uint16_t kFrameLast = 4;   // Snapshot chunk: the last of its shard; may be empty.
inline constexpr uint16_t kFrameTransactions = 8;  // Mutations: has Transaction records.

inline constexpr uint32_t kFrameMagic = 0x464d4454;  // "TDMF" as bytes.
inline constexpr uint8_t kFrameVersion = 1;
inline constexpr size_t kFrameHeaderBytes = 68;
// Room for a key and a value of 512 MiB each, and a batch around them.
inline constexpr size_t kMaxFrameBytes = size_t{1280} << 20;
inline constexpr size_t kMinRecordBytes = 2;
inline constexpr size_t kMaxPayloadBytes = kMaxFrameBytes - kFrameHeaderBytes;

// The header's fields, as their writer gives them.
struct FrameHeader {
  FrameKind kind = FrameKind::kMutations;
  uint16_t flags = 0;
  HistoryId history = {};
  ShardId shard = {};
  uint16_t shard_count = 1;
  uint32_t record_count = 0;
  Sequence first_sequence =
      {};  // A snapshot chunk's first and last are both the snapshot's watermark.
  Sequence last_sequence = {};
  uint64_t stream_digest = 0;  // After the last record; see StreamDigest().
  int64_t sealed_at_ms = 0;    // Wall time.
  uint32_t raw_bytes = 0;      // Payload, uncompressed.
  uint32_t stored_bytes = 0;   // Payload as it is in the frame.
};

// Writes the header of the payload that follows it at `frame`, with the checksum over both.
void EncodeFrameHeader(const FrameHeader& header, char* frame);

// Reads and checks all that a header can say by itself, the checksum apart; `bytes` is at least
// kFrameHeaderBytes.
// InvalidArgument: a version, kind or flag from a newer writer, or a frame above `max_frame_bytes`.
// DataLoss: fields that no writer would put together. Both name the offset within the header.
absl::Status DecodeFrameHeader(std::string_view bytes, size_t max_frame_bytes, FrameHeader* header);

// The running digest of one shard's stream: that of the frame before (0 before the first), carried
// over this frame's raw payload. Equal digests at equal sequences prove equal prefixes, in O(1)
// state.
uint64_t StreamDigest(uint64_t previous, std::string_view payload);

class Frame;
using FrameRef = IntrusivePtr<const Frame>;

class Frame {
 public:
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  FrameKind kind() const { return static_cast<FrameKind>(wire()[5]); }
  uint16_t flags() const { return LoadFixed<uint16_t>(wire() + 6); }
  HistoryId history() const { return HistoryId(LoadFixed<uint64_t>(wire() + 8)); }
  ShardId shard() const { return ShardId(LoadFixed<uint16_t>(wire() + 16)); }
  uint16_t shard_count() const { return LoadFixed<uint16_t>(wire() + 18); }
  uint32_t record_count() const { return LoadFixed<uint32_t>(wire() + 20); }
  Sequence first_sequence() const { return Sequence(LoadFixed<uint64_t>(wire() + 24)); }
  Sequence last_sequence() const { return Sequence(LoadFixed<uint64_t>(wire() + 32)); }
  uint64_t stream_digest() const { return LoadFixed<uint64_t>(wire() + 40); }
  int64_t sealed_at_ms() const { return static_cast<int64_t>(LoadFixed<uint64_t>(wire() + 48)); }
  uint32_t raw_bytes() const { return LoadFixed<uint32_t>(wire() + 56); }
  uint32_t stored_bytes() const { return LoadFixed<uint32_t>(wire() + 60); }
  uint32_t crc32c() const { return LoadFixed<uint32_t>(wire() + 64); }

  // All of these, the checksum apart: what a writer gives who makes this frame anew.
  FrameHeader header() const;

  bool is_first_chunk() const { return (flags() & kFrameFirst) != 0; }
  bool is_last_chunk() const { return (flags() & kFrameLast) != 0; }
  bool is_compressed() const { return (flags() & kFrameZstd) != 0; }
  // Without them the records need not be read to know where the frame may be cut.
  bool has_transactions() const { return (flags() & kFrameTransactions) != 0; }

  // The records. Requires: !is_compressed(), which holds for every frame but a compressed twin.
  std::string_view payload() const {
    DCHECK(!is_compressed());
    return stored_payload();
  }
  // The payload as it travels.
  std::string_view stored_payload() const { return {wire() + kFrameHeaderBytes, stored_bytes()}; }
  // What goes over the wire, header included.
  std::string_view bytes() const { return {wire(), kFrameHeaderBytes + stored_bytes()}; }
  // What this frame holds of the heap; its twin counts for itself.
  size_t memory_bytes() const { return memory_bytes_; }

  // The same records compressed, made once and shared by all who want it (frame_compressor.h).
  // Null: not tried yet. This frame itself: tried, and not worth it. Lives as long as this frame.
  const Frame* compressed() const { return twin_.load(std::memory_order_acquire); }
  // Publishes the twin; `this` says "not worth it". The first of several wins; returns the winner.
  const Frame* PublishCompressed(FrameRef twin) const;

  void AddRef() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Release() const {
    // Release: our reads happen before the free; acquire: the freeing thread sees that of all
    // others.
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) Free(this);
  }

 private:
  friend class OpenFrame;  // Lays frames out.

  explicit Frame(size_t memory_bytes) : memory_bytes_(memory_bytes) {}
  ~Frame() = default;
  static void Free(const Frame* frame);
  const char* wire() const { return reinterpret_cast<const char*>(this + 1); }

  const size_t memory_bytes_;
  mutable std::atomic<const Frame*> twin_{nullptr};
  mutable std::atomic<uint32_t> refs_{1};
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_FORMAT_FRAME_H_
