// Records: one encoded mutation, or one entry of a snapshot. Layout: docs/formats/frame.md,
// "Records".
//
// The Encode functions write at a pointer that has room for RecordBytesBound() and return the end.
// RecordReader takes a frame's payload apart and trusts nothing in it.

#ifndef TIDEMARK_BASE_FORMAT_RECORD_H_
#define TIDEMARK_BASE_FORMAT_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/expiry.h"
#include "base/format/coding.h"
#include "base/format/frame.h"
#include "base/ids.h"

namespace tidemark {

enum class RecordOp : uint8_t {
  kSet = 1,
  kDelete = 2,
  kExpire = 3,
  kFlush = 4,
  kTransaction = 5,  // The next `transaction_records` records are one atomic change.
  kSetRange = 6,
};

// Bits of a record's flags. A bit that its op does not know is an error.
inline constexpr uint8_t kRecordHasExpiry = 1;  // Set, Expire. Expire without it: persist.
inline constexpr uint8_t kRecordExpired = 2;    // Delete: because the key's time was up.
inline constexpr uint8_t kRecordEvicted = 4;    // Delete: to make room.
inline constexpr uint8_t kRecordHasExtras = 8;  // Set, Expire; only with kRecordHasExpiry.

inline constexpr size_t kMaxKeyBytes = size_t{512} << 20;
inline constexpr size_t kMaxValueBytes = size_t{512} << 20;  // Also where a SetRange may end.

inline constexpr size_t kMaxExtrasBytes = 3 * kMaxVarint64Bytes;

// At least what any record with this key and value takes, a transaction marker apart.
constexpr size_t RecordBytesBound(size_t key_bytes, size_t value_bytes) {
  return 2 + kMaxVarint32Bytes + kMaxVarint64Bytes + kMaxVarint32Bytes + kMaxExtrasBytes +
         key_bytes + value_bytes;
}
constexpr size_t TransactionBytesBound(size_t participants) {
  return 2 + kMaxVarint64Bytes + 2 * kMaxVarint32Bytes + participants * 3;
}

namespace internal {

inline char* StoreBytes(char* p, std::string_view bytes) {
  std::memcpy(p, bytes.data(), bytes.size());
  return p + bytes.size();
}

inline char* StoreOp(char* p, RecordOp op, uint8_t flags) {
  *p++ = static_cast<char>(op);
  *p++ = static_cast<char>(flags);
  return p;
}

inline uint8_t ExpiryFlags(const Expiry& expiry) {
  if (expiry.at_ms == 0) return 0;
  return expiry.extras.any() ? kRecordHasExpiry | kRecordHasExtras : kRecordHasExpiry;
}

inline char* StoreExpiry(char* p, const Expiry& expiry) {
  if (expiry.at_ms == 0) return p;
  p = StoreFixed(p, static_cast<uint64_t>(expiry.at_ms));
  if (!expiry.extras.any()) return p;
  p = StoreVarint(p, static_cast<uint64_t>(expiry.extras.idle_ms));
  p = StoreVarint(p, static_cast<uint64_t>(expiry.extras.stale_ms));
  return StoreVarint(p, static_cast<uint64_t>(expiry.extras.hard_at_ms));
}

}  // namespace internal

// Requires, as EncodeExpire does: expiry.IsSound().
inline char* EncodeSet(char* p, std::string_view key, std::string_view value,
                       const Expiry& expiry) {
  p = internal::StoreOp(p, RecordOp::kSet, internal::ExpiryFlags(expiry));
  p = StoreVarint(p, key.size());
  p = StoreVarint(p, value.size());
  p = internal::StoreExpiry(p, expiry);
  return internal::StoreBytes(internal::StoreBytes(p, key), value);
}

// `flags`: 0, kRecordExpired or kRecordEvicted.
inline char* EncodeDelete(char* p, std::string_view key, uint8_t flags) {
  p = internal::StoreOp(p, RecordOp::kDelete, flags);
  return internal::StoreBytes(StoreVarint(p, key.size()), key);
}

// An expiry of 0 removes the present one.
inline char* EncodeExpire(char* p, std::string_view key, const Expiry& expiry) {
  p = internal::StoreOp(p, RecordOp::kExpire, internal::ExpiryFlags(expiry));
  p = StoreVarint(p, key.size());
  p = internal::StoreExpiry(p, expiry);
  return internal::StoreBytes(p, key);
}

inline char* EncodeSetRange(char* p, std::string_view key, uint64_t offset,
                            std::string_view bytes) {
  p = internal::StoreOp(p, RecordOp::kSetRange, 0);
  p = StoreVarint(p, key.size());
  p = StoreVarint(p, offset);
  p = StoreVarint(p, bytes.size());
  return internal::StoreBytes(internal::StoreBytes(p, key), bytes);
}

inline char* EncodeFlush(char* p) { return internal::StoreOp(p, RecordOp::kFlush, 0); }

// `participants` ascend. Sets *count_at to where the varint of `records` begins.
char* EncodeTransaction(char* p, uint64_t id, uint32_t records,
                        std::span<const ShardId> participants, char** count_at);

// One record as read. The views point into the payload.
struct Record {
  RecordOp op = RecordOp::kSet;
  uint8_t flags = 0;
  std::string_view key;
  std::string_view value;  // Set: the value. SetRange: the bytes.
  Expiry expiry;           // Set, Expire.
  uint64_t offset = 0;     // SetRange.

  // Transaction.
  uint64_t transaction_id = 0;
  uint32_t transaction_records = 0;
  std::vector<ShardId> participants;  // Ascending.
};

// Reads the records of one payload in order, checking that they are what the header promised:
// exactly `record_count` of them, nothing after, no transaction that is cut or nested, and in a
// snapshot chunk nothing but Set.
class RecordReader {
 public:
  // `frame` outlives the reader and the records read, and is not compressed.
  explicit RecordReader(const Frame& frame);
  RecordReader(FrameKind kind, std::string_view payload, uint32_t record_count);

  // True: *record is the next one (reuse one Record for all). False: the end.
  // DataLoss: damaged, with the offset in the payload; every later call repeats it.
  absl::StatusOr<bool> Next(Record* record);
  // Where in the payload the next record begins.
  size_t offset() const { return static_cast<size_t>(next_ - begin_); }

 private:
  absl::StatusOr<bool> Fail(const char* at, std::string_view problem);
  // The rest of a record after op and flags. Null: damaged, and *problem says how.
  const char* ReadBody(const char* p, Record* record, std::string_view* problem) const;
  const char* ReadExpiry(const char* p, Record* record, std::string_view* problem) const;
  const char* ReadTransaction(const char* p, Record* record, std::string_view* problem) const;

  const FrameKind kind_;
  const char* const begin_;
  const char* const end_;
  const char* next_;
  uint32_t records_left_;
  uint32_t transaction_left_ = 0;  // Records that still belong to the marker read last.
  absl::Status failure_;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_FORMAT_RECORD_H_
