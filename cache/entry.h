// Entry is one key with its value and expiry in one allocation; a large value is a Buffer beside
// it. Of a cold entry the value is on disk, and memory holds its length and its location.
//
// Layout and cost per key: docs/memory.md.
//
// Readers get `const Entry`. The part for owners is for Keyspace, which makes, changes and frees
// entries.
//
// Threading: as its Keyspace.

#ifndef TIDEMARK_CACHE_ENTRY_H_
#define TIDEMARK_CACHE_ENTRY_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/buffer.h"
#include "base/check.h"
#include "base/expiry.h"
#include "cache/mutation_sink.h"
#include "cache/size_class.h"
#include "tier/value_location.h"

namespace tidemark::cache {

enum class ValueType : uint8_t { kString = 0 };

// Values of at least this many bytes live in a Buffer of their own, so that a reply, a frame or a
// snapshot can share them without a copy. Values built by SETRANGE or APPEND are the exception:
// they stay inline whatever their size, because a Buffer cannot grow.
inline constexpr size_t kLargeValueBytes = 16 * 1024;

// The longest key and the longest value (redis.io, "proto-max-bulk-len"). Callers refuse longer
// ones.
inline constexpr size_t kMaxKeyBytes = 512 * 1024 * 1024;
inline constexpr size_t kMaxValueBytes = 512 * 1024 * 1024;

class Entry {
 public:
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  std::string_view key() const { return {bytes() + expiry_bytes(), key_size_}; }
  // Requires: !cold().
  [[gnu::always_inline]] std::string_view value() const {
    if (outside_) return buffer()->view();
    return {payload(), value_size_};
  }
  // The buffer that holds a large value; null if the value is stored inline. Requires: !cold().
  BufferRef value_buffer() const { return outside_ ? BufferRef::Share(buffer()) : BufferRef(); }
  // The value's length, wherever it is.
  size_t value_bytes() const { return value_size_; }
  // Whether the value is on disk, at location().
  bool cold() const { return cold_; }
  tier::ValueLocation location() const {
    DCHECK(cold_);
    tier::ValueLocation result;
    std::memcpy(&result, payload(), sizeof(result));
    return result;
  }
  bool ColdAt(const tier::ValueLocation& at) const { return cold_ && location() == at; }
  ValueType type() const { return static_cast<ValueType>(type_); }
  bool has_expiry() const { return has_expiry_; }
  // When the key goes; kNoExpiry if it does not.
  int64_t expire_at_ms() const {
    if (!has_expiry_) return kNoExpiry;
    int64_t result;
    std::memcpy(&result, bytes(), sizeof(result));
    return result;
  }
  bool ExpiredAt(int64_t now_ms) const { return has_expiry_ && expire_at_ms() <= now_ms; }
  // Whether use, or a stale time, counts for its expiry. Few entries have extras, and those alone
  // have room for them.
  bool has_extras() const { return has_extras_; }
  Expiry expiry() const {
    return has_extras_ ? Expiry(expire_at_ms(), stored_extras().extras) : Expiry(expire_at_ms());
  }
  // Whether the value was built by APPEND or SETRANGE (OBJECT ENCODING then says "raw").
  bool appended() const { return appended_; }
  // When, or how often, the entry was used: 24 bits that UseTracker gives their meaning.
  uint32_t use() const { return use_; }
  // Where that is the access clock: seconds since the last access, at a resolution of one second
  // (OBJECT IDLETIME). Wraps at 194 days.
  uint32_t IdleSeconds(int64_t now_ms) const { return (AccessClock(now_ms) - use_) & kClockMask; }
  // What the allocator holds for this entry (MEMORY USAGE).
  size_t memory_bytes() const {
    return AllocatedBytes(inline_bytes()) +
           (outside_ && !cold_ ? AllocatedBytes(sizeof(Buffer) + value_size_) : 0);
  }

  // Whether it is there only because its value may be served as stale.
  bool StaleAt(int64_t now_ms) const {
    if (!has_extras_) return false;
    const int64_t hard_at_ms = stored_extras().extras.hard_at_ms;
    return hard_at_ms != 0 && hard_at_ms <= now_ms;
  }

  // --- For owners. ---

  // Marks tell a walk which entries it has seen; see Keyspace.
  static constexpr unsigned kMarks = 8;

  // A new entry, accessed at 0 and with mark 0. Requires: sizes within the limits above.
  static Entry* Create(std::string_view key, std::string_view value, const Expiry& expiry);
  // The same with `value_bytes` bytes of inline value for the caller to fill; appended() holds.
  static Entry* CreateAppended(std::string_view key, size_t value_bytes, const Expiry& expiry);
  // The same key and value with another expiry; shares the buffer of a large value, or the location
  // of a cold one.
  static Entry* CloneWithExpiry(const Entry& other, const Expiry& expiry);
  // The same entry in all but where its value is: on disk, or, being `value`, in memory.
  static Entry* CloneCold(const Entry& other, const tier::ValueLocation& at);
  static Entry* CloneWarm(const Entry& other, std::string_view value);
  static void Destroy(Entry* entry);

