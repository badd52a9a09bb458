// The replies in which COMMAND describes one command, in the shapes that clients know from Redis 7.

#ifndef TIDEMARK_CACHE_COMMANDS_COMMAND_REPLY_H_
#define TIDEMARK_CACHE_COMMANDS_COMMAND_REPLY_H_

#include "cache/command.h"
#include "cache/reply.h"

namespace tidemark::cache {

// COMMAND INFO: an array of ten.
void AnswerInfo(const CommandSpec& spec, ReplyBuilder& reply);

// COMMAND DOCS: a map of the documentation, without the name.
void AnswerDocs(const CommandSpec& spec, ReplyBuilder& reply);

// The names of KeySpec::flags, as a set.
void AnswerKeyFlags(uint32_t flags, ReplyBuilder& reply);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_COMMAND_REPLY_H_
