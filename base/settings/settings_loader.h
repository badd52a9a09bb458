// Reads a node's settings at startup. A later source overrides an earlier one:
//
//   the table's defaults < the TOML file of --config < the environment's TIDEMARK_NAME < flags

#ifndef TIDEMARK_BASE_SETTINGS_SETTINGS_LOADER_H_
#define TIDEMARK_BASE_SETTINGS_SETTINGS_LOADER_H_

#include <memory>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/settings/settings.h"

namespace tidemark {

// Exit status for bad flags or settings (EX_USAGE of BSD's sysexits.h).
inline constexpr int kExitUsage = 64;

// `arguments` without the program's name; `environment` as environ, entries "NAME=value".
//
// Null if --help is among the arguments: print HelpText() (settings_page.h) and leave.
// InvalidArgument otherwise names, in one line, the flag, variable or place in the file, what is
// wrong and what would be right.
absl::StatusOr<std::unique_ptr<Settings>> LoadSettings(NodeRole role,
                                                       std::span<const char* const> arguments,
                                                       std::span<const char* const> environment);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_SETTINGS_LOADER_H_
