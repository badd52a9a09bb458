// Writes docs/commands.md into the workspace: bazel run //cache/commands:write_commands_page

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "cache/commands/command_docs.h"
#include "cache/commands/commands_page.h"

int main() {
  using tidemark::cache::CommandTable;
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (workspace == nullptr) {
    std::fputs("run this with `bazel run`, which says where the workspace is\n", stderr);
    return 64;
  }
  CommandTable table;
  table.Add(CommandTable::DataCommands());
  table.Add(tidemark::cache::CommandRows());
  std::ofstream file(std::string(workspace) + "/docs/commands.md");
  file << tidemark::cache::CommandsPage(table);
  file.close();
  return file ? 0 : 1;
}
