// What tideexport keeps in its resume file, as JSON:
//   {"history": "1122334455667788", "positions": [17, 4], "output_bytes": 9000}
// Without a position yet, the first two are missing; without an output file, the last.

#ifndef TIDEMARK_TOOLS_TIDEEXPORT_RESUME_FILE_H_
#define TIDEMARK_TOOLS_TIDEEXPORT_RESUME_FILE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wal/export/export_position.h"

namespace tidemark::tideexport {

struct Checkpoint {
  std::optional<wal::ExportPosition> position;
  // How much of the output file belongs to the position: what is behind it will come again.
  std::optional<uint64_t> output_bytes;
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// None: there is no such file. InvalidArgument: it holds something else.
absl::StatusOr<std::optional<Checkpoint>> LoadCheckpoint(const std::string& path);

// Replaces the file at once and for good: a crash leaves the old checkpoint or the new one, and
// after an OK the new one.
absl::Status SaveCheckpoint(const std::string& path, const Checkpoint& checkpoint);

}  // namespace tidemark::tideexport

#endif  // TIDEMARK_TOOLS_TIDEEXPORT_RESUME_FILE_H_
