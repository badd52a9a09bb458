// ReplicationListener accepts replicas. Out of descriptors it does not spin: it closes those that
// wait by means of a descriptor kept in reserve, and pauses.
//
// Threading: the link thread, but for Open() and port().

#ifndef TIDEMARK_REPLICATION_SHELL_REPLICATION_LISTENER_H_
#define TIDEMARK_REPLICATION_SHELL_REPLICATION_LISTENER_H_

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "replication/shell/link_loop.h"

namespace tidemark::replication {

class ReplicationListener {
 public:
  using OnAccept = std::function<void(asio::ip::tcp::socket socket, std::string host)>;

  // `address` is numeric; port 0 lets the kernel choose. Unavailable: it cannot be bound, and why.
  static absl::StatusOr<std::unique_ptr<ReplicationListener>> Open(LinkLoop* loop,
                                                                   const std::string& address,
                                                                   uint16_t port,
                                                                   OnAccept on_accept);
  ~ReplicationListener();  // Accepts no more.

  uint16_t port() const { return port_; }

 private:
  struct Core;
  ReplicationListener(std::shared_ptr<Core> core, uint16_t port);
  std::shared_ptr<Core> core_;  // Shared with the handlers under way.
  const uint16_t port_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_SHELL_REPLICATION_LISTENER_H_
