// A real redis-server, to ask what it would answer. It runs as a child process on a socket in a
// folder of its own, without persistence, and ends with this object.

#ifndef TIDEMARK_CACHE_COMMANDS_REDIS_ORACLE_H_
#define TIDEMARK_CACHE_COMMANDS_REDIS_ORACLE_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "cache/commands/split_line.h"

struct redisContext;

namespace tidemark::cache {

class RedisOracle {
 public:
  // Null if there is no redis-server of version 7.0 on this machine, or it does not start.
  static std::unique_ptr<RedisOracle> Start();
  ~RedisOracle();

  // The reply as RecordedReply writes it for RESP2.
  std::string Ask(const Words& command);

 private:
  RedisOracle(pid_t pid, std::string folder, int log) : pid_(pid), folder_(folder), log_(log) {}

  const pid_t pid_;
  const std::string folder_;
  const int log_;  // Open while the server lives, or writing its log would fail.
  redisContext* connection_ = nullptr;
};

}  // namespace tidemark::cache

#endif  // TIDEMARK_CACHE_COMMANDS_REDIS_ORACLE_H_
