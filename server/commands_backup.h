// TIDE BACKUP, for tidectl backup: holds the data directory's files while they are copied.

#ifndef TIDEMARK_SERVER_COMMANDS_BACKUP_H_
#define TIDEMARK_SERVER_COMMANDS_BACKUP_H_

#include "server/client.h"
#include "server/server_command.h"

namespace tidemark::server {

void TideBackup(Client& client, cache::Args args);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_COMMANDS_BACKUP_H_
