// TIDE TOKEN, WAIT, TRACK and STALENESS: docs/freshness.md.

#ifndef TIDEMARK_SERVER_COMMANDS_FRESHNESS_H_
#define TIDEMARK_SERVER_COMMANDS_FRESHNESS_H_

#include "server/client.h"
#include "server/server_command.h"

namespace tidemark::server {

void TideToken(Client& client, cache::Args args);
void TideWait(Client& client, cache::Args args);
void TideTrack(Client& client, cache::Args args);
void TideStaleness(Client& client, cache::Args args);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_COMMANDS_FRESHNESS_H_
