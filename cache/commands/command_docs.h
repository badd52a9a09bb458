// COMMAND: what clients ask about commands, answered from a CommandTable.

#ifndef TIDEMARK_CACHE_COMMANDS_COMMAND_DOCS_H_
#define TIDEMARK_CACHE_COMMANDS_COMMAND_DOCS_H_

#include <span>

#include "cache/command.h"
#include "cache/reply.h"

namespace tidemark::cache {

// COMMAND's own row with its subcommands, without handlers: AnswerCommand runs them all, so whoever
// has the table (the server) adds this row to it and calls AnswerCommand.
std::span<const CommandSpec> CommandRows();

// Answers COMMAND and its subcommands: none, COUNT, LIST [FILTERBY ...], INFO, DOCS, GETKEYS,
// GETKEYSANDFLAGS, HELP. Requires that args[1], if there, names one of them, with its arity.
void AnswerCommand(const CommandTable& table, Args args, ReplyBuilder& reply);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_COMMAND_DOCS_H_
