#include "base/buffer.h"

#include <cstring>
#include <new>

namespace tidemark {

Buffer* Buffer::Allocate(size_t size) {
  return new (::operator new(sizeof(Buffer) + size)) Buffer(size);
}

void Buffer::Free(const Buffer* buffer) {
  buffer->~Buffer();
  ::operator delete(const_cast<Buffer*>(buffer));
}

BufferRef Buffer::Copy(std::string_view bytes) {
  return Make(bytes.size(), [&](char* out) {
    if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  });
}

}  // namespace tidemark
