// RespConnection is a connection on which a test says what it likes, byte by byte, and hears the
// replies as text (resp_text.h): for what client libraries hide or would never send.
//
//   RespConnection connection(node.port());
//   connection.Send("*x\r\n");
//   EXPECT_EQ(connection.Read(), "-ERR Protocol error: invalid multibulk length");
//   EXPECT_EQ(connection.Read(), "(closed)");
//
// Threading: one thread.

#ifndef TIDEMARK_INTEGRATION_HARNESS_RESP_CONNECTION_H_
#define TIDEMARK_INTEGRATION_HARNESS_RESP_CONNECTION_H_

#include <string>
#include <string_view>
#include <vector>

#include "integration/harness/eventually.h"

namespace tidemark::integration {

class RespConnection {
 public:
  // Connects to 127.0.0.1. A connection that fails reads as closed.
  explicit RespConnection(int port, Duration deadline = kPatience);
  RespConnection(RespConnection&& other) noexcept;
  RespConnection(const RespConnection&) = delete;
  ~RespConnection();

  void Send(std::string_view bytes);
  // One reply; "(closed)" at the end of the connection, "(silent)" if nothing comes in time.
  std::string Read();
  // Sends a command as an array of bulk strings and reads one reply.
  std::string Do(const std::vector<std::string>& words);

 private:
  int socket_;
  const Duration deadline_;
  std::string received_;  // And not yet read.
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_RESP_CONNECTION_H_
