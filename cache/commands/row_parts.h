// Parts that many rows share. Internal.

#ifndef TIDEMARK_CACHE_COMMANDS_ROW_PARTS_H_
#define TIDEMARK_CACHE_COMMANDS_ROW_PARTS_H_

#include "cache/command.h"

namespace tidemark::cache {

// Where a command's keys are.
inline constexpr KeyRange kFirstKey = {1, 1, 1};
inline constexpr KeyRange kSecondKey = {2, 2, 1};  // After a subcommand.
inline constexpr KeyRange kAllKeys = {1, -1, 1};
inline constexpr KeyRange kPairKeys = {1, -1, 2};

// What happens to one key.
inline constexpr KeySpec kReadValue[] = {{KeySpec::kRo | KeySpec::kAccess, kFirstKey}};
inline constexpr KeySpec kUpdateKey[] = {{KeySpec::kRw | KeySpec::kUpdate, kFirstKey}};

inline constexpr ArgumentDoc kKeyArgument[] = {{.name = "key", .type = "key"}};
inline constexpr ArgumentDoc kKeysArgument[] = {
    {.name = "key", .type = "key", .flags = ArgumentDoc::kMultiple}};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_ROW_PARTS_H_
