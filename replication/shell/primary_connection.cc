#include "replication/shell/primary_connection.h"

#include <fmt/format.h>

#include <asio/connect.hpp>
#include <utility>

#include "base/link/link_loop.h"

namespace tidemark::replication {

PrimaryConnection::PrimaryConnection(asio::io_context& context, Options options, ReplicaLink* link,
                                     std::function<void()> on_event)
    : context_(context),
      options_(std::move(options)),
      link_(link),
      on_event_(std::move(on_event)),
      locator_(context),
      resolver_(context) {}

void PrimaryConnection::Serve(bool wants_input, int64_t now_ms) {
  const bool attempting = link_->state() == ReplicaLink::State::kConnecting;
  if (socket_ != nullptr) socket_->WantWrite();
  if (!link_->wants_connection() || attempting) {
    // What was there belongs to an earlier attempt.
    if (socket_ != nullptr) socket_.reset();
  }
  if (!attempting && connecting_) {
    ++attempt_;
    connecting_.reset();
    locator_.Cancel();
    resolver_.cancel();
  }
  if (attempting && !connecting_) Connect();
  if (socket_ != nullptr && reading_ != wants_input) {
    reading_ = !reading_;
    reading_ ? link_->OnReadingResumed(now_ms) : link_->OnReadingPaused(now_ms);
    socket_->SetReading(reading_);
  }
}

void PrimaryConnection::Connect() {
  connecting_.emplace(context_);
  const uint64_t attempt = ++attempt_;
  if (!options_.locate) return ConnectTo(options_.port);
  locator_.Locate(options_.host, options_.port, options_.node_id,
                  [this, attempt](absl::StatusOr<LocatedPrimary> found) {
                    if (attempt != attempt_) return;
                    if (found.ok()) return ConnectTo(found->port);
                    connecting_.reset();
                    link_->OnConnectFailed(found.status(), LinkLoop::NowMs());
                    on_event_();
                  });
}

void PrimaryConnection::ConnectTo(uint16_t port) {
  const uint64_t attempt = attempt_;
  resolver_.async_resolve(options_.host, fmt::format("{}", port),
                          [this, attempt](const asio::error_code& error,
                                          const asio::ip::tcp::resolver::results_type& endpoints) {
                            if (attempt != attempt_) return;
                            if (error) return OnConnect(error);
                            asio::async_connect(*connecting_, endpoints,
                                                [this, attempt](const asio::error_code& failed,
                                                                const asio::ip::tcp::endpoint&) {
                                                  if (attempt == attempt_) OnConnect(failed);
                                                });
                          });
}

void PrimaryConnection::OnConnect(const asio::error_code& error) {
  const int64_t now_ms = LinkLoop::NowMs();
  asio::ip::tcp::socket socket = std::move(*connecting_);
  connecting_.reset();
  if (error) {
    link_->OnConnectFailed(
        absl::UnavailableError(fmt::format("cannot connect to {} port {}: {}", options_.host,
                                           options_.port, error.message())),
        now_ms);
  } else {
    socket_ = std::make_unique<LinkSocket>(std::move(socket), this);
    reading_ = true;
    link_->OnConnected(now_ms);
  }
  on_event_();
}

void PrimaryConnection::OnBytes(std::string_view bytes) {
  link_->OnBytes(bytes, LinkLoop::NowMs());
  on_event_();
}

void PrimaryConnection::Gather(size_t max_pieces, std::vector<std::string_view>* pieces) {
  link_->Gather(max_pieces, pieces);
}

void PrimaryConnection::OnWritten(size_t bytes) {
  link_->OnWritten(bytes, LinkLoop::NowMs());
  on_event_();
}

void PrimaryConnection::OnClosed(const absl::Status& why) {
  link_->OnDisconnected(why, LinkLoop::NowMs());
  on_event_();
}

}  // namespace tidemark::replication
