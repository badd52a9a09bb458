// OpenFrame is the memory of a frame while its payload is being written: room for the header in
// front, growth by doubling, then Seal() makes it a Frame. Records are encoded straight into what
// is sent.
//
// Threading: one thread at a time.

#ifndef TIDEMARK_BASE_FORMAT_OPEN_FRAME_H_
#define TIDEMARK_BASE_FORMAT_OPEN_FRAME_H_

#include <cstddef>
#include <string_view>

#include "base/format/frame.h"

namespace tidemark {

class OpenFrame {
 public:
  // Holds nothing until the first Reserve().
  OpenFrame() = default;
  ~OpenFrame();
  OpenFrame(const OpenFrame&) = delete;
  OpenFrame& operator=(const OpenFrame&) = delete;

  std::string_view payload() const { return {payload_, payload_bytes()}; }
  size_t payload_bytes() const { return static_cast<size_t>(next_ - payload_); }
  // For patching what was written.
  char* mutable_payload() { return payload_; }
  // Heap held now, whether used or not.
  size_t memory_bytes() const { return memory_bytes_; }

  // Room for `bytes` more, at the end of the payload; null if the payload would exceed
  // kMaxPayloadBytes. Moves the payload when it grows.
  char* Reserve(size_t bytes) {
    if (static_cast<size_t>(limit_ - next_) < bytes && !Grow(bytes)) return nullptr;
    return next_;
  }
  // `end`: the end of what was written at Reserve()'s result.
  void Commit(char* end) { next_ = end; }
  // Drops the payload.
  void Clear() { next_ = payload_; }

  // Writes the header (raw_bytes and stored_bytes too, unless flags has kFrameZstd: then raw_bytes
  // is the caller's) and checksum, and leaves this object empty and usable.
  //
  // A small payload is copied into a frame of its exact size and this memory, warm in the cache, is
  // used again. A large one keeps its memory and gives back the slack.
  FrameRef Seal(FrameHeader header);

  // The frame that was sealed elsewhere, of its bytes as they travel, `header` (kFrameHeaderBytes)
  // and payload; the caller has checked that they are one, the checksum too.
  static FrameRef Copy(std::string_view header, std::string_view stored_payload);

 private:
  bool Grow(size_t bytes);

  static constexpr size_t kPrefixBytes = sizeof(Frame) + kFrameHeaderBytes;

  // The allocation begins kPrefixBytes before payload_. All null before the first Reserve().
  char* payload_ = nullptr;
  char* next_ = nullptr;
  char* limit_ = nullptr;
  size_t memory_bytes_ = 0;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_FORMAT_OPEN_FRAME_H_
