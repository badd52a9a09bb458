// Error texts that several commands share: Redis' own, since clients compare them.

#ifndef TIDEMARK_CACHE_COMMANDS_ERRORS_H_
#define TIDEMARK_CACHE_COMMANDS_ERRORS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tidemark::cache {

inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotAFloat = "ERR value is not a valid float";
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kValueTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
inline constexpr std::string_view kReadOnlyReplica =
    "READONLY You can't write against a read only replica.";
inline constexpr std::string_view kOutOfMemory =
    "OOM command not allowed when used memory > 'maxmemory'.";
inline constexpr std::string_view kNoSuchKey = "ERR no such key";

// The error of a command that needs a value which the disk has lost, or cannot give now. To
// overwrite or delete the key mends it.
std::string UnreadableValue(const absl::Status& why);

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_ERRORS_H_
