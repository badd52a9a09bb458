// The rows of COMMAND and its subcommands.

#include "cache/commands/command_docs.h"
#include "cache/commands/row_parts.h"

namespace tidemark::cache {
namespace {

constexpr ArgumentDoc kCommandListFilterbyArguments[] = {
    {.name = "module-name", .type = "string", .token = "MODULE"},
    {.name = "category", .type = "string", .token = "ACLCAT"},
    {.name = "pattern", .type = "pattern", .token = "PATTERN"},
};

constexpr ArgumentDoc kCommandListArgument[] = {
    {.name = "filterby",
     .type = "oneof",
     .token = "FILTERBY",
     .flags = ArgumentDoc::kOptional,
     .arguments = kCommandListFilterbyArguments},
};

constexpr ArgumentDoc kCommandInfoArgument[] = {
    {.name = "command-name",
     .type = "string",
     .flags = ArgumentDoc::kOptional | ArgumentDoc::kMultiple},
};

constexpr CommandSpec kCommandSubcommands[] = {
    {.name = "command|count",
     .arity = 2,
     .flags = kLoading | kStale,
     .categories = "@slow @connection",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Returns the number of commands."},
    {.name = "command|list",
     .arity = -2,
     .flags = kLoading | kStale,
     .categories = "@slow @connection",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N) in the number of commands",
     .summary = "Returns the names of commands.",
     .arguments = kCommandListArgument,
     .tips = "nondeterministic_output_order"},
    {.name = "command|info",
     .arity = -2,
     .flags = kLoading | kStale,
     .categories = "@slow @connection",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N) in the number of commands asked for",
     .summary = "Describes commands: arity, flags, keys.",
     .arguments = kCommandInfoArgument,
     .tips = "nondeterministic_output_order"},
    {.name = "command|docs",
     .arity = -2,
     .flags = kLoading | kStale,
     .categories = "@slow @connection",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N) in the number of commands asked for",
     .summary = "Documents commands and their arguments.",
     .arguments = kCommandInfoArgument,
     .tips = "nondeterministic_output_order"},
    {.name = "command|getkeys",
     .arity = -4,
     .flags = kLoading | kStale,
     .categories = "@slow @connection",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N) in the number of its arguments",
     .summary = "Returns the keys of a command that a client would send."},
    {.name = "command|getkeysandflags",
     .arity = -4,
     .flags = kLoading | kStale,
     .categories = "@slow @connection",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N) in the number of its arguments",
     .summary = "Returns the keys of a command and what it does to each."},
    {.name = "command|help",
     .arity = 2,
     .flags = kLoading | kStale,
     .categories = "@slow @connection",
     .since = "5.0.0",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Lists the subcommands."},
};

constexpr CommandSpec kRows[] = {
    {.name = "command",
     .arity = -1,
     .flags = kLoading | kStale,
     .categories = "@slow @connection",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N) in the number of commands",
     .summary = "Describes all commands.",
     .subcommands = kCommandSubcommands,
     .tips = "nondeterministic_output_order"},
};

}  // namespace

std::span<const CommandSpec> CommandRows() { return kRows; }

}  // namespace tidemark::cache
