#include "server/server_command.h"

#include <vector>

#include "base/check.h"
#include "cache/commands/command_docs.h"

namespace tidemark::server {

ServerCommandTable::ServerCommandTable() {
  table_.Add(cache::CommandTable::DataCommands());
  table_.Add(cache::CommandRows());
  handlers_.assign(static_cast<size_t>(table_.size()), nullptr);
  SetHandlers(CommandHandlers());
  SetHandlers(MemoryHandlers());
  Add(ConnectionCommands());
  Add(ClientCommands());
  Add(ConfigCommands());
  Add(DebugCommands());
  Add(InfoCommands());
  Add(LatencyCommands());
  Add(PersistenceCommands());
  Add(SlowLogCommands());
  Add(ReplicationCommands());
  Add(RoleCommands());
}

void ServerCommandTable::Add(std::span<const ServerCommand> rows) {
  for (const ServerCommand& row : rows) {
    std::vector<cache::CommandSpec> subcommands;
    for (const ServerCommand& sub : row.subcommands) subcommands.push_back(sub.spec);
    cache::CommandSpec spec = row.spec;
    spec.subcommands = subcommands;
    table_.Add(std::span(&spec, 1));
    handlers_.resize(static_cast<size_t>(table_.size()), nullptr);

    const cache::CommandSpec* added = table_.Find(spec.name);
    CHECK(added != nullptr);
    handlers_[static_cast<size_t>(added->id)] = row.handler;
    for (size_t i = 0; i < row.subcommands.size(); ++i) {
      handlers_[static_cast<size_t>(added->subcommands[i].id)] = row.subcommands[i].handler;
    }
  }
}

void ServerCommandTable::SetHandlers(std::span<const NamedHandler> handlers) {
  for (int id = 0; id < table_.size(); ++id) {
    for (const NamedHandler& each : handlers) {
      if (table_.ById(id).name == each.name) handlers_[static_cast<size_t>(id)] = each.handler;
    }
  }
}

}  // namespace tidemark::server
