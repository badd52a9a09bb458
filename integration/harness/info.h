// What INFO says of a node, a field at a time.

#ifndef TIDEMARK_INTEGRATION_HARNESS_INFO_H_
#define TIDEMARK_INTEGRATION_HARNESS_INFO_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "integration/harness/node.h"
#include "integration/harness/redis_client.h"

namespace tidemark::integration {

// Of all sections; empty if there is no such field.
std::string InfoField(RedisClient& client, std::string_view name);
std::string InfoField(const Node& node, std::string_view name);

// -1: there is no such field, or it is no number.
int64_t InfoNumber(RedisClient& client, std::string_view name);
int64_t InfoNumber(const Node& node, std::string_view name);

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_INFO_H_
