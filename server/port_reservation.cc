#include "server/port_reservation.h"

#include <fmt/format.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

namespace tidemark::server {

absl::StatusOr<PortReservation> PortReservation::Make(const std::string& address, uint16_t port) {
  asio::error_code error;
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address, error), port);
  if (error) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no numeric IPv4 or IPv6 address", address));
  }
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context);
  acceptor.open(endpoint.protocol(), error);
  // As the listener will: connections of an earlier life of this port may not be forgotten yet.
  if (!error) acceptor.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  uint16_t bound_port = 0;
  if (!error) bound_port = acceptor.local_endpoint(error).port();
  int fd = -1;
  if (!error) fd = acceptor.release(error);
  if (error) {
    return absl::UnavailableError(fmt::format("the replication port {} on {} cannot be had: {}",
                                              port, address, error.message()));
  }
  return PortReservation(net::UniqueFd(fd), bound_port);
}

}  // namespace tidemark::server
