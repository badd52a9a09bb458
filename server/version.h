// What the node says of its own make.

#ifndef TIDEMARK_SERVER_VERSION_H_
#define TIDEMARK_SERVER_VERSION_H_

#include <string_view>

namespace tidemark::server {

inline constexpr std::string_view kVersion = "0.1.0";
// The Redis whose commands and replies this node follows: clients choose features by it.
inline constexpr std::string_view kRedisVersion = "7.0.15";
inline constexpr std::string_view kAllocator = "jemalloc";

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_VERSION_H_
