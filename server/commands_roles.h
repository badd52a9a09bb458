// The subcommands of TIDE that are about roles and lineage; REPLICAOF, SLAVEOF and FAILOVER are
// rows of their own.

#ifndef TIDEMARK_SERVER_COMMANDS_ROLES_H_
#define TIDEMARK_SERVER_COMMANDS_ROLES_H_

#include "server/client.h"
#include "server/server_command.h"

namespace tidemark::server {

void TideHistory(Client& client, cache::Args args);
void TidePeer(Client& client, cache::Args args);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_COMMANDS_ROLES_H_
