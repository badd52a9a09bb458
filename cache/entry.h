// Entry is one key with its value and expiry in one allocation; a large value is a Buffer beside it.
// Layout and cost per key: docs/memory.md.
//
// Threading: as its Keyspace.

#ifndef TIDEMARK_CACHE_ENTRY_H_
#define TIDEMARK_CACHE_ENTRY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/buffer.h"

namespace tidemark::cache {

enum class ValueType : uint8_t { kString = 0 };

// Values of at least this many bytes live in a Buffer of their own, so that a reply, a frame or a
// snapshot can share them without a copy.
inline constexpr size_t kLargeValueBytes = 16 * 1024;

class Entry {
 public:
  std::string_view key() const;
  std::string_view value() const;
  // The buffer that holds a large value; null if the value is stored inline.
  BufferRef value_buffer() const;
  ValueType type() const;
  bool has_expiry() const;
  int64_t expire_at_ms() const;  // kNoExpiry if there is none.
  bool ExpiredAt(int64_t now_ms) const { return has_expiry() && expire_at_ms() <= now_ms; }
  // Whether the value was built by APPEND or SETRANGE (OBJECT ENCODING then says "raw").
  bool appended() const;
  // Seconds since the last access, at a resolution of one second (OBJECT IDLETIME).
  uint32_t IdleSeconds(int64_t now_ms) const;
  // What the allocator holds for this entry (MEMORY USAGE).
  size_t memory_bytes() const;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_ENTRY_H_
