#include "integration/harness/redis_server.h"

#include <gtest/gtest.h>

#include <string>

#include "integration/harness/free_port.h"
#include "integration/harness/redis_client.h"

namespace tidemark::integration {

RedisServer::RedisServer()
    : port_(FreePort()),
      process_({"redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save",
                "", "--appendonly", "no", "--dir", testing::TempDir(), "--dbfilename",
                "none-" + std::to_string(port_) + ".rdb", "--enable-debug-command", "yes"}) {}

bool RedisServer::AwaitReady(Duration patience) {
  Reply info;
  const bool answers = Eventually(patience, [&] {
    info = RedisClient(port_).Do({"INFO", "server"});
    return !info.is_error();
  });
  if (answers && info.text.find("redis_version:7.0.") != std::string::npos) return true;
  ADD_FAILURE() << "needs redis-server 7.0, which tools/install brings; there is: " << info.text
                << process_.Errors() << process_.Output();
  return false;
}

}  // namespace tidemark::integration
