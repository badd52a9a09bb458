// The answer of a container's HELP: an introduction, the given lines, and HELP itself.

#ifndef TIDEMARK_SERVER_HELP_H_
#define TIDEMARK_SERVER_HELP_H_

#include <span>
#include <string>
#include <string_view>

#include "cache/reply.h"

namespace tidemark::server {

inline void AnswerHelp(std::string_view container, std::span<const std::string_view> lines,
                       cache::ReplyBuilder& reply) {
  reply.ArrayHeader(lines.size() + 3);
  reply.Status(std::string(container) +
               " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (std::string_view line : lines) reply.Status(line);
  reply.Status("HELP");
  reply.Status("    Prints this help.");
}

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_HELP_H_
