// The rows of the commands on strings.

#include "cache/commands/handlers.h"
#include "cache/commands/row_parts.h"

namespace tidemark::cache {
namespace {

constexpr ArgumentDoc kSetConditionArguments[] = {
    {.name = "nx", .type = "pure-token", .token = "NX"},
    {.name = "xx", .type = "pure-token", .token = "XX"},
};

constexpr ArgumentDoc kSetExpirationArguments[] = {
    {.name = "seconds", .type = "integer", .token = "EX", .since = "2.6.12"},
    {.name = "milliseconds", .type = "integer", .token = "PX", .since = "2.6.12"},
    {.name = "unix-time-seconds", .type = "unix-time", .token = "EXAT", .since = "6.2.0"},
    {.name = "unix-time-milliseconds", .type = "unix-time", .token = "PXAT", .since = "6.2.0"},
    {.name = "keepttl", .type = "pure-token", .token = "KEEPTTL", .since = "6.0.0"},
};

constexpr ArgumentDoc kSetArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "value", .type = "string"},
    {.name = "condition",
     .type = "oneof",
     .flags = ArgumentDoc::kOptional,
     .arguments = kSetConditionArguments,
     .since = "2.6.12"},
    {.name = "get",
     .type = "pure-token",
     .token = "GET",
     .flags = ArgumentDoc::kOptional,
     .since = "6.2.0"},
    {.name = "expiration",
     .type = "oneof",
     .flags = ArgumentDoc::kOptional,
     .arguments = kSetExpirationArguments},
};

constexpr KeySpec kSetKeys[] = {
    {KeySpec::kRw | KeySpec::kAccess | KeySpec::kUpdate | KeySpec::kVariableFlags, kFirstKey}};

constexpr ArgumentDoc kKeyValueArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "value", .type = "string"},
};

constexpr KeySpec kInsertValue[] = {{KeySpec::kOw | KeySpec::kInsert, kFirstKey}};

constexpr ArgumentDoc kSetexArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "seconds", .type = "integer"},
    {.name = "value", .type = "string"},
};

constexpr KeySpec kReplaceValue[] = {{KeySpec::kOw | KeySpec::kUpdate, kFirstKey}};

constexpr ArgumentDoc kPsetexArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "milliseconds", .type = "integer"},
    {.name = "value", .type = "string"},
};

constexpr KeySpec kUpdateValue[] = {
    {KeySpec::kRw | KeySpec::kAccess | KeySpec::kUpdate, kFirstKey}};

constexpr KeySpec kGetdelKeys[] = {{KeySpec::kRw | KeySpec::kAccess | KeySpec::kDelete, kFirstKey}};

constexpr ArgumentDoc kGetexExpirationArguments[] = {
    {.name = "seconds", .type = "integer", .token = "EX"},
    {.name = "milliseconds", .type = "integer", .token = "PX"},
    {.name = "unix-time-seconds", .type = "unix-time", .token = "EXAT"},
    {.name = "unix-time-milliseconds", .type = "unix-time", .token = "PXAT"},
    {.name = "persist", .type = "pure-token", .token = "PERSIST"},
};

constexpr ArgumentDoc kGetexArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "expiration",
     .type = "oneof",
     .flags = ArgumentDoc::kOptional,
     .arguments = kGetexExpirationArguments},
};

constexpr KeySpec kMgetKeys[] = {{KeySpec::kRo | KeySpec::kAccess, kAllKeys}};

constexpr ArgumentDoc kPairsArgument[] = {
    {.name = "key_value",
     .type = "block",
     .flags = ArgumentDoc::kMultiple,
     .arguments = kKeyValueArguments},
};

constexpr KeySpec kReplacePairs[] = {{KeySpec::kOw | KeySpec::kUpdate, kPairKeys}};

constexpr KeySpec kInsertPairs[] = {{KeySpec::kOw | KeySpec::kInsert, kPairKeys}};

constexpr ArgumentDoc kIncrbyArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "increment", .type = "integer"},
};

constexpr ArgumentDoc kDecrbyArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "decrement", .type = "integer"},
};

constexpr ArgumentDoc kIncrbyfloatArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "increment", .type = "double"},
};

