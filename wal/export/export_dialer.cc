#include "wal/export/export_dialer.h"

#include <algorithm>
#include <asio/connect.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/log/log.h"
#include "fmt/format.h"

namespace tidemark::wal {

struct ExportDialer::Core : std::enable_shared_from_this<Core> {
  Core(asio::io_context& context, const Options& o, OnConnected connected,
       std::function<void()> failure)
      : options(o),
        on_connected(std::move(connected)),
        on_failure(std::move(failure)),
        resolver(context),
        timer(context),
        backoff(o.backoff, o.seed) {}

  void Dial();
  void Connect(const asio::ip::tcp::resolver::results_type& endpoints);
  void Fail(const asio::error_code& error);
  void DialAfter(int64_t wait_ms);
  bool closed() const { return on_connected == nullptr; }

  const Options options;
  OnConnected on_connected;  // Null once closed.
  std::function<void()> on_failure;
  asio::ip::tcp::resolver resolver;
  std::optional<asio::ip::tcp::socket> socket;  // While connecting.
  asio::steady_timer timer;                     // The attempt's deadline, or the backoff.
  Backoff backoff;
  LogRateLimiter log{10'000'000'000};
  uint64_t attempt = 0;  // Makes handlers of an earlier one know that they are late.
};

void ExportDialer::Core::Dial() {
  const uint64_t mine = ++attempt;
  socket.emplace(timer.get_executor());
  timer.expires_after(std::chrono::milliseconds(options.connect_timeout_ms));
  timer.async_wait([self = shared_from_this(), mine](const asio::error_code& cancelled) {
    if (cancelled || self->closed() || mine != self->attempt) return;
    self->Fail(asio::error::timed_out);
  });
  resolver.async_resolve(
      options.host, fmt::format("{}", options.port),
      [self = shared_from_this(), mine](const asio::error_code& error,
                                        const asio::ip::tcp::resolver::results_type& endpoints) {
        if (self->closed() || mine != self->attempt) return;
        if (error) return self->Fail(error);
        self->Connect(endpoints);
      });
}

// Tries every address that the name has.
void ExportDialer::Core::Connect(const asio::ip::tcp::resolver::results_type& endpoints) {
  asio::async_connect(*socket, endpoints,
                      [self = shared_from_this(), mine = attempt](
                          const asio::error_code& error, const asio::ip::tcp::endpoint& endpoint) {
                        if (self->closed() || mine != self->attempt) return;
                        if (error) return self->Fail(error);
                        ++self->attempt;
                        self->timer.cancel();
                        asio::ip::tcp::socket connected = std::move(*self->socket);
                        self->socket.reset();
                        self->on_connected(std::move(connected), endpoint.address().to_string());
                      });
}

void ExportDialer::Core::Fail(const asio::error_code& error) {
  ++attempt;
  resolver.cancel();
  socket.reset();
  if (const auto held_back = log.Allow(Clock::System().MonotonicNanos())) {
    Log(LogLevel::kWarning,
        fmt::format("cannot connect to the consumer at {}:{}: {} ({} more like this)", options.host,
                    options.port, error.message(), *held_back));
  }
  DialAfter(backoff.NextMs());
  on_failure();
}

void ExportDialer::Core::DialAfter(int64_t wait_ms) {
  timer.expires_after(std::chrono::milliseconds(wait_ms));
  timer.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
    if (!cancelled && !self->closed()) self->Dial();
  });
}

ExportDialer::ExportDialer(LinkLoop* loop, const Options& options, OnConnected on_connected,
                           std::function<void()> on_failure)
    : core_(std::make_shared<Core>(loop->context(), options, std::move(on_connected),
                                   std::move(on_failure))) {
  core_->DialAfter(0);
}

ExportDialer::~ExportDialer() {
  core_->on_connected = nullptr;
  core_->timer.cancel();
  core_->resolver.cancel();
  core_->socket.reset();
}

void ExportDialer::Redial(bool served, int64_t at_least_ms) {
  if (served) core_->backoff.Reset();
  core_->DialAfter(std::max(core_->backoff.NextMs(), at_least_ms));
}

}  // namespace tidemark::wal
