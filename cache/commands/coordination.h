// What a coordinator of a command that spans shards needs besides the handlers: arguments checked
// before any shard is asked, and the parts of a command that join several shards' answers.

#ifndef TIDEMARK_CACHE_COMMANDS_COORDINATION_H_
#define TIDEMARK_CACHE_COMMANDS_COORDINATION_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/command.h"
#include "cache/commands/errors.h"
#include "cache/reply.h"

namespace tidemark::cache {

// Whether what follows the name comes in pairs (MSET, MSETNX); if not, answers the error.
bool CheckPairs(const CommandSpec& spec, Args args, ReplyBuilder& reply);

struct CopyOptions {
  bool replace = false;  // REPLACE: overwrite the destination.
};
// Reads COPY's options and checks its keys. If they are wrong answers the error and returns
// nothing.
std::optional<CopyOptions> ParseCopy(Args args, ReplyBuilder& reply);

// Whether FLUSHALL's and FLUSHDB's argument is valid; if not, answers the error. ASYNC and SYNC
// mean the same here: a shard gives memory back in slices.
bool CheckFlush(Args args, ReplyBuilder& reply);

// Appends every live key that matches `pattern` (KEYS).
void CollectKeys(Keyspace& keyspace, std::string_view pattern, std::vector<std::string>& keys);

// RANDOMKEY on one shard: nothing if it found no live key.
std::optional<std::string> PickRandomKey(Keyspace& keyspace);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_COORDINATION_H_
