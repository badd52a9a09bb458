#include "cache/commands/handlers.h"

namespace tidemark::cache {

std::span<const CommandSpec> CommandTable::DataCommands() {
  static const std::vector<CommandSpec> kRows = [] {
    std::vector<CommandSpec> rows;
    for (const auto part : {StringRows(), RangeRows(), KeyRows(), ExpiryRows(), KeyspaceRows()}) {
      rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
  }();
  return kRows;
}

}  // namespace tidemark::cache
