// A record of a frame as the fields of a JSON object, the same in every tool that prints records.
//
// Keys and values are bytes: one that is not UTF-8 comes as "key_base64" or "value_base64".

#ifndef TIDEMARK_TOOLS_RECORD_JSON_RECORD_JSON_H_
#define TIDEMARK_TOOLS_RECORD_JSON_RECORD_JSON_H_

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/format/record.h"

namespace tidemark::tools {

using Json = nlohmann::ordered_json;

std::string_view NameOf(RecordOp op);

struct RecordFields {
  bool value = true;
};
// Adds key, value, offset, expire_at_ms, idle_ms, stale_ms, hard_at_ms and why, as far as there; or
// a transaction's id, records and participants.
void SetRecord(const Record& record, const RecordFields& fields, Json* json);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_RECORD_JSON_RECORD_JSON_H_
