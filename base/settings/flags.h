// The command line, read as the table of settings says. The only place that knows the library which
// reads it.

#ifndef TIDEMARK_BASE_SETTINGS_FLAGS_H_
#define TIDEMARK_BASE_SETTINGS_FLAGS_H_

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/settings/setting_spec.h"

namespace tidemark {

struct Flags {
  bool help = false;                                   // --help was given.
  std::vector<std::pair<Setting, std::string>> given;  // In the order of the table.
};

// `arguments` without the program's name, each "--name=value" or "--name" "value". InvalidArgument
// for a flag that is unknown to `role`, given twice or without its value, and for anything that is
// not a flag.
absl::StatusOr<Flags> ParseFlags(NodeRole role, std::span<const char* const> arguments);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_FLAGS_H_
