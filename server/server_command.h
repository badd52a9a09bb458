// A command that the node runs itself, rather than the keyspace: connections, configuration,
// introspection, replication. Its row is a cache::CommandSpec without a handler; the handler here
// takes its place.

#ifndef TIDEMARK_SERVER_SERVER_COMMAND_H_
#define TIDEMARK_SERVER_SERVER_COMMAND_H_

#include <span>
#include <vector>

#include "cache/command.h"

namespace tidemark::server {

class Client;

// Answers exactly one reply on the client, now (Client::reply()) or later (Client::Defer and its
// kin).
using ServerHandler = void (*)(Client& client, cache::Args args);

struct ServerCommand {
  cache::CommandSpec spec;  // Its `subcommands` are not used: see below.
  ServerHandler handler = nullptr;
  std::span<const ServerCommand> subcommands = {};  // Of a container; names as "client|list".
};

// The handler of a row that another package wrote down.
struct NamedHandler {
  std::string_view name;
  ServerHandler handler;
};

// What the rows of one family have in common.
struct RowFamily {
  std::string_view categories;
  std::string_view group;
  uint32_t flags = 0;
};

constexpr ServerCommand Row(const RowFamily& family, std::string_view name, int arity,
                            ServerHandler handler, std::string_view since, std::string_view summary,
                            std::string_view complexity = "O(1)",
                            std::span<const cache::ArgumentDoc> arguments = {}) {
  return {.spec = {.name = name,
                   .arity = arity,
                   .flags = family.flags,
                   .categories = family.categories,
                   .since = since,
                   .group = family.group,
                   .complexity = complexity,
                   .summary = summary,
                   .arguments = arguments},
          .handler = handler};
}

// A command that is only the first word of its subcommands.
constexpr ServerCommand Container(const RowFamily& family, std::string_view name,
                                  std::string_view since, std::string_view summary,
                                  std::span<const ServerCommand> subcommands) {
  ServerCommand row = Row(family, name, -2, nullptr, since, summary, "Depends on the subcommand.");
  row.subcommands = subcommands;
  return row;
}

// `row` with hints for proxies and clients, as COMMAND shows them.
constexpr ServerCommand WithTips(ServerCommand row, std::string_view tips) {
  row.spec.tips = tips;
  return row;
}
inline constexpr std::string_view kChanges = "nondeterministic_output";
inline constexpr std::string_view kAllNodesMustSucceed =
    "request_policy:all_nodes response_policy:all_succeeded";
inline constexpr std::string_view kAllNodesDiffer =
    "nondeterministic_output request_policy:all_nodes response_policy:special";

// `row` with what took its place, and since when.
constexpr ServerCommand Deprecated(ServerCommand row, std::string_view since,
                                   std::string_view replaced_by) {
  row.spec.deprecated_since = since;
  row.spec.replaced_by = replaced_by;
  return row;
}

// The complexity of what answers many things.
inline constexpr std::string_view kByResults = "O(N) in what it answers";

// The rows, a file each.
std::span<const ServerCommand> ConnectionCommands();
std::span<const ServerCommand> ClientCommands();
std::span<const ServerCommand> ConfigCommands();
std::span<const ServerCommand> DebugCommands();
std::span<const ServerCommand> InfoCommands();
std::span<const ServerCommand> LatencyCommands();
std::span<const ServerCommand> PersistenceCommands();
std::span<const ServerCommand> SlowLogCommands();
std::span<const ServerCommand> ReplicationCommands();
std::span<const ServerCommand> RoleCommands();

// The handlers of rows that are written down elsewhere: COMMAND's and MEMORY's.
std::span<const NamedHandler> CommandHandlers();
std::span<const NamedHandler> MemoryHandlers();

// The whole table of a node and, by CommandSpec::id, the handlers of what the server runs itself.
class ServerCommandTable {
 public:
  ServerCommandTable();

  const cache::CommandTable& commands() const { return table_; }
  // Null for a data command.
  ServerHandler HandlerOf(const cache::CommandSpec& spec) const {
    return handlers_[static_cast<size_t>(spec.id)];
  }

 private:
  void Add(std::span<const ServerCommand> rows);
  void SetHandlers(std::span<const NamedHandler> handlers);

  cache::CommandTable table_;
  std::vector<ServerHandler> handlers_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_SERVER_COMMAND_H_
