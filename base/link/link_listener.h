// LinkListener accepts peers of a link. Out of descriptors it does not spin: it closes those that
// wait by means of a descriptor kept in reserve, and pauses.
//
// Threading: the link thread, but for Open() and port().

#ifndef TIDEMARK_BASE_LINK_LINK_LISTENER_H_
#define TIDEMARK_BASE_LINK_LINK_LISTENER_H_

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/link/link_loop.h"

namespace tidemark {

class LinkListener {
 public:
  using OnAccept = std::function<void(asio::ip::tcp::socket socket, std::string host)>;

  // `address` is numeric; port 0 lets the kernel choose. `peers` says in messages who is listened
  // for: "replicas". Unavailable: it cannot be bound, and why.
  static absl::StatusOr<std::unique_ptr<LinkListener>> Open(LinkLoop* loop, std::string peers,
                                                            const std::string& address,
                                                            uint16_t port, OnAccept on_accept);
  ~LinkListener();  // Accepts no more.

  uint16_t port() const { return port_; }

 private:
  struct Core;
  LinkListener(std::shared_ptr<Core> core, uint16_t port);
  std::shared_ptr<Core> core_;  // Shared with the handlers under way.
  const uint16_t port_;
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_LINK_LISTENER_H_
