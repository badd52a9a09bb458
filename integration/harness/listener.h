// Listener holds a port of 127.0.0.1 and never speaks: a busy port, or a peer that is silent.

#ifndef TIDEMARK_INTEGRATION_HARNESS_LISTENER_H_
#define TIDEMARK_INTEGRATION_HARNESS_LISTENER_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "integration/harness/eventually.h"

namespace tidemark::integration {

class Listener {
 public:
  Listener() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    CHECK(listen(socket_, 1) == 0);
    socklen_t size = sizeof(address);
    CHECK(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { close(socket_); }

  int port() const { return port_; }

  // True once somebody connects, false if nobody does within `deadline`.
  bool AwaitConnection(Duration deadline) {
    pollfd pending = {.fd = socket_, .events = POLLIN, .revents = 0};
    return poll(&pending, 1, static_cast<int>(deadline.count())) == 1;
  }

 private:
  const int socket_;
  int port_ = 0;
};

}  // namespace tidemark::integration

#endif  // TIDEMARK_INTEGRATION_HARNESS_LISTENER_H_
