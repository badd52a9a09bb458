// Buffer is an immutable string of bytes shared by reference count, in one allocation.
//
// A frame travels to the log, the backlog and every subscriber as one Buffer, and a large value to
// as many replies as ask for it: nothing is copied, and whoever drops the last reference frees it.
//
// Threading: immutable once made, so any thread may read it. The count is atomic because the last
// reference may be dropped on a link thread.

#ifndef TIDEMARK_BASE_BUFFER_H_
#define TIDEMARK_BASE_BUFFER_H_

#include <atomic>
#include <cstddef>
#include <string_view>

#include "base/intrusive_ptr.h"

namespace tidemark {

class Buffer;
using BufferRef = IntrusivePtr<const Buffer>;

class Buffer {
 public:
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  static BufferRef Copy(std::string_view bytes);

  // A buffer of `size` bytes that `fill(char*)` writes before anyone else sees it.
  template <typename Fill>
  static BufferRef Make(size_t size, Fill&& fill) {
    Buffer* buffer = Allocate(size);
    fill(buffer->mutable_data());
    return BufferRef::Adopt(buffer);
  }

  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  size_t size() const { return size_; }
  std::string_view view() const { return {data(), size_}; }

  void AddRef() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Release() const {
    // Release: our reads happen before the free; acquire: the freeing thread sees that of all
    // others.
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) Free(this);
  }

 private:
  explicit Buffer(size_t size) : size_(size) {}
  static Buffer* Allocate(size_t size);
  static void Free(const Buffer* buffer);
  char* mutable_data() { return reinterpret_cast<char*>(this + 1); }

  mutable std::atomic<size_t> refs_{1};
  const size_t size_;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_BUFFER_H_
