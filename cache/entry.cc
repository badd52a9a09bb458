#include "cache/entry.h"

#include <new>

#include "base/check.h"

namespace tidemark::cache {

constexpr size_t Entry::InlineBytes(size_t key_bytes, size_t payload_bytes, bool has_expiry) {
  return sizeof(Entry) + (has_expiry ? sizeof(int64_t) : 0) + key_bytes + payload_bytes;
}

Entry* Entry::Allocate(std::string_view key, size_t payload_bytes, int64_t expire_at_ms) {
  CHECK(key.size() <= kMaxKeyBytes);
  const bool has_expiry = expire_at_ms != kNoExpiry;
  const size_t bytes = AllocatedBytes(InlineBytes(key.size(), payload_bytes, has_expiry));
  Entry* entry = new (::operator new(bytes)) Entry();
  entry->key_size_ = static_cast<uint32_t>(key.size());
  if (has_expiry) {
    entry->has_expiry_ = 1;
    entry->ChangeExpiry(expire_at_ms);
  }
  if (!key.empty()) std::memcpy(entry->payload() - key.size(), key.data(), key.size());
  return entry;
}

Entry* Entry::Create(std::string_view key, std::string_view value, int64_t expire_at_ms) {
  CHECK(value.size() <= kMaxValueBytes);
  const bool in_buffer = value.size() >= kLargeValueBytes;
  Entry* entry = Allocate(key, in_buffer ? sizeof(const Buffer*) : value.size(), expire_at_ms);
  entry->value_size_ = static_cast<uint32_t>(value.size());
  if (in_buffer) {
    entry->in_buffer_ = 1;
    entry->set_buffer(Buffer::Copy(value).Detach());
  } else if (!value.empty()) {
    std::memcpy(entry->payload(), value.data(), value.size());
  }
  return entry;
}

Entry* Entry::CreateAppended(std::string_view key, size_t value_bytes, int64_t expire_at_ms) {
  CHECK(value_bytes <= kMaxValueBytes);
  Entry* entry = Allocate(key, value_bytes, expire_at_ms);
  entry->value_size_ = static_cast<uint32_t>(value_bytes);
  entry->appended_ = 1;
  return entry;
}

Entry* Entry::CloneWithExpiry(const Entry& other, int64_t expire_at_ms) {
  const size_t payload_bytes = other.payload_bytes();
  Entry* entry = Allocate(other.key(), payload_bytes, expire_at_ms);
  entry->value_size_ = other.value_size_;
  entry->type_ = other.type_;
  entry->appended_ = other.appended_;
  entry->in_buffer_ = other.in_buffer_;
  std::memcpy(entry->payload(), other.payload(), payload_bytes);
  if (entry->in_buffer_) entry->buffer()->AddRef();
  return entry;
}

void Entry::Destroy(Entry* entry) {
  if (entry->in_buffer_) entry->buffer()->Release();
  const size_t bytes = AllocatedBytes(entry->inline_bytes());
  entry->~Entry();
  // The size saves the allocator looking it up.
  ::operator delete(entry, bytes);
}

bool Entry::TryAssign(std::string_view value, int64_t expire_at_ms) {
  if (has_expiry_ != (expire_at_ms != kNoExpiry)) return false;
  // A value moves between inline and Buffer only with a new allocation.
  if (in_buffer_ != (value.size() >= kLargeValueBytes)) return false;
  if (in_buffer_) {
    CHECK(value.size() <= kMaxValueBytes);
    // Readers may hold the present buffer, so it is replaced, never written.
    const Buffer* previous = buffer();
    set_buffer(Buffer::Copy(value).Detach());
    previous->Release();
  } else {
    const size_t bytes = InlineBytes(key_size_, value.size(), has_expiry_);
    if (AllocatedBytes(bytes) != AllocatedBytes(inline_bytes())) return false;
    if (!value.empty()) std::memmove(payload(), value.data(), value.size());
  }
  value_size_ = static_cast<uint32_t>(value.size());
  appended_ = 0;
  if (has_expiry_) ChangeExpiry(expire_at_ms);
  return true;
}

bool Entry::TryResize(size_t value_bytes) {
  if (in_buffer_) return false;
  const size_t bytes = InlineBytes(key_size_, value_bytes, has_expiry_);
  if (AllocatedBytes(bytes) != AllocatedBytes(inline_bytes())) return false;
  value_size_ = static_cast<uint32_t>(value_bytes);
  appended_ = 1;
  return true;
}

}  // namespace tidemark::cache
