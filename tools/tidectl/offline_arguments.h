// The command line of those of tidectl's commands that work on a data directory.

#ifndef TIDEMARK_TOOLS_TIDECTL_OFFLINE_ARGUMENTS_H_
#define TIDEMARK_TOOLS_TIDECTL_OFFLINE_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "tools/tidectl/arguments.h"
#include "tools/tidectl/moment.h"

namespace tidemark::tidectl {

enum class OfflineCommand : uint8_t {
  kLogCheck,
  kLogDump,
  kLogRepair,
  kSnapshotCheck,
  kSnapshotDump,
  kRestore,
  kBackup,
};

struct OfflineArguments {
  OfflineCommand command = OfflineCommand::kLogCheck;
  std::string directory;  // kBackup: --data_dir. kSnapshot…: may be a snapshot's own.
  bool live = false;      // Take no lock: a node may be running.
  // kLogDump.
  uint64_t from_segment = 0;
  std::optional<ShardId> shard;
  Sequence after;
  bool keys_only = false;
  // kLogRepair: do it.
  bool yes = false;
  // kRestore, kBackup.
  Moment until;
  std::string into;
  Address node;
  std::string password;
  int64_t hold_s = 3600;  // kBackup: how long the node keeps its files at most.
};

// Whether the first word is one of these commands'.
bool IsOffline(std::span<const char* const> words);
// Without the program's name. InvalidArgument in one line.
absl::StatusOr<OfflineArguments> ParseOfflineArguments(std::span<const char* const> words);

std::string_view OfflineUsageText();

}  // namespace tidemark::tidectl

#endif  // TIDEMARK_TOOLS_TIDECTL_OFFLINE_ARGUMENTS_H_
