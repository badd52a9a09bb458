#include "base/format/record.h"

#include <fmt/format.h>

#include <limits>

namespace tidemark {
namespace {

constexpr std::string_view kLengths = "a length that is cut, padded or above its limit";

// A number that is a time or a moment. Null: none is there.
const char* LoadMs(const char* p, const char* end, int64_t* ms) {
  uint64_t number = 0;
  p = LoadVarint(p, end, std::numeric_limits<int64_t>::max(), &number);
  *ms = static_cast<int64_t>(number);
  return p;
}

// The moment and, if `flags` say so, the extras. Null: they are cut, or such as no writer writes.
const char* LoadExpiry(const char* p, const char* end, uint8_t flags, Expiry* expiry) {
  if (end - p < 8) return nullptr;
  expiry->at_ms = static_cast<int64_t>(LoadFixed<uint64_t>(p));
  if (expiry->at_ms <= 0) return nullptr;
  p += 8;
  if ((flags & kRecordHasExtras) == 0) return p;
  TtlExtras& extras = expiry->extras;
  p = LoadMs(p, end, &extras.idle_ms);
  if (p != nullptr) p = LoadMs(p, end, &extras.stale_ms);
  if (p != nullptr) p = LoadMs(p, end, &extras.hard_at_ms);
  return p != nullptr && extras.any() && expiry->IsSound() ? p : nullptr;
}

// Null: fewer than `size` bytes are left.
const char* TakeBytes(const char* p, const char* end, uint64_t size, std::string_view* bytes) {
  if (static_cast<uint64_t>(end - p) < size) return nullptr;
  *bytes = {p, static_cast<size_t>(size)};
  return p + size;
}

// The flags that `op` knows; -1: no such op.
int KnownFlags(uint8_t op) {
  switch (static_cast<RecordOp>(op)) {
    case RecordOp::kSet:
    case RecordOp::kExpire:
      return kRecordHasExpiry | kRecordHasExtras;
    case RecordOp::kDelete:
      return kRecordExpired | kRecordEvicted;
    case RecordOp::kFlush:
    case RecordOp::kTransaction:
    case RecordOp::kSetRange:
      return 0;
  }
  return -1;
}

}  // namespace

char* EncodeTransaction(char* p, uint64_t id, uint32_t records,
                        std::span<const ShardId> participants, char** count_at) {
  p = StoreVarint(internal::StoreOp(p, RecordOp::kTransaction, 0), id);
  *count_at = p;
  p = StoreVarint(p, records);
  p = StoreVarint(p, participants.size());
  for (const ShardId shard : participants) p = StoreVarint(p, shard.value());
  return p;
}

RecordReader::RecordReader(const Frame& frame)
    : RecordReader(frame.kind(), frame.payload(), frame.record_count()) {}

RecordReader::RecordReader(FrameKind kind, std::string_view payload, uint32_t record_count)
    : kind_(kind),
      begin_(payload.data()),
      end_(payload.data() + payload.size()),
      next_(begin_),
      records_left_(record_count) {}

absl::StatusOr<bool> RecordReader::Fail(const char* at, std::string_view problem) {
  failure_ = absl::DataLossError(
      fmt::format("byte {} of a payload of {}: {}", at - begin_, end_ - begin_, problem));
  return failure_;
}

absl::StatusOr<bool> RecordReader::Next(Record* record) {
  if (!failure_.ok()) return failure_;
  if (records_left_ == 0) {
    if (next_ != end_) return Fail(next_, "bytes after the last record");
    return false;
  }
  if (end_ - next_ < 2) return Fail(next_, "fewer records than the header says");
  const char* p = next_;
  const auto op = static_cast<uint8_t>(*p++);
  const auto flags = static_cast<uint8_t>(*p++);
  const int known = KnownFlags(op);
  if (known < 0) return Fail(next_, fmt::format("unknown record op {}", op));
  if ((flags & ~known) != 0) {
    return Fail(next_ + 1, fmt::format("unknown flags {:#x} for record op {}", flags, op));
  }
  record->op = static_cast<RecordOp>(op);
  record->flags = flags;
  if (kind_ == FrameKind::kSnapshotChunk && record->op != RecordOp::kSet) {
    return Fail(next_, fmt::format("record op {} in a snapshot chunk", op));
  }
  std::string_view problem = kLengths;
  p = ReadBody(p, record, &problem);
  if (p == nullptr) return Fail(next_, fmt::format("record op {}: {}", op, problem));
  --records_left_;
  if (record->op == RecordOp::kTransaction) {
    if (transaction_left_ != 0) return Fail(next_, "a transaction within a transaction");
    if (record->transaction_records > records_left_) {
      return Fail(next_, "a transaction that its frame cuts");
    }
    transaction_left_ = record->transaction_records;
  } else if (transaction_left_ != 0) {
    --transaction_left_;
  }
  next_ = p;
  return true;
}

const char* RecordReader::ReadBody(const char* p, Record* record, std::string_view* problem) const {
  record->key = record->value = {};
  record->expiry = Expiry();
  record->offset = 0;
  if (record->op == RecordOp::kFlush) return p;
  if (record->op == RecordOp::kTransaction) return ReadTransaction(p, record, problem);

  uint64_t key_bytes = 0, value_bytes = 0;
  p = LoadVarint(p, end_, kMaxKeyBytes, &key_bytes);
  if (p == nullptr) return nullptr;
  if (record->op == RecordOp::kSetRange) {
    p = LoadVarint(p, end_, kMaxValueBytes, &record->offset);
    if (p == nullptr) return nullptr;
  }
  if (record->op == RecordOp::kSet || record->op == RecordOp::kSetRange) {
    p = LoadVarint(p, end_, kMaxValueBytes - record->offset, &value_bytes);
    if (p == nullptr) return nullptr;
  }
  if (record->op == RecordOp::kDelete && record->flags == (kRecordExpired | kRecordEvicted)) {
    *problem = "two causes";
    return nullptr;
  }
  if (record->op != RecordOp::kDelete && record->flags != 0) {
    p = ReadExpiry(p, record, problem);
    if (p == nullptr) return nullptr;
  }
  *problem = "a key or value that is cut";
  p = TakeBytes(p, end_, key_bytes, &record->key);
  return p == nullptr ? nullptr : TakeBytes(p, end_, value_bytes, &record->value);
}

const char* RecordReader::ReadExpiry(const char* p, Record* record,
                                     std::string_view* problem) const {
  if ((record->flags & kRecordHasExpiry) == 0) {
    *problem = "extras of no expiry";
    return nullptr;
  }
  p = LoadExpiry(p, end_, record->flags, &record->expiry);
  if (p != nullptr) return p;
  const bool extras = (record->flags & kRecordHasExtras) != 0;
  *problem = extras ? "an expiry that is cut, or whose parts contradict each other"
                    : "an expiry that is cut, or not after 1970";
  return nullptr;
}

const char* RecordReader::ReadTransaction(const char* p, Record* record,
                                          std::string_view* problem) const {
  record->participants.clear();
  uint64_t records = 0, participants = 0;
  p = LoadVarint(p, end_, std::numeric_limits<uint64_t>::max(), &record->transaction_id);
  if (p != nullptr) p = LoadVarint(p, end_, std::numeric_limits<uint32_t>::max(), &records);
  if (p != nullptr) p = LoadVarint(p, end_, kMaxShards, &participants);
  if (p == nullptr) return nullptr;
  record->transaction_records = static_cast<uint32_t>(records);
  if (participants == 0) {
    *problem = "a transaction without participants";
    return nullptr;
  }
  *problem = "participants that are cut, do not ascend, or are above the limit";
  for (uint64_t i = 0; i < participants; ++i) {
    uint64_t shard = 0;
    p = LoadVarint(p, end_, kMaxShards - 1, &shard);
    if (p == nullptr) return nullptr;
    if (i > 0 && shard <= record->participants.back().value()) return nullptr;
    record->participants.push_back(ShardId(static_cast<uint16_t>(shard)));
  }
  return p;
}

}  // namespace tidemark
