// TIDE EXPORT: who follows the change feed, and giving up the place of one who will not come back.

#ifndef TIDEMARK_SERVER_COMMANDS_EXPORT_H_
#define TIDEMARK_SERVER_COMMANDS_EXPORT_H_

#include "server/client.h"
#include "server/server_command.h"

namespace tidemark::server {

void TideExport(Client& client, cache::Args args);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_COMMANDS_EXPORT_H_
