// Writes docs/commands.md into the workspace: bazel run //server:write_commands_page

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "cache/commands/commands_page.h"
#include "server/server_command.h"

int main() {
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (workspace == nullptr) {
    std::fputs("run this with `bazel run`, which says where the workspace is\n", stderr);
    return 64;
  }
  const tidemark::server::ServerCommandTable table;
  std::ofstream file(std::string(workspace) + "/docs/commands.md");
  file << tidemark::cache::CommandsPage(table.commands());
  file.close();
  return file ? 0 : 1;
}