  // Replaces value and expiry without moving the entry. False, with nothing changed, if what is to
  // be stored is not of the present allocation's size class, or if the entry is cold. `value` may
  // be a part of this entry.
  bool TryAssign(std::string_view value, const Expiry& expiry);
  // Makes the value `value_bytes` long, keeping what fits of it; the caller fills what is new.
  // False, with nothing changed, if the value is not inline or the allocation is not of the right
  // size class.
  bool TryResize(size_t value_bytes);
  // Requires: the value is inline, as after TryResize() or CreateAppended().
  char* mutable_value() { return payload(); }
  // Requires: cold().
  void Relocate(const tier::ValueLocation& at) { std::memcpy(payload(), &at, sizeof(at)); }
  // Whether an expiry takes the room that the present one has.
  bool HasRoomFor(const Expiry& expiry) const {
    return has_expiry_ == (expiry.at_ms != kNoExpiry) && has_extras_ == expiry.extras.any();
  }
  // Requires: HasRoomFor(expiry).
  void ChangeExpiry(const Expiry& expiry);
  // Leaves the extras as they are. Requires: has_expiry(), expire_at_ms != kNoExpiry.
  void ChangeMoment(int64_t expire_at_ms) {
    std::memcpy(bytes(), &expire_at_ms, sizeof(expire_at_ms));
  }

  // Until when whoever was asked to fetch a stale value anew may take; 0: nobody is asked. A change
  // of value or expiry makes it 0, another moment does not. Requires: has_extras().
  int64_t asked_until_ms() const { return stored_extras().asked_until_ms; }
  void set_asked_until_ms(int64_t moment_ms) {
    set_stored_extras({.extras = stored_extras().extras, .asked_until_ms = moment_ms});
  }

  // The access clock's reading at a wall time.
  static uint32_t AccessClock(int64_t now_ms) {
    return static_cast<uint32_t>(now_ms / 1000) & kClockMask;
  }
  void set_use(uint32_t use) { use_ = use & kClockMask; }
  unsigned mark() const { return mark_; }
  void set_mark(unsigned mark) { mark_ = mark; }

 private:
  static constexpr uint32_t kClockMask = (1u << 24) - 1;

  Entry() = default;
  ~Entry() = default;

  // What an entry with extras has after its payload: there it is in nobody's way, and the places of
  // key and value do not depend on it.
  struct StoredExtras {
    TtlExtras extras;
    int64_t asked_until_ms = 0;
  };

  static Entry* Allocate(std::string_view key, size_t payload_bytes, const Expiry& expiry);
  // What an entry keeps, wherever its value goes.
  void CopyTraits(const Entry& other);
  static constexpr size_t InlineBytes(size_t key_bytes, size_t payload_bytes, bool has_expiry,
                                      bool has_extras) {
    return sizeof(Entry) + (has_expiry ? sizeof(int64_t) : 0) + key_bytes + payload_bytes +
           (has_extras ? sizeof(StoredExtras) : 0);
  }
  // With a payload of this length, all else being as it is.
  size_t InlineBytesWith(size_t payload_bytes) const {
    return InlineBytes(key_size_, payload_bytes, has_expiry_, has_extras_);
  }

  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  size_t expiry_bytes() const { return has_expiry_ ? sizeof(int64_t) : 0; }
  // After the key: the value; or, if that is outside, a pointer to the buffer that holds it or its
  // location on disk.
  char* payload() { return bytes() + expiry_bytes() + key_size_; }
  const char* payload() const { return bytes() + expiry_bytes() + key_size_; }
  size_t payload_bytes() const { return outside_ ? pointer_bytes() : value_size_; }
  size_t pointer_bytes() const {
    return cold_ ? sizeof(tier::ValueLocation) : sizeof(const Buffer*);
  }
  size_t inline_bytes() const { return InlineBytesWith(payload_bytes()); }
  // Requires: has_extras_.
  StoredExtras stored_extras() const {
    StoredExtras result;
    std::memcpy(&result, payload() + payload_bytes(), sizeof(result));
    return result;
  }
  void set_stored_extras(const StoredExtras& extras) {
    std::memcpy(payload() + payload_bytes(), &extras, sizeof(extras));
  }
  // Requires: outside_.
  const Buffer* buffer() const {
    // Bytes of a location are no pointer: whoever asks a cold entry for its value has a bug that
    // would answer nonsense.
    CHECK(!cold_);
    const Buffer* result;
    std::memcpy(&result, payload(), sizeof(result));
    return result;
  }
  void set_buffer(const Buffer* buffer) { std::memcpy(payload(), &buffer, sizeof(buffer)); }

  uint32_t value_size_ = 0;
  uint32_t key_size_ : 30 = 0;
  uint32_t has_expiry_ : 1 = 0;
  uint32_t outside_ : 1 = 0;  // The payload tells where the value is.
  uint32_t use_ : 24 = 0;
  uint32_t mark_ : 3 = 0;
  uint32_t cold_ : 1 = 0;  // Only with outside_, so that a look at a value in memory costs no more.
  uint32_t type_ : 2 = 0;
  uint32_t has_extras_ : 1 = 0;  // Only with has_expiry_.
  uint32_t appended_ : 1 = 0;
};

static_assert(sizeof(Entry) == 12);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_ENTRY_H_
