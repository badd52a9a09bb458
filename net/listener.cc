#include "net/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <asio/ip/address.hpp>
#include <asio/ip/v6_only.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

namespace tidemark::net {
namespace {

constexpr std::string_view kMaxClientsReply = "-ERR max number of clients reached\r\n";
// Clients that one turn accepts, so that the others of the thread have their turn too.
constexpr int kMaxAcceptsPerTurn = 256;

UniqueFd OpenReserve() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

UniqueFd AcceptOne(int listener) {
  return UniqueFd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

void SendError(int fd) {
  // A new connection's send buffer is empty: this neither waits nor falls short.
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, kMaxClientsReply.data(), kMaxClientsReply.size(), MSG_NOSIGNAL);
}

void SetOption(int fd, int level, int name, int value) {
  // An option that is refused makes a slower connection, not a wrong one.
  (void)::setsockopt(fd, level, name, &value, sizeof(value));
}

std::string_view Advice(const asio::error_code& error) {
  switch (error.value()) {
    case EADDRINUSE:
      return "choose another port, or stop the process that has it (ss -ltnp shows which)";
    case EADDRNOTAVAIL:
      return "no interface of this machine has that address (ip addr shows them)";
    case EACCES:
      return "ports below 1024 need the capability CAP_NET_BIND_SERVICE";
    case EAFNOSUPPORT:
      return "this machine has no IPv6; use an IPv4 address";
    case EMFILE:
      return "raise the limit of open files (ulimit -n)";
    default:
      return "the system refuses it";
  }
}

// Opens `socket` so that it can be bound to `endpoint`.
void OpenSocket(asio::ip::tcp::acceptor& socket, const asio::ip::tcp::endpoint& endpoint,
                asio::error_code& error) {
  socket.open(endpoint.protocol(), error);
  if (error) return;
  (void)::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
  // Else a restarted server would wait for the last one's connections to be forgotten.
  socket.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (error || !endpoint.address().is_v6()) return;
  socket.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), error);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const Options& options,
                                                         ConnectionSet& connections,
                                                         ConnectionLimit& limit,
                                                         ConnectionAcceptor* acceptor) {
  asio::error_code error;
  const asio::ip::address address = asio::ip::make_address(options.address, error);
  if (error) {
    return absl::InvalidArgumentError(fmt::format(
        "cannot listen on \"{}\": it is no numeric IPv4 or IPv6 address, such as 127.0.0.1 or ::",
        options.address));
  }
  const asio::ip::tcp::endpoint endpoint(address, options.port);
  std::unique_ptr<Listener> listener(
      new Listener(connections, limit, acceptor, options.keepalive_seconds));
  asio::ip::tcp::acceptor& socket = listener->socket_;

  if (options.sharing == Options::Sharing::kFirst && options.port != 0) {
    // Without SO_REUSEPORT this fails if anybody listens there.
    asio::ip::tcp::acceptor probe(connections.loop().context());
    OpenSocket(probe, endpoint, error);
    if (!error) probe.bind(endpoint, error);
  }
  if (!error) OpenSocket(socket, endpoint, error);
  if (!error) SetOption(socket.native_handle(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (!error) socket.bind(endpoint, error);
  if (!error) socket.listen(options.backlog, error);
  if (!error) socket.native_non_blocking(true, error);
  if (!error) listener->port_ = socket.local_endpoint(error).port();
  if (error) {
    return absl::UnavailableError(fmt::format("cannot listen on {} port {}: {}; {}",
                                              options.address, options.port, error.message(),
                                              Advice(error)));
  }
  listener->WaitForClients();
  return listener;
}

Listener::Listener(ConnectionSet& connections, ConnectionLimit& limit, ConnectionAcceptor* acceptor,
                   int keepalive_seconds)
    : connections_(connections),
      limit_(limit),
      acceptor_(acceptor),
      keepalive_seconds_(keepalive_seconds),
      socket_(connections.loop().context()),
      pause_(connections.loop().context()),
      reserve_(OpenReserve()) {}

Listener::~Listener() { Stop(); }

void Listener::Stop() {
  asio::error_code ignored;
  socket_.close(ignored);
  pause_.cancel();
  *alive_ = false;
}

void Listener::WaitForClients() {
  socket_.async_wait(asio::ip::tcp::acceptor::wait_read,
                     [this, alive = alive_](const asio::error_code& error) {
                       if (*alive && !error) AcceptAll();
                     });
}

void Listener::AcceptAll() {
  for (int i = 0; i < kMaxAcceptsPerTurn; ++i) {
    UniqueFd fd = AcceptOne(socket_.native_handle());
    if (fd.valid()) {
      Admit(std::move(fd));
      if (!*alive_) return;
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return WaitForClients();
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
        continue;  // That client is gone; the next may be there.
      default:
        RefuseWithReserve();
        return Pause();
    }
  }
  WaitForClients();
}

void Listener::Admit(UniqueFd fd) {
  if (!limit_.TryAcquire()) {
    SendError(fd.get());
    counters_.refused_max_clients.Add(1);
    return;
  }
  SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (keepalive_seconds_ > 0) {
    // The first probe after that time, the rest three times as often; three unanswered end it.
    SetOption(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
    SetOption(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, keepalive_seconds_);
    SetOption(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, keepalive_seconds_ / 3));
    SetOption(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, 3);
  }
  ClientConnection* connection = connections_.Add(std::move(fd));
  if (connection == nullptr) return;
  ConnectionHandler* handler = acceptor_->OnAccept(*connection);
  if (handler == nullptr) {
    counters_.refused_by_handler.Add(1);
    return connection->Close(CloseReason::kReply);
  }
  counters_.accepted.Add(1);
  connections_.Start(*connection, handler);
}

// Lends the reserve descriptor to the clients that wait, one after the other, to tell them.
void Listener::RefuseWithReserve() {
  for (int i = 0; i < kMaxAcceptsPerTurn && reserve_.valid(); ++i) {
    reserve_.Reset();
    UniqueFd fd = AcceptOne(socket_.native_handle());
    if (!fd.valid()) break;
    SendError(fd.get());
    counters_.refused_max_clients.Add(1);
    fd.Reset();
    reserve_ = OpenReserve();
  }
  if (!reserve_.valid()) reserve_ = OpenReserve();
}

void Listener::Pause() {
  counters_.out_of_descriptors.Add(1);
  pause_.expires_after(std::chrono::milliseconds(kPauseMs));
  pause_.async_wait([this, alive = alive_](const asio::error_code& error) {
    if (!*alive || error) return;
    if (!reserve_.valid()) reserve_ = OpenReserve();
    AcceptAll();
  });
}

}  // namespace tidemark::net
