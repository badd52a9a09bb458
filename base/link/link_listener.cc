#include "base/link/link_listener.h"

#include <fcntl.h>
#include <unistd.h>

#include <asio/ip/address.hpp>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/log/log.h"
#include "fmt/format.h"

namespace tidemark {
namespace {

constexpr auto kPause = std::chrono::milliseconds(100);
constexpr int kBacklog = 64;

bool IsOutOfDescriptors(const asio::error_code& error) {
  return error == asio::error::no_descriptors || error.value() == ENFILE;
}

}  // namespace

struct LinkListener::Core : std::enable_shared_from_this<Core> {
  Core(asio::io_context& context, std::string peers, OnAccept on_accept)
      : peers(std::move(peers)),
        acceptor(context),
        pause(context),
        on_accept(std::move(on_accept)) {
    OpenReserve();
  }
  ~Core() { CloseReserve(); }

  void Accept();
  void PauseAfter(const asio::error_code& error);
  void OpenReserve() { reserve = ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
  void CloseReserve() {
    if (reserve >= 0) ::close(std::exchange(reserve, -1));
  }

  const std::string peers;
  asio::ip::tcp::acceptor acceptor;
  asio::steady_timer pause;
  OnAccept on_accept;  // Empty once closed.
  int reserve = -1;    // Given up to close a connection that there is no descriptor for.
  LogRateLimiter log;
};

void LinkListener::Core::Accept() {
  acceptor.async_accept(
      [self = shared_from_this()](const asio::error_code& error, asio::ip::tcp::socket socket) {
        if (!self->on_accept) return;
        if (!error) {
          asio::error_code gone;
          const asio::ip::tcp::endpoint peer = socket.remote_endpoint(gone);
          if (!gone) self->on_accept(std::move(socket), peer.address().to_string());
        } else if (error != asio::error::connection_aborted && error != asio::error::interrupted) {
          return self->PauseAfter(error);
        }
        self->Accept();
      });
}

void LinkListener::Core::PauseAfter(const asio::error_code& error) {
  if (const auto held_back = log.Allow(Clock::System().MonotonicNanos())) {
    Log(LogLevel::kWarning, fmt::format("cannot accept {}: {} ({} more like this)", peers,
                                        error.message(), *held_back));
  }
  if (IsOutOfDescriptors(error) && reserve >= 0) {
    // The one that waits is told at once, by being closed, rather than left hanging.
    CloseReserve();
    const int fd = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) ::close(fd);
  }
  if (reserve < 0) OpenReserve();
  pause.expires_after(kPause);
  pause.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
    if (!cancelled && self->on_accept) self->Accept();
  });
}

absl::StatusOr<std::unique_ptr<LinkListener>> LinkListener::Open(LinkLoop* loop, std::string peers,
                                                                 const std::string& address,
                                                                 uint16_t port,
                                                                 OnAccept on_accept) {
  asio::error_code error;
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address, error), port);
  if (error) {
    return absl::InvalidArgumentError(fmt::format(
        "cannot listen for {} on \"{}\": it is no numeric IPv4 or IPv6 address", peers, address));
  }
  auto core = std::make_shared<Core>(loop->context(), peers, std::move(on_accept));
  asio::ip::tcp::acceptor& acceptor = core->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  // The accept that takes the place of one without a descriptor must not wait.
  if (!error) acceptor.native_non_blocking(true, error);
  uint16_t bound_port = 0;
  if (!error) bound_port = acceptor.local_endpoint(error).port();
  if (error) {
    return absl::UnavailableError(fmt::format("cannot listen for {} on {} port {}: {}", peers,
                                              address, port, error.message()));
  }
  core->Accept();
  return std::unique_ptr<LinkListener>(new LinkListener(std::move(core), bound_port));
}

LinkListener::LinkListener(std::shared_ptr<Core> core, uint16_t port)
    : core_(std::move(core)), port_(port) {}

LinkListener::~LinkListener() {
  core_->on_accept = nullptr;
  asio::error_code ignored;
  core_->acceptor.close(ignored);
  core_->pause.cancel();
}

}  // namespace tidemark
