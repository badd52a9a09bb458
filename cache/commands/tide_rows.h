// The rows of TIDE's subcommands on data: what GET, SET and EXPIRE do, with options and answers
// that Redis does not have (docs/expiry.md). The server puts them among the other subcommands of
// TIDE.

#ifndef TIDEMARK_CACHE_COMMANDS_TIDE_ROWS_H_
#define TIDEMARK_CACHE_COMMANDS_TIDE_ROWS_H_

#include "cache/command.h"
#include "cache/commands/row_parts.h"

namespace tidemark::cache {

void TideExpireCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void TideGetCommand(CommandContext& context, Args args, ReplyBuilder& reply);
void TideSetCommand(CommandContext& context, Args args, ReplyBuilder& reply);

namespace tide_rows {

inline constexpr ArgumentDoc kTtlArguments[] = {
    {.name = "seconds", .type = "integer", .token = "EX"},
    {.name = "milliseconds", .type = "integer", .token = "PX"},
};
inline constexpr ArgumentDoc kExpirationArguments[] = {
    {.name = "seconds", .type = "integer", .token = "EX"},
    {.name = "milliseconds", .type = "integer", .token = "PX"},
    {.name = "unix-time-seconds", .type = "unix-time", .token = "EXAT"},
    {.name = "unix-time-milliseconds", .type = "unix-time", .token = "PXAT"},
    {.name = "keepttl", .type = "pure-token", .token = "KEEPTTL"},
};
inline constexpr ArgumentDoc kIdleArguments[] = {
    {.name = "seconds", .type = "integer", .token = "IDLE"},
    {.name = "milliseconds", .type = "integer", .token = "PIDLE"},
};
inline constexpr ArgumentDoc kStaleArguments[] = {
    {.name = "seconds", .type = "integer", .token = "STALE"},
    {.name = "milliseconds", .type = "integer", .token = "PSTALE"},
};
inline constexpr ArgumentDoc kSetConditionArguments[] = {
    {.name = "nx", .type = "pure-token", .token = "NX"},
    {.name = "xx", .type = "pure-token", .token = "XX"},
};
inline constexpr ArgumentDoc kExpireConditionArguments[] = {
    {.name = "nx", .type = "pure-token", .token = "NX"},
    {.name = "xx", .type = "pure-token", .token = "XX"},
    {.name = "gt", .type = "pure-token", .token = "GT"},
    {.name = "lt", .type = "pure-token", .token = "LT"},
};
inline constexpr ArgumentDoc kExpireArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "ttl", .type = "oneof", .flags = ArgumentDoc::kOptional, .arguments = kTtlArguments},
    {.name = "percent", .type = "integer", .token = "JITTER", .flags = ArgumentDoc::kOptional},
    {.name = "idle", .type = "oneof", .flags = ArgumentDoc::kOptional, .arguments = kIdleArguments},
    {.name = "stale",
     .type = "oneof",
     .flags = ArgumentDoc::kOptional,
     .arguments = kStaleArguments},
    {.name = "condition",
     .type = "oneof",
     .flags = ArgumentDoc::kOptional,
     .arguments = kExpireConditionArguments},
};
inline constexpr ArgumentDoc kSetArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "value", .type = "string"},
    {.name = "condition",
     .type = "oneof",
     .flags = ArgumentDoc::kOptional,
     .arguments = kSetConditionArguments},
    {.name = "get", .type = "pure-token", .token = "GET", .flags = ArgumentDoc::kOptional},
    {.name = "expiration",
     .type = "oneof",
     .flags = ArgumentDoc::kOptional,
     .arguments = kExpirationArguments},
    {.name = "percent", .type = "integer", .token = "JITTER", .flags = ArgumentDoc::kOptional},
    {.name = "idle", .type = "oneof", .flags = ArgumentDoc::kOptional, .arguments = kIdleArguments},
    {.name = "stale",
     .type = "oneof",
     .flags = ArgumentDoc::kOptional,
     .arguments = kStaleArguments},
};
inline constexpr ArgumentDoc kGetArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "milliseconds", .type = "integer", .token = "LEASE", .flags = ArgumentDoc::kOptional},
};
inline constexpr KeySpec kGetKeys[] = {{KeySpec::kRo | KeySpec::kAccess, kSecondKey}};
inline constexpr KeySpec kExpireKeys[] = {{KeySpec::kRw | KeySpec::kUpdate, kSecondKey}};
inline constexpr KeySpec kSetKeys[] = {
    {KeySpec::kRw | KeySpec::kAccess | KeySpec::kUpdate | KeySpec::kVariableFlags, kSecondKey}};

}  // namespace tide_rows

inline constexpr CommandSpec kTideExpireRow = {
    .name = "tide|expire",
    .arity = -5,
    .flags = kWrite | kFast,
    .keys = kSecondKey,
    .handler = TideExpireCommand,
    .categories = "@keyspace @write @fast",
    .since = "0.1.0",
    .group = "generic",
    .complexity = "O(1)",
    .summary = "EXPIRE with jitter, an idle time or a stale time.",
    .arguments = tide_rows::kExpireArguments,
    .key_specs = tide_rows::kExpireKeys};

inline constexpr CommandSpec kTideGetRow = {
    .name = "tide|get",
    .arity = -3,
    .flags = kReadOnly | kFast,
    .keys = kSecondKey,
    .handler = TideGetCommand,
    .categories = "@read @string @fast",
    .since = "0.1.0",
    .group = "string",
    .complexity = "O(1)",
    .summary = "GET that tells a stale value, and asks one caller to fetch it anew.",
    .arguments = tide_rows::kGetArguments,
    .key_specs = tide_rows::kGetKeys};

inline constexpr CommandSpec kTideSetRow = {
    .name = "tide|set",
    .arity = -4,
    .flags = kWrite | kDenyOom,
    .keys = kSecondKey,
    .handler = TideSetCommand,
    .categories = "@write @string @slow",
    .since = "0.1.0",
    .group = "string",
    .complexity = "O(1)",
    .summary = "SET with jitter, an idle time or a stale time.",
    .arguments = tide_rows::kSetArguments,
    .key_specs = tide_rows::kSetKeys};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_TIDE_ROWS_H_
