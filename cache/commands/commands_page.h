// docs/commands.md, written from the command table.

#ifndef TIDEMARK_CACHE_COMMANDS_COMMANDS_PAGE_H_
#define TIDEMARK_CACHE_COMMANDS_COMMANDS_PAGE_H_

#include <string>

#include "cache/command.h"

namespace tidemark::cache {

// The command as one would type it: "GETEX key [EX seconds | PX milliseconds | PERSIST]".
std::string SyntaxOf(const CommandSpec& spec);

// The whole page, in Markdown.
std::string CommandsPage(const CommandTable& table);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_COMMANDS_PAGE_H_
