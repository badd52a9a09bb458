#include "tools/record_json/record_json.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/strings/escaping.h"

namespace tidemark::tools {
namespace {

// Whether it is UTF-8 as JSON wants it: no overlong form, no surrogate, nothing above U+10FFFF.
bool IsUtf8(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<uint8_t>(bytes[i++]);
    if (lead < 0x80) continue;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4) return false;
    uint32_t point = lead & (0x3fu >> more);
    for (int k = 0; k < more; ++k, ++i) {
      if (i == bytes.size() || (static_cast<uint8_t>(bytes[i]) & 0xc0) != 0x80) return false;
      point = point << 6 | (static_cast<uint8_t>(bytes[i]) & 0x3f);
    }
    constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (point < kLeast[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      return false;
    }
  }
  return true;
}

void SetBytes(Json* json, const char* name, std::string_view bytes) {
  if (IsUtf8(bytes)) {
    (*json)[name] = std::string(bytes);
  } else {
    (*json)[std::string(name) + "_base64"] = absl::Base64Escape({bytes.data(), bytes.size()});
  }
}

void SetExpiry(const Expiry& expiry, Json* json) {
  if (expiry.at_ms != 0) (*json)["expire_at_ms"] = expiry.at_ms;
  const TtlExtras& extras = expiry.extras;
  if (extras.idle_ms != 0) (*json)["idle_ms"] = extras.idle_ms;
  if (extras.stale_ms != 0) (*json)["stale_ms"] = extras.stale_ms;
  if (extras.hard_at_ms != 0) (*json)["hard_at_ms"] = extras.hard_at_ms;
}

}  // namespace

std::string_view NameOf(RecordOp op) {
  switch (op) {
    case RecordOp::kSet:
      return "set";
    case RecordOp::kDelete:
      return "delete";
    case RecordOp::kExpire:
      return "expire";
    case RecordOp::kFlush:
      return "flush";
    case RecordOp::kTransaction:
      return "transaction";
    case RecordOp::kSetRange:
      return "set_range";
  }
  return "unknown";
}

void SetRecord(const Record& record, const RecordFields& fields, Json* json) {
  if (record.op == RecordOp::kTransaction) {
    (*json)["transaction"] = record.transaction_id;
    (*json)["records"] = record.transaction_records;
    Json& participants = (*json)["participants"] = Json::array();
    for (const ShardId shard : record.participants) participants.push_back(shard.value());
    return;
  }
  if (record.op == RecordOp::kFlush) return;
  SetBytes(json, "key", record.key);
  if (record.op == RecordOp::kSetRange) (*json)["offset"] = record.offset;
  if (fields.value && (record.op == RecordOp::kSet || record.op == RecordOp::kSetRange)) {
    SetBytes(json, "value", record.value);
  }
  SetExpiry(record.expiry, json);
  if ((record.flags & kRecordExpired) != 0 && record.op == RecordOp::kDelete) {
    (*json)["why"] = "expired";
  }
  if ((record.flags & kRecordEvicted) != 0 && record.op == RecordOp::kDelete) {
    (*json)["why"] = "evicted";
  }
}

}  // namespace tidemark::tools
