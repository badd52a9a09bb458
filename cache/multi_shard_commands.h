// How each command that spans shards is cut into parts and its answers are joined: Transaction does
// the rest.

#ifndef TIDEMARK_CACHE_MULTI_SHARD_COMMANDS_H_
#define TIDEMARK_CACHE_MULTI_SHARD_COMMANDS_H_

#include <cstdint>
#include <memory>

#include "cache/command.h"
#include "cache/multi_shard.h"
#include "cache/reply.h"

namespace tidemark::cache {

// The transaction that carries out `command` and answers into `slot` of `session`. Copies the
// arguments. Null if they are wrong: then the error is in `errors`. Requires a scatter other than
// kNone and kCursor.
std::unique_ptr<Transaction> MakeMultiShardCommand(SessionCore& session, uint64_t slot,
                                                   const CommandSpec& command, Args args,
                                                   ReplyBuilder& errors);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_MULTI_SHARD_COMMANDS_H_
