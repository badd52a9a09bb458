// WAIT, WAITAOF and TIDE ACK: their rows are in commands_replication.cc.

#ifndef TIDEMARK_SERVER_COMMANDS_ACKS_H_
#define TIDEMARK_SERVER_COMMANDS_ACKS_H_

#include "cache/command.h"
#include "server/client.h"

namespace tidemark::server {

void Wait(Client& client, cache::Args args);
void WaitAof(Client& client, cache::Args args);
void TideAck(Client& client, cache::Args args);

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_COMMANDS_ACKS_H_
