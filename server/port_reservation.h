// PortReservation holds a TCP port that is not yet listened on: a replica's replication port, which
// opens when the node becomes a primary. Nobody else can take it meanwhile, and connections to it
// are refused by the kernel.

#ifndef TIDEMARK_SERVER_PORT_RESERVATION_H_
#define TIDEMARK_SERVER_PORT_RESERVATION_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "net/unique_fd.h"

namespace tidemark::server {

class PortReservation {
 public:
  // `address` is numeric; port 0 lets the kernel choose. Unavailable: it cannot be had, and why.
  static absl::StatusOr<PortReservation> Make(const std::string& address, uint16_t port);

  uint16_t port() const { return port_; }

 private:
  PortReservation(net::UniqueFd socket, uint16_t port) : socket_(std::move(socket)), port_(port) {}

  net::UniqueFd socket_;
  uint16_t port_;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_PORT_RESERVATION_H_
