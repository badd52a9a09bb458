// A payload that reads without error is exactly what encoding its records again gives: there is one
// encoding. The first byte is the count of records, its top bit the kind.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/format/record.h"

namespace {

using namespace tidemark;

void EncodeAgain(const Record& record, std::string* out) {
  std::string bytes(RecordBytesBound(record.key.size(), record.value.size()) +
                        TransactionBytesBound(record.participants.size()),
                    '\0');
  char* p = bytes.data();
  char* end = nullptr;
  char* count_at = nullptr;
  switch (record.op) {
    case RecordOp::kSet:
      end = EncodeSet(p, record.key, record.value, record.expiry);
      break;
    case RecordOp::kDelete:
      end = EncodeDelete(p, record.key, record.flags);
      break;
    case RecordOp::kExpire:
      end = EncodeExpire(p, record.key, record.expiry);
      break;
    case RecordOp::kFlush:
      end = EncodeFlush(p);
      break;
    case RecordOp::kTransaction:
      end = EncodeTransaction(p, record.transaction_id, record.transaction_records,
                              record.participants, &count_at);
      break;
    case RecordOp::kSetRange:
      end = EncodeSetRange(p, record.key, record.offset, record.value);
      break;
  }
  out->append(p, end);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint32_t count = data[0] & 0x7f;
  const FrameKind kind = data[0] < 0x80 ? FrameKind::kMutations : FrameKind::kSnapshotChunk;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  RecordReader reader(kind, payload, count);
  Record record;
  std::string again;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&record);
    if (!more.ok()) return 0;
    if (!*more) break;
    EncodeAgain(record, &again);
  }
  CHECK(again == payload);
  return 0;
}
