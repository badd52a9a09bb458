#include "integration/harness/info.h"

#include <fmt/format.h>

#include <charconv>

namespace tidemark::integration {

std::string InfoField(RedisClient& client, std::string_view name) {
  const std::string info = client.Do({"INFO", "everything"}).text;
  const std::string start = fmt::format("\n{}:", name);
  const size_t at = info.find(start);
  if (at == std::string::npos) return "";
  const size_t begin = at + start.size();
  return info.substr(begin, info.find('\r', begin) - begin);
}

std::string InfoField(const Node& node, std::string_view name) {
  RedisClient client = node.Connect();
  return InfoField(client, name);
}

int64_t InfoNumber(RedisClient& client, std::string_view name) {
  const std::string field = InfoField(client, name);
  int64_t number = -1;
  std::from_chars(field.data(), field.data() + field.size(), number);
  return number;
}

int64_t InfoNumber(const Node& node, std::string_view name) {
  RedisClient client = node.Connect();
  return InfoNumber(client, name);
}

}  // namespace tidemark::integration
