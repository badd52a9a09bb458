#include "cache/entry.h"

#include <new>

#include "base/check.h"

namespace tidemark::cache {

Entry* Entry::Allocate(std::string_view key, size_t payload_bytes, const Expiry& expiry) {
  CHECK(key.size() <= kMaxKeyBytes);
  const bool has_expiry = expiry.at_ms != kNoExpiry;
  const bool has_extras = expiry.extras.any();
  const size_t bytes =
      AllocatedBytes(InlineBytes(key.size(), payload_bytes, has_expiry, has_extras));
  Entry* entry = new (::operator new(bytes)) Entry();
  entry->key_size_ = static_cast<uint32_t>(key.size());
  if (has_expiry) {
    entry->has_expiry_ = 1;
    entry->ChangeMoment(expiry.at_ms);
  }
  if (has_extras) {
    entry->has_extras_ = 1;
    const StoredExtras extras = {.extras = expiry.extras, .asked_until_ms = 0};
    std::memcpy(entry->payload() + payload_bytes, &extras, sizeof(extras));
  }
  if (!key.empty()) std::memcpy(entry->payload() - key.size(), key.data(), key.size());
  return entry;
}

void Entry::ChangeExpiry(const Expiry& expiry) {
  DCHECK(HasRoomFor(expiry));
  if (has_expiry_) ChangeMoment(expiry.at_ms);
  if (has_extras_) set_stored_extras({.extras = expiry.extras, .asked_until_ms = 0});
}

Entry* Entry::Create(std::string_view key, std::string_view value, const Expiry& expiry) {
  CHECK(value.size() <= kMaxValueBytes);
  const bool outside = value.size() >= kLargeValueBytes;
  Entry* entry = Allocate(key, outside ? sizeof(const Buffer*) : value.size(), expiry);
  entry->value_size_ = static_cast<uint32_t>(value.size());
  if (outside) {
    entry->outside_ = 1;
    entry->set_buffer(Buffer::Copy(value).Detach());
  } else if (!value.empty()) {
    std::memcpy(entry->payload(), value.data(), value.size());
  }
  return entry;
}

Entry* Entry::CreateAppended(std::string_view key, size_t value_bytes, const Expiry& expiry) {
  CHECK(value_bytes <= kMaxValueBytes);
  Entry* entry = Allocate(key, value_bytes, expiry);
  entry->value_size_ = static_cast<uint32_t>(value_bytes);
  entry->appended_ = 1;
  return entry;
}

Entry* Entry::CloneWithExpiry(const Entry& other, const Expiry& expiry) {
  const size_t payload_bytes = other.payload_bytes();
  Entry* entry = Allocate(other.key(), payload_bytes, expiry);
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
  Entry* entry = Allocate(other.key(), sizeof(at), other.expiry());
  entry->value_size_ = other.value_size_;
  entry->outside_ = 1;
  entry->cold_ = 1;
  entry->Relocate(at);
  entry->CopyTraits(other);
  return entry;
}

Entry* Entry::CloneWarm(const Entry& other, std::string_view value) {
  CHECK(value.size() == other.value_bytes());
  // What APPEND built stays inline, as it was.
  Entry* entry = other.appended_ ? CreateAppended(other.key(), value.size(), other.expiry())
                                 : Create(other.key(), value, other.expiry());
  if (other.appended_) std::memcpy(entry->payload(), value.data(), value.size());
  entry->CopyTraits(other);
  return entry;
}

void Entry::CopyTraits(const Entry& other) {
  use_ = other.use_;
  mark_ = other.mark_;
  type_ = other.type_;
  appended_ = other.appended_;
  if (has_extras_) set_stored_extras(other.stored_extras());
}

void Entry::Destroy(Entry* entry) {
  if (entry->outside_ && !entry->cold_) entry->buffer()->Release();
  const size_t bytes = AllocatedBytes(entry->inline_bytes());
  entry->~Entry();
  // The size saves the allocator looking it up.
  ::operator delete(entry, bytes);
}

bool Entry::TryAssign(std::string_view value, const Expiry& expiry) {
  if (!HasRoomFor(expiry)) return false;
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
    if (AllocatedBytes(InlineBytesWith(value.size())) != AllocatedBytes(inline_bytes()))
      return false;
    if (!value.empty()) std::memmove(payload(), value.data(), value.size());
  }
  value_size_ = static_cast<uint32_t>(value.size());
  appended_ = 0;
  ChangeExpiry(expiry);
  return true;
}

bool Entry::TryResize(size_t value_bytes) {
  if (outside_) return false;
  if (AllocatedBytes(InlineBytesWith(value_bytes)) != AllocatedBytes(inline_bytes())) return false;
  const TtlExtras extras = has_extras_ ? stored_extras().extras : TtlExtras();
  value_size_ = static_cast<uint32_t>(value_bytes);
  if (has_extras_) set_stored_extras({.extras = extras, .asked_until_ms = 0});
  appended_ = 1;
  return true;
}

}  // namespace tidemark::cache
