#include "wal/export/export_server.h"

#include <algorithm>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "base/clock.h"
#include "base/link/deadline_timer.h"
#include "base/link/link_listener.h"
#include "base/link/link_loop.h"
#include "base/link/link_socket.h"
#include "base/log/log.h"
#include "fmt/format.h"
#include "wal/export/background_saver.h"
#include "wal/export/export_dialer.h"

namespace tidemark::wal {
namespace {

// The least between two refreshes of what status() shows.
constexpr int64_t kStatusMs = 5;

std::string_view Text(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// A line for each consumer.
void LogUnsent(const std::vector<UnsentSpan>& unsent) {
  std::map<std::string, std::string> ranges;
  for (const UnsentSpan& span : unsent) {
    std::string& text = ranges[span.consumer];
    text +=
        fmt::format("{}{} to {} of shard {}", text.empty() ? "" : ", ", span.range.first.value(),
                    span.range.last.value(), span.range.shard.value());
  }
  for (const auto& [consumer, text] : ranges) {
    Log(LogLevel::kWarning,
        fmt::format("consumer {} was not sent {}; they stay in the log", consumer, text));
  }
}

}  // namespace

// Everything but the public functions runs on the export thread.
class ExportServer::Core {
 public:
  Core(const Options& options, ExportSource* source, SaveConsumers save)
      : options_(options),
        save_(std::move(save)),
        hub_(options.hub, source, &Clock::System()),
        tick_(loop_.context(),
              [this] {
                OnTick();
                return NextDeadlineMs();
              }),
        gather_(loop_.context()),
        save_timer_(loop_.context()) {}
  ~Core() { Stop(); }

  absl::Status Start(const std::string& consumers);
  std::vector<UnsentSpan> Stop();
  uint16_t port() const { return port_; }
  void OnDurableMoved() {
    if (wake_posted_.exchange(true, std::memory_order_acq_rel)) return;
    loop_.Post([this] {
      wake_posted_.store(false, std::memory_order_release);
      WantRound();
    });
  }
  void SetTokens(LinkTokens tokens) {
    loop_.Post([this, tokens = std::move(tokens)] { hub_.SetTokens(tokens); });
  }
  void Forget(std::string consumer, std::function<void(absl::Status)> done);
  ExportStatus status() const {
    std::lock_guard lock(status_mutex_);
    return status_;
  }

 private:
  struct Connection final : LinkSocketOwner {
    Connection(Core* core, ExportSession* session, asio::ip::tcp::socket s)
        : core(core), session(session), socket(std::move(s), this) {}

    void OnBytes(std::string_view bytes) override {
      session->OnBytes(bytes, LinkLoop::NowMs());
      core->Serve(this);
      core->WantSave();
    }
    void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) override {
      session->Gather(max_pieces, pieces);
    }
    void OnWritten(size_t bytes) override {
      session->OnWritten(bytes, LinkLoop::NowMs());
      core->Serve(this);
    }
    void OnClosed(const absl::Status& why) override {
      session->OnDisconnected(why);
      core->After(this);
    }

    Core* const core;
    ExportSession* const session;
    bool announced = false;  // In the log.
    bool dialled = false;
    LinkSocket socket;
  };

  void OnConnected(asio::ip::tcp::socket socket, std::string peer, bool dialled);
  void WantRound();
  void Round();
  void Serve(Connection* connection);
  void After(Connection* connection);
  void Announce(Connection* connection);
  void Sweep();
  void Leave(const Connection& connection);
  int64_t NextDeadlineMs() const;
  void ArmTick() { tick_.ArmBy(NextDeadlineMs()); }
  void OnTick();
  void WantSave();
  void SaveNow();
  void BeginStop(std::shared_ptr<std::promise<void>> stopped);
  void RefreshStatus(int64_t now_ms);

  const Options options_;
  const SaveConsumers save_;
  LinkLoop loop_;
  ExportHub hub_;
  std::unique_ptr<BackgroundSaver> saver_;
  std::unique_ptr<LinkListener> listener_;
  std::unique_ptr<ExportDialer> dialer_;
  std::map<ExportSession*, std::unique_ptr<Connection>> connections_;
  uint16_t port_ = 0;
  bool started_ = false;
  std::shared_ptr<std::promise<void>> stopped_;  // Set while stopping, until all is said.

  DeadlineTimer tick_;
  asio::steady_timer gather_;
  bool round_due_ = false;
  std::chrono::steady_clock::time_point round_at_;
  asio::steady_timer save_timer_;
  bool save_due_ = false;
  bool sweep_posted_ = false;
  std::atomic<bool> wake_posted_{false};
  LogRateLimiter rejection_log_;
  uint64_t connect_failures_ = 0;

