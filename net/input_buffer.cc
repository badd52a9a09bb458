#include "net/input_buffer.h"

#include <algorithm>
#include <cstring>

namespace tidemark::net {
namespace {

constexpr size_t kMinRoom = 4 * 1024;
constexpr size_t kFirstBytes = 64 * 1024;

}  // namespace

void InputBuffer::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  if (capacity_ - begin_ - size_ < bytes.size()) {
    const size_t needed = size_ + bytes.size();
    // Most that comes here is the beginning of one command, and goes again at once: fit it.
    MoveTo(size_ == 0 ? needed : std::max(needed, size_ * 2));
  }
  std::memcpy(bytes_.get() + begin_ + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

char* InputBuffer::Tail(size_t expected, size_t* room) {
  const size_t free = capacity_ - begin_ - size_;
  if (free < std::min(expected, kMinRoom) || free == 0) {
    MoveTo(std::min(std::max(size_ * 2, kFirstBytes), size_ + std::max<size_t>(expected, 1)));
  }
  *room = capacity_ - begin_ - size_;
  return bytes_.get() + begin_ + size_;
}

void InputBuffer::Consume(size_t bytes) {
  begin_ += bytes;
  size_ -= bytes;
  if (size_ == 0) Clear();
}

void InputBuffer::Clear() {
  bytes_.reset();
  begin_ = size_ = capacity_ = 0;
}

// Moves the bytes to the front of a block of at least `capacity`.
void InputBuffer::MoveTo(size_t capacity) {
  if (capacity <= capacity_) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, size_);
  } else {
    auto moved = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ > 0) std::memcpy(moved.get(), bytes_.get() + begin_, size_);
    bytes_ = std::move(moved);
    capacity_ = capacity;
  }
  begin_ = 0;
}

}  // namespace tidemark::net