constexpr CommandSpec kRows[] = {
    {.name = "get",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = kFirstKey,
     .handler = GetCommand,
     .categories = "@read @string @fast",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Returns the value of a key.",
     .arguments = kKeyArgument,
     .key_specs = kReadValue},
    {.name = "set",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .keys = kFirstKey,
     .handler = SetCommand,
     .categories = "@write @string @slow",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Sets the value of a key, and its expiry if asked.",
     .arguments = kSetArguments,
     .key_specs = kSetKeys},
    {.name = "setnx",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .keys = kFirstKey,
     .handler = SetnxCommand,
     .categories = "@write @string @fast",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Sets the value of a key unless the key exists.",
     .arguments = kKeyValueArguments,
     .key_specs = kInsertValue},
    {.name = "setex",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .keys = kFirstKey,
     .handler = SetexCommand,
     .categories = "@write @string @slow",
     .since = "2.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Sets the value of a key and its expiry in seconds.",
     .arguments = kSetexArguments,
     .key_specs = kReplaceValue},
    {.name = "psetex",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .keys = kFirstKey,
     .handler = PsetexCommand,
     .categories = "@write @string @slow",
     .since = "2.6.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Sets the value of a key and its expiry in milliseconds.",
     .arguments = kPsetexArguments,
     .key_specs = kReplaceValue},
    {.name = "getset",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .keys = kFirstKey,
     .handler = GetsetCommand,
     .categories = "@write @string @fast",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Sets the value of a key and returns the previous one.",
     .arguments = kKeyValueArguments,
     .key_specs = kUpdateValue,
     .deprecated_since = "6.2.0",
     .replaced_by = "SET with GET"},
    {.name = "getdel",
     .arity = 2,
     .flags = kWrite | kFast,
     .keys = kFirstKey,
     .handler = GetdelCommand,
     .categories = "@write @string @fast",
     .since = "6.2.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Returns the value of a key and deletes the key.",
     .arguments = kKeyArgument,
     .key_specs = kGetdelKeys},
    {.name = "getex",
     .arity = -2,
     .flags = kWrite | kFast,
     .keys = kFirstKey,
     .handler = GetexCommand,
     .categories = "@write @string @fast",
     .since = "6.2.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Returns the value of a key and changes or removes its expiry.",
     .arguments = kGetexArguments,
     .key_specs = kUpdateValue},
    {.name = "mget",
     .arity = -2,
     .flags = kReadOnly | kFast,
     .keys = kAllKeys,
     .handler = MgetCommand,
     .scatter = Scatter::kGather,
     .categories = "@read @string @fast",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(N) in the number of keys",
     .summary = "Returns the values of several keys, as of one moment.",
     .arguments = kKeysArgument,
     .key_specs = kMgetKeys,
     .tips = "request_policy:multi_shard"},
    {.name = "mset",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .keys = kPairKeys,
     .handler = MsetCommand,
     .scatter = Scatter::kPairs,
     .categories = "@write @string @slow",
     .since = "1.0.1",
     .group = "string",
     .complexity = "O(N) in the number of keys",
     .summary = "Sets the values of several keys at once.",
     .arguments = kPairsArgument,
     .key_specs = kReplacePairs,
     .tips = "request_policy:multi_shard response_policy:all_succeeded"},
    {.name = "msetnx",
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .keys = kPairKeys,
     .handler = MsetnxCommand,
     .scatter = Scatter::kCustom,
     .categories = "@write @string @slow",
     .since = "1.0.1",
     .group = "string",
     .complexity = "O(N) in the number of keys",
     .summary = "Sets the values of several keys at once, unless one of the keys exists.",
     .arguments = kPairsArgument,
     .key_specs = kInsertPairs,
     .tips = "request_policy:multi_shard response_policy:agg_min"},
    {.name = "incr",
     .arity = 2,
     .flags = kWrite | kDenyOom | kFast,
     .keys = kFirstKey,
     .handler = IncrCommand,
     .categories = "@write @string @fast",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Adds one to a value that is an integer; no key counts as 0.",
     .arguments = kKeyArgument,
     .key_specs = kUpdateValue},
    {.name = "decr",
     .arity = 2,
     .flags = kWrite | kDenyOom | kFast,
     .keys = kFirstKey,
     .handler = DecrCommand,
     .categories = "@write @string @fast",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Subtracts one from a value that is an integer; no key counts as 0.",
     .arguments = kKeyArgument,
     .key_specs = kUpdateValue},
    {.name = "incrby",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .keys = kFirstKey,
     .handler = IncrbyCommand,
     .categories = "@write @string @fast",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Adds to a value that is an integer; no key counts as 0.",
     .arguments = kIncrbyArguments,
     .key_specs = kUpdateValue},
    {.name = "decrby",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .keys = kFirstKey,
     .handler = DecrbyCommand,
     .categories = "@write @string @fast",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Subtracts from a value that is an integer; no key counts as 0.",
     .arguments = kDecrbyArguments,
     .key_specs = kUpdateValue},
    {.name = "incrbyfloat",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .keys = kFirstKey,
     .handler = IncrbyfloatCommand,
     .categories = "@write @string @fast",
     .since = "2.6.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Adds to a value that is a decimal number; no key counts as 0.",
     .arguments = kIncrbyfloatArguments,
     .key_specs = kUpdateValue},
};

}  // namespace

std::span<const CommandSpec> StringRows() { return kRows; }

}  // namespace tidemark::cache
