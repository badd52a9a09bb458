// Changes as JSON, one object a line.
//
// Keys and values are bytes: one that is not UTF-8 comes as "key_base64" or "value_base64".

#ifndef TIDEMARK_TOOLS_TIDEEXPORT_CHANGE_JSON_H_
#define TIDEMARK_TOOLS_TIDEEXPORT_CHANGE_JSON_H_

#include <string>

#include "absl/status/status.h"
#include "wal/export/export_consumer.h"

namespace tidemark::tideexport {

// Appends the lines of what an event brings; of most events nothing. DataLoss: a frame's records
// are damaged; nothing was appended then.
absl::Status AppendJson(const wal::ExportEvent& event, std::string* lines);

}  // namespace tidemark::tideexport

#endif  // TIDEMARK_TOOLS_TIDEEXPORT_CHANGE_JSON_H_
