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
  const bool outside = value.size() >= kLargeValueBytes;
  Entry* entry = Allocate(key, outside ? sizeof(const Buffer*) : value.size(), expire_at_ms);
  entry->value_size_ = static_cast<uint32_t>(value.size());
  if (outside) {
    entry->outside_ = 1;
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
  entry->outside_ = other.outside_;
  entry->cold_ = other.cold_;
  std::memcpy(entry->payload(), other.payload(), payload_bytes);
  if (entry->outside_ && !entry->cold_) entry->buffer()->AddRef();
  return entry;
}

Entry* Entry::CloneCold(const Entry& other, const tier::ValueLocation& at) {
  Entry* entry = Allocate(other.key(), sizeof(at), other.expire_at_ms());
  entry->CopyTraits(other);
  entry->value_size_ = other.value_size_;
  entry->outside_ = 1;
  entry->cold_ = 1;
  entry->Relocate(at);
  return entry;
}

Entry* Entry::CloneWarm(const Entry& other, std::string_view value) {
  CHECK(value.size() == other.value_bytes());
  // What APPEND built stays inline, as it was.
  Entry* entry = other.appended_ ? CreateAppended(other.key(), value.size(), other.expire_at_ms())
                                 : Create(other.key(), value, other.expire_at_ms());
  if (other.appended_) std::memcpy(entry->payload(), value.data(), value.size());
  entry->CopyTraits(other);
  return entry;
}

void Entry::CopyTraits(const Entry& other) {
  use_ = other.use_;
  mark_ = other.mark_;
  type_ = other.type_;
  appended_ = other.appended_;
}

void Entry::Destroy(Entry* entry) {
  if (entry->outside_ && !entry->cold_) entry->buffer()->Release();
  const size_t bytes = AllocatedBytes(entry->inline_bytes());
  entry->~Entry();
  // The size saves the allocator looking it up.
  ::operator delete(entry, bytes);
}

bool Entry::TryAssign(std::string_view value, int64_t expire_at_ms) {
  if (has_expiry_ != (expire_at_ms != kNoExpiry)) return false;
  // A value moves between inline, Buffer and disk only with a new allocation.
  if (outside_ != (value.size() >= kLargeValueBytes)) return false;
  if (outside_) {
    if (cold_) return false;
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
  if (outside_) return false;
  const size_t bytes = InlineBytes(key_size_, value_bytes, has_expiry_);
  if (AllocatedBytes(bytes) != AllocatedBytes(inline_bytes())) return false;
  value_size_ = static_cast<uint32_t>(value_bytes);
  appended_ = 1;
  return true;
}

}  // namespace tidemark::cache
