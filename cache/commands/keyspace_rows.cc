// The rows of the commands on all keys at once.

#include "cache/commands/handlers.h"
#include "cache/commands/row_parts.h"

namespace tidemark::cache {
namespace {

constexpr ArgumentDoc kKeysArgument[] = {
    {.name = "pattern", .type = "pattern"},
};

constexpr ArgumentDoc kScanArguments[] = {
    {.name = "cursor", .type = "integer"},
    {.name = "pattern", .type = "pattern", .token = "MATCH", .flags = ArgumentDoc::kOptional},
    {.name = "count", .type = "integer", .token = "COUNT", .flags = ArgumentDoc::kOptional},
    {.name = "type",
     .type = "string",
     .token = "TYPE",
     .flags = ArgumentDoc::kOptional,
     .since = "6.0.0"},
};

constexpr ArgumentDoc kFlushModeArguments[] = {
    {.name = "async", .type = "pure-token", .token = "ASYNC", .since = "4.0.0"},
    {.name = "sync", .type = "pure-token", .token = "SYNC", .since = "6.2.0"},
};

constexpr ArgumentDoc kFlushArgument[] = {
    {.name = "async",
     .type = "oneof",
     .flags = ArgumentDoc::kOptional,
     .arguments = kFlushModeArguments},
};

constexpr CommandSpec kRows[] = {
    {.name = "keys",
     .arity = 2,
     .flags = kReadOnly,
     .handler = KeysCommand,
     .scatter = Scatter::kAllShards,
     .categories = "@keyspace @read @slow @dangerous",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(N) in the number of all keys",
     .summary = "Returns all keys that match a pattern.",
     .arguments = kKeysArgument,
     .tips = "request_policy:all_shards nondeterministic_output_order"},
    {.name = "scan",
     .arity = -2,
     .flags = kReadOnly,
     .handler = ScanCommand,
     .scatter = Scatter::kCursor,
     .categories = "@keyspace @read @slow",
     .since = "2.8.0",
     .group = "generic",
     .complexity = "O(1) a call, O(N) in the number of all keys for a whole scan",
     .summary = "Returns the keys a few at a time; the reply's cursor continues the scan.",
     .arguments = kScanArguments,
     .tips = "nondeterministic_output request_policy:special"},
    {.name = "randomkey",
     .arity = 1,
     .flags = kReadOnly,
     .handler = RandomkeyCommand,
     .scatter = Scatter::kAllShards,
     .categories = "@keyspace @read @slow",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(1)",
     .summary = "Returns a random key.",
     .tips = "request_policy:all_shards nondeterministic_output"},
    {.name = "dbsize",
     .arity = 1,
     .flags = kReadOnly | kFast,
     .handler = DbsizeCommand,
     .scatter = Scatter::kAllShards,
     .categories = "@keyspace @read @fast",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)",
     .summary = "Returns the number of keys.",
     .tips = "request_policy:all_shards response_policy:agg_sum"},
    {.name = "flushdb",
     .arity = -1,
     .flags = kWrite,
     .handler = FlushCommand,
     .scatter = Scatter::kAllShards,
     .categories = "@keyspace @write @slow @dangerous",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1), then O(N) in the background",
     .summary = "Deletes all keys; the same as FLUSHALL, as there is one database.",
     .arguments = kFlushArgument,
     .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "flushall",
     .arity = -1,
     .flags = kWrite,
     .handler = FlushCommand,
     .scatter = Scatter::kAllShards,
     .categories = "@keyspace @write @slow @dangerous",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1), then O(N) in the background",
     .summary = "Deletes all keys.",
     .arguments = kFlushArgument,
     .tips = "request_policy:all_shards response_policy:all_succeeded"},
};

}  // namespace

std::span<const CommandSpec> KeyspaceRows() { return kRows; }

}  // namespace tidemark::cache
