// The position that tideexport keeps in a file, as JSON:
//   {"history": "1122334455667788", "positions": [17, 4]}

#ifndef TIDEMARK_TOOLS_TIDEEXPORT_RESUME_FILE_H_
#define TIDEMARK_TOOLS_TIDEEXPORT_RESUME_FILE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/export/export_position.h"

namespace tidemark::tideexport {

// None: there is no such file. InvalidArgument: it holds something else.
absl::StatusOr<std::optional<wal::ExportPosition>> LoadPosition(const std::string& path);

// Replaces the file at once: a crash leaves the old position or the new.
absl::Status SavePosition(const std::string& path, const wal::ExportPosition& position);

}  // namespace tidemark::tideexport

#endif  // TIDEMARK_TOOLS_TIDEEXPORT_RESUME_FILE_H_