  mutable std::mutex status_mutex_;
  ExportStatus status_;  // Under the mutex.
  int64_t status_at_ms_ = 0;
  bool status_due_ = false;  // Something has happened since.
};

absl::Status ExportServer::Core::Start(const std::string& consumers) {
  if (options_.mode == Options::Mode::kListen && options_.hub.session.tokens.current.empty()) {
    return absl::InvalidArgumentError("listening for consumers needs a token");
  }
  if (!consumers.empty()) {
    const absl::Status loaded = hub_.LoadConsumers(consumers);
    if (!loaded.ok()) return loaded;
  }
  port_ = options_.port;
  if (options_.mode == Options::Mode::kListen) {
    absl::StatusOr<std::unique_ptr<LinkListener>> listener =
        LinkListener::Open(&loop_, "consumers", options_.host, options_.port,
                           [this](asio::ip::tcp::socket socket, std::string host) {
                             OnConnected(std::move(socket), std::move(host), false);
                           });
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    port_ = listener_->port();
  } else {
    dialer_ = std::make_unique<ExportDialer>(
        &loop_,
        ExportDialer::Options{.host = options_.host,
                              .port = options_.port,
                              .connect_timeout_ms = options_.connect_timeout_ms,
                              .backoff = options_.backoff,
                              .seed = std::random_device()()},
        [this](asio::ip::tcp::socket socket, std::string peer) {
          OnConnected(std::move(socket), std::move(peer), true);
        },
        [this] {
          ++connect_failures_;
          RefreshStatus(LinkLoop::NowMs());
        });
  }
  saver_ = std::make_unique<BackgroundSaver>(save_, options_.save_interval_ms);
  RefreshStatus(LinkLoop::NowMs());
  started_ = true;
  loop_.Start("export");
  return absl::OkStatus();
}

// --- Connections ---

void ExportServer::Core::OnConnected(asio::ip::tcp::socket socket, std::string peer, bool dialled) {
  ExportSession* session = hub_.Add(std::move(peer), dialled, LinkLoop::NowMs());
  if (session == nullptr) return;  // Closes the socket: too many have not said hello.
  auto connection = std::make_unique<Connection>(this, session, std::move(socket));
  connection->dialled = dialled;
  connection->socket.WantWrite();
  connections_[session] = std::move(connection);
  ArmTick();
}

// Lets it take what the log has, after an event of its own.
void ExportServer::Core::Serve(Connection* connection) {
  // More than its turn waits until the others had theirs.
  if (hub_.Pump(connection->session, LinkLoop::NowMs())) WantRound();
  After(connection);
}

void ExportServer::Core::After(Connection* connection) {
  connection->socket.WantWrite();
  const ExportSession& session = *connection->session;
  if (session.accepted() && !connection->announced) Announce(connection);
  const int64_t now_ms = LinkLoop::NowMs();
  if (now_ms - status_at_ms_ >= kStatusMs) {
    RefreshStatus(now_ms);
  } else {
    status_due_ = true;
  }
  ArmTick();
  // Not here: this may be called from within the connection's own functions.
  if (session.closed() && !std::exchange(sweep_posted_, true)) loop_.Post([this] { Sweep(); });
}

void ExportServer::Core::Announce(Connection* connection) {
  connection->announced = true;
  const ExportSession& session = *connection->session;
  Log(LogLevel::kInfo,
      fmt::format("consumer {} joined: {}", session.consumer(),
                  session.state() == ExportSession::State::kSnapshot ? "it gets a snapshot"
                                                                     : "it gets changes"));
  // Its place is on disk before it has stored much: a crash of the node must not forget it.
  SaveNow();
}

void ExportServer::Core::Sweep() {
  sweep_posted_ = false;
  for (auto it = connections_.begin(); it != connections_.end();) {
    if (!it->first->closed()) {
      ++it;
      continue;
    }
    Leave(*it->second);
    ExportSession* session = it->first;
    it = connections_.erase(it);
    hub_.Remove(session);
  }
  RefreshStatus(LinkLoop::NowMs());
  if (stopped_ != nullptr && hub_.empty()) std::exchange(stopped_, nullptr)->set_value();
}

void ExportServer::Core::Leave(const Connection& connection) {
  const ExportSession& session = *connection.session;
  if (connection.announced) {
    Log(LogLevel::kInfo,
        fmt::format("consumer {} left: {}", session.consumer(), Text(session.cause())));
  } else if (const auto held_back = rejection_log_.Allow(Clock::System().MonotonicNanos())) {
    Log(LogLevel::kWarning, fmt::format("a connection for export ended: {} ({} more)",
                                        Text(session.cause()), *held_back));
  }
  if (connection.dialled && dialer_ != nullptr) {
    dialer_->Redial(session.accepted(), session.retry_after_ms());
  }
}

// --- Frames ---

void ExportServer::Core::WantRound() {
  if (std::exchange(round_due_, true)) return;
  gather_.expires_at(round_at_ + std::chrono::microseconds(options_.gather_us));
  gather_.async_wait([this](const asio::error_code& cancelled) {
    round_due_ = false;
    if (!cancelled) Round();
  });
}

void ExportServer::Core::Round() {
  round_at_ = std::chrono::steady_clock::now();
  for (const auto& [session, connection] : connections_) Serve(connection.get());
  // Those who are away fall behind as well, and may be lost by now.
  status_due_ = true;
  ArmTick();
}

// --- Time ---

int64_t ExportServer::Core::NextDeadlineMs() const {
  const int64_t at_ms = hub_.NextDeadlineMs();
  return status_due_ ? std::min(at_ms, status_at_ms_ + kStatusMs) : at_ms;
}

void ExportServer::Core::OnTick() {
  const int64_t now_ms = LinkLoop::NowMs();
  hub_.Tick(now_ms);
  // A look at the log as well: whoever should have told us that it moved may have failed to.
  for (const auto& [session, connection] : connections_) Serve(connection.get());
  RefreshStatus(now_ms);
}

// --- The consumers' places ---

void ExportServer::Core::WantSave() {
  if (std::exchange(save_due_, true)) return;
  save_timer_.expires_after(std::chrono::milliseconds(options_.save_interval_ms));
  save_timer_.async_wait([this](const asio::error_code& cancelled) {
    save_due_ = false;
    if (!cancelled) SaveNow();
  });
}

void ExportServer::Core::SaveNow() {
  if (std::optional<std::string> contents = hub_.TakeConsumers()) {
    saver_->Save(*std::move(contents));
  }
}

void ExportServer::Core::Forget(std::string consumer, std::function<void(absl::Status)> done) {
  loop_.Post([this, consumer = std::move(consumer), done = std::move(done)] {
    const absl::Status forgotten = hub_.Forget(consumer);
    RefreshStatus(LinkLoop::NowMs());
    WantSave();
    done(forgotten);
  });
}

// --- Stopping ---

std::vector<UnsentSpan> ExportServer::Core::Stop() {
  if (!std::exchange(started_, false)) return {};
  const auto stopped = std::make_shared<std::promise<void>>();
  std::future<void> done = stopped->get_future();
  loop_.Post([this, stopped] { BeginStop(stopped); });
  done.wait_for(std::chrono::milliseconds(options_.stop_timeout_ms));
  loop_.Stop();
  const std::vector<UnsentSpan> unsent = hub_.Unsent();
  LogUnsent(unsent);
  SaveNow();
  saver_->Stop();
  connections_.clear();
  hub_.Clear();
  dialer_.reset();
  listener_.reset();
  return unsent;
}

void ExportServer::Core::BeginStop(std::shared_ptr<std::promise<void>> stopped) {
  listener_.reset();
  dialer_.reset();
  stopped_ = std::move(stopped);
  hub_.BeginStop();
  Round();
  Sweep();  // There may be no consumer at all.
}

// --- Seeing it ---

void ExportServer::Core::RefreshStatus(int64_t now_ms) {
  status_at_ms_ = now_ms;
  status_due_ = false;
  ExportStatus status = hub_.Status();
  status.connect_failures = connect_failures_;
  status.save_failures = saver_ != nullptr ? saver_->failures() : 0;
  std::lock_guard lock(status_mutex_);
  status_ = std::move(status);
}

ExportServer::ExportServer(const Options& options, ExportSource* source, SaveConsumers save)
    : core_(std::make_unique<Core>(options, source, std::move(save))) {}

ExportServer::~ExportServer() = default;

absl::Status ExportServer::Start(const std::string& consumers) { return core_->Start(consumers); }
std::vector<UnsentSpan> ExportServer::Stop() { return core_->Stop(); }
uint16_t ExportServer::port() const { return core_->port(); }
void ExportServer::OnDurableMoved() { core_->OnDurableMoved(); }
void ExportServer::SetTokens(LinkTokens tokens) { core_->SetTokens(std::move(tokens)); }
void ExportServer::Forget(std::string consumer, std::function<void(absl::Status)> done) {
  core_->Forget(std::move(consumer), std::move(done));
}
ExportStatus ExportServer::status() const { return core_->status(); }

}  // namespace tidemark::wal
