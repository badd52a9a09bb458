// The settings file: a flat TOML table, read at startup and changed in place by CONFIG REWRITE.

#ifndef TIDEMARK_BASE_SETTINGS_TOML_FILE_H_
#define TIDEMARK_BASE_SETTINGS_TOML_FILE_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidemark {

struct TomlEntry {
  std::string name;
  std::string
      value;     // From ReadTomlFile() as Settings::Set() takes it; for RewriteTomlFile() in TOML.
  int line = 0;  // From 1.
};

// The entries in the order of their lines. Errors name the file, and the line where there is one:
// NotFound or PermissionDenied for a file that cannot be read, InvalidArgument for one that is not
// TOML, or holds a table, list, date or fraction.
absl::StatusOr<std::vector<TomlEntry>> ReadTomlFile(const std::string& path);

// Gives the file's entries new values and appends those it does not have; comments, order and mode
// stay. The new file takes the place of the old one at once: a crash leaves the one or the other,
// whole.
absl::Status RewriteTomlFile(const std::string& path, std::span<const TomlEntry> entries);

// `text` as a TOML string, quoted.
std::string TomlString(std::string_view text);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_TOML_FILE_H_
