// The rows of the commands on parts of strings.

#include "cache/commands/handlers.h"
#include "cache/commands/row_parts.h"

namespace tidemark::cache {
namespace {

constexpr ArgumentDoc kAppendArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "value", .type = "string"},
};

constexpr KeySpec kAppendKeys[] = {{KeySpec::kRw | KeySpec::kInsert, kFirstKey}};

constexpr KeySpec kReadKey[] = {{KeySpec::kRo, kFirstKey}};

constexpr ArgumentDoc kGetrangeArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "start", .type = "integer"},
    {.name = "end", .type = "integer"},
};

constexpr ArgumentDoc kSetrangeArguments[] = {
    {.name = "key", .type = "key"},
    {.name = "offset", .type = "integer"},
    {.name = "value", .type = "string"},
};

constexpr ArgumentDoc kLcsArguments[] = {
    {.name = "key1", .type = "key"},
    {.name = "key2", .type = "key"},
    {.name = "len", .type = "pure-token", .token = "LEN", .flags = ArgumentDoc::kOptional},
    {.name = "idx", .type = "pure-token", .token = "IDX", .flags = ArgumentDoc::kOptional},
    {.name = "len", .type = "integer", .token = "MINMATCHLEN", .flags = ArgumentDoc::kOptional},
    {.name = "withmatchlen",
     .type = "pure-token",
     .token = "WITHMATCHLEN",
     .flags = ArgumentDoc::kOptional},
};

constexpr KeySpec kLcsKeys[] = {{KeySpec::kRo | KeySpec::kAccess, {1, 2, 1}}};

constexpr CommandSpec kRows[] = {
    {.name = "append",
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .keys = kFirstKey,
     .handler = AppendCommand,
     .categories = "@write @string @fast",
     .since = "2.0.0",
     .group = "string",
     .complexity = "O(N) in the length of the new value",
     .summary = "Appends to a value, creating the key if there is none.",
     .arguments = kAppendArguments,
     .key_specs = kAppendKeys},
    {.name = "strlen",
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = kFirstKey,
     .handler = StrlenCommand,
     .categories = "@read @string @fast",
     .since = "2.2.0",
     .group = "string",
     .complexity = "O(1)",
     .summary = "Returns the length of a value in bytes.",
     .arguments = kKeyArgument,
     .key_specs = kReadKey},
    {.name = "getrange",
     .arity = 4,
     .flags = kReadOnly,
     .keys = kFirstKey,
     .handler = GetrangeCommand,
     .categories = "@read @string @slow",
     .since = "2.4.0",
     .group = "string",
     .complexity = "O(N) in the length of the part",
     .summary = "Returns a part of a value.",
     .arguments = kGetrangeArguments,
     .key_specs = kReadValue},
    {.name = "setrange",
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .keys = kFirstKey,
     .handler = SetrangeCommand,
     .categories = "@write @string @slow",
     .since = "2.2.0",
     .group = "string",
     .complexity = "O(N) in the length of the new value",
     .summary = "Overwrites a part of a value, extending it with zero bytes if it is too short.",
     .arguments = kSetrangeArguments,
     .key_specs = kUpdateKey},
    {.name = "substr",
     .arity = 4,
     .flags = kReadOnly,
     .keys = kFirstKey,
     .handler = GetrangeCommand,
     .categories = "@read @string @slow",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(N) in the length of the part",
     .summary = "Returns a part of a value.",
     .arguments = kGetrangeArguments,
     .key_specs = kReadValue,
     .deprecated_since = "2.0.0",
     .replaced_by = "GETRANGE"},
    {.name = "lcs",
     .arity = -3,
     .flags = kReadOnly,
     .keys = {1, 2, 1},
     .handler = LcsCommand,
     .scatter = Scatter::kCustom,
     .categories = "@read @string @slow",
     .since = "7.0.0",
     .group = "string",
     .complexity = "O(N*M) in the lengths of the two values",
     .summary = "Finds the longest common subsequence of two values.",
     .arguments = kLcsArguments,
     .key_specs = kLcsKeys},
};

}  // namespace

std::span<const CommandSpec> RangeRows() { return kRows; }

}  // namespace tidemark::cache
