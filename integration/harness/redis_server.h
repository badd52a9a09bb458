// RedisServer is a real redis-server 7.0 beside the nodes under test, to compare them with: without
// persistence, on a port of its own, and not longer than the test.

#ifndef TIDEMARK_INTEGRATION_HARNESS_REDIS_SERVER_H_
#define TIDEMARK_INTEGRATION_HARNESS_REDIS_SERVER_H_

#include "integration/harness/eventually.h"
#include "integration/harness/process.h"

namespace tidemark::integration {

class RedisServer {
 public:
  RedisServer();

  // True once it serves; a failure of the test if it does not, or is of another version.
  bool AwaitReady(Duration patience = kPatience);
  int port() const { return port_; }

 private:
  const int port_;
  Process process_;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_REDIS_SERVER_H_
