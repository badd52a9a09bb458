#include "base/format/open_frame.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace tidemark {
namespace {

constexpr size_t kFirstPayloadBytes = 4096;
// Up to here a payload is copied at Seal(). Measured (open_frame_bench.cc), copying out of memory
// that stays warm beats giving it away and growing anew up to 128 KiB and draws level at 256; and a
// frame that waits in the backlog then holds no slack.
constexpr size_t kCopyBytes = 256 << 10;

char* AllocateOrDie(void* old, size_t bytes) {
  void* memory = std::realloc(old, bytes);
  CHECK(memory != nullptr);
  return static_cast<char*>(memory);
}

}  // namespace

OpenFrame::~OpenFrame() {
  if (payload_ != nullptr) std::free(payload_ - kPrefixBytes);
}

bool OpenFrame::Grow(size_t bytes) {
  const size_t used = payload_bytes();
  if (bytes > kMaxPayloadBytes - used) return false;
  const size_t now = static_cast<size_t>(limit_ - payload_);
  const size_t capacity = std::max({kFirstPayloadBytes, now * 2, used + bytes});
  memory_bytes_ = kPrefixBytes + capacity;
  char* memory =
      AllocateOrDie(payload_ == nullptr ? nullptr : payload_ - kPrefixBytes, memory_bytes_);
  payload_ = memory + kPrefixBytes;
  next_ = payload_ + used;
  limit_ = payload_ + capacity;
  return true;
}

FrameRef OpenFrame::Seal(FrameHeader header) {
  const size_t used = payload_bytes();
  header.stored_bytes = static_cast<uint32_t>(used);
  if ((header.flags & kFrameZstd) == 0) header.raw_bytes = header.stored_bytes;

  const size_t memory_bytes = kPrefixBytes + used;
  char* memory;
  if (used <= kCopyBytes) {
    memory = AllocateOrDie(nullptr, memory_bytes);
    if (used > 0) std::memcpy(memory + kPrefixBytes, payload_, used);
    next_ = payload_;
  } else {
    memory = AllocateOrDie(payload_ - kPrefixBytes, memory_bytes);
    payload_ = next_ = limit_ = nullptr;
    memory_bytes_ = 0;
  }
  Frame* frame = new (memory) Frame(memory_bytes);
  EncodeFrameHeader(header, memory + sizeof(Frame));
  return FrameRef::Adopt(frame);
}

FrameRef OpenFrame::Copy(std::string_view header, std::string_view stored_payload) {
  DCHECK(header.size() == kFrameHeaderBytes);
  const size_t memory_bytes = kPrefixBytes + stored_payload.size();
  char* memory = AllocateOrDie(nullptr, memory_bytes);
  Frame* frame = new (memory) Frame(memory_bytes);
  std::memcpy(memory + sizeof(Frame), header.data(), kFrameHeaderBytes);
  if (!stored_payload.empty()) {
    std::memcpy(memory + kPrefixBytes, stored_payload.data(), stored_payload.size());
  }
  return FrameRef::Adopt(frame);
}

}  // namespace tidemark
