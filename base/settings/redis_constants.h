// What Redis lets one configure and a Tidemark node does not: clients ask for these by name and go
// on with the answer (redis-benchmark for save and appendonly, libraries for maxmemory-policy).

#ifndef TIDEMARK_BASE_SETTINGS_REDIS_CONSTANTS_H_
#define TIDEMARK_BASE_SETTINGS_REDIS_CONSTANTS_H_

#include <span>
#include <string_view>

namespace tidemark {

// CONFIG GET answers it; CONFIG SET accepts its value and no other.
struct RedisConstant {
  std::string_view name;
  std::string_view value;
};

std::span<const RedisConstant> RedisConstants();

}  // namespace tidemark

#endif  // TIDEMARK_BASE_SETTINGS_REDIS_CONSTANTS_H_
