#include "tools/tideexport/connection.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tidemark::tideexport {
namespace {

absl::Status Failed(std::string_view what) {
  return absl::UnavailableError(fmt::format("{}: {}", what, std::strerror(errno)));
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

absl::StatusOr<Addresses> Resolve(const std::string& host, const std::string& port, int flags) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &list); error != 0) {
    return absl::UnavailableError(fmt::format("{}: {}", host, gai_strerror(error)));
  }
  return Addresses(list);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Dial(const std::string& host,
                                                             const std::string& port) {
  const absl::StatusOr<Addresses> addresses = Resolve(host, port, 0);
  if (!addresses.ok()) return addresses.status();
  absl::Status failure = absl::UnavailableError("no address");
  for (const addrinfo* a = addresses->get(); a != nullptr; a = a->ai_next) {
    const int fd = ::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) return Failed("socket");
    if (::connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
      return std::unique_ptr<Connection>(new Connection(fd));
    }
    failure = Failed(fmt::format("{}:{}", host, port));
    ::close(fd);
  }
  return failure;
}

absl::StatusOr<int> Connection::Listen(const std::string& host, const std::string& port) {
  const absl::StatusOr<Addresses> addresses = Resolve(host, port, AI_PASSIVE);
  if (!addresses.ok()) return addresses.status();
  const addrinfo* a = addresses->get();
  const int fd = ::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
  if (fd < 0) return Failed("socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd, a->ai_addr, a->ai_addrlen) != 0 || ::listen(fd, 1) != 0) {
    const absl::Status failure = Failed(fmt::format("{}:{}", host, port));
    ::close(fd);
    return failure;
  }
  return fd;
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Accept(int listener) {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return Failed("accept");
  return std::unique_ptr<Connection>(new Connection(fd));
}

Connection::Connection(int fd) : fd_(fd), buffer_(std::make_unique<char[]>(kReadBytes)) {}

Connection::~Connection() { ::close(fd_); }

absl::StatusOr<std::string_view> Connection::Read(int timeout_ms) {
  pollfd wanted = {.fd = fd_, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&wanted, 1, timeout_ms);
  if (ready == 0 || (ready < 0 && errno == EINTR)) return std::string_view();
  if (ready < 0) return Failed("poll");
  const ssize_t got = ::recv(fd_, buffer_.get(), kReadBytes, 0);
  if (got > 0) return std::string_view(buffer_.get(), static_cast<size_t>(got));
  if (got == 0) return absl::UnavailableError("the node closed the connection");
  if (errno == EINTR) return std::string_view();
  return Failed("recv");
}

absl::Status Connection::WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return Failed("send");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

}  // namespace tidemark::tideexport
