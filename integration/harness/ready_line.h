// The one line that a node prints on stdout when it serves (README, "Running it").

#ifndef TIDEMARK_INTEGRATION_HARNESS_READY_LINE_H_
#define TIDEMARK_INTEGRATION_HARNESS_READY_LINE_H_

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>

namespace tidemark::integration {

struct ReadyLine {
  std::string role;
  int port = 0;
  std::optional<int> replication_port;  // Only of a node that opened one.
  std::optional<int> export_port;       // Likewise.
  int shards = 0;
  int pid = 0;
};

// Reads `tidemark ready role=R port=P [replication_port=P] [export_port=P] shards=N pid=N`, without
// the newline, in exactly this form. InvalidArgument, with the line, for any other.
absl::StatusOr<ReadyLine> ParseReadyLine(std::string_view line);

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_READY_LINE_H_
