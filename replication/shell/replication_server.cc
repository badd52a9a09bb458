#include "replication/shell/replication_server.h"

#include <algorithm>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/link/deadline_timer.h"
#include "base/link/link_listener.h"
#include "base/link/link_loop.h"
#include "base/link/link_socket.h"
#include "base/log/log.h"
#include "fmt/format.h"
#include "replication/shell/posted_archive.h"
#include "replication/shell/posted_shards.h"

namespace tidemark::replication {
namespace {

// The least between two refreshes of what status() shows.
constexpr int64_t kStatusMs = 5;

std::vector<HistoryId> IdsOf(const std::vector<Ancestor>& ancestors) {
  std::vector<HistoryId> ids;
  for (const Ancestor& ancestor : ancestors) ids.push_back(ancestor.history);
  return ids;
}

PrimaryHub::Options HubOptions(const ReplicationServer::Options& options) {
  PrimaryHub::Options hub = options.hub;
  hub.link.ancestors = options.ancestors;
  return hub;
}

std::string_view Text(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace

// Everything but the public functions runs on the link thread.
class ReplicationServer::Core final : public LinkWaker {
 public:
  Core(const Options& options, std::vector<PublishingShard> shards, ShardCalls calls,
       BlockingArchive* archive)
      : options_(options),
        shards_(options.history, IdsOf(options.ancestors), std::move(shards), std::move(calls),
                loop_.poster()),
        archive_(archive == nullptr ? nullptr
                                    : std::make_unique<PostedArchive>(archive, loop_.poster())),
        hub_(HubOptions(options), &shards_, this, archive_.get()),
        tick_(loop_.context(),
              [this] {
                OnTick();
                return NextDeadlineMs();
              }),
        gather_(loop_.context()) {}
  ~Core() override { Stop(std::nullopt); }

  absl::Status Start();
  void Stop(std::optional<PrimaryHub::NewPrimary> moved);
  void Promote(uint64_t replica, bool force, PrimaryHub::PromotionCallback callback);
  uint16_t port() const { return port_; }
  void SetTokens(LinkTokens tokens) {
    loop_.Post([this, tokens = std::move(tokens)] { hub_.set_tokens(tokens); });
  }
  void WaitFor(Watermarks target, int replicas, int64_t timeout_ms,
               PrimaryHub::WaitCallback callback, AckKind kind);
  // StreamRelay. What is said to a server that does not run is said to nobody.
  void OpenRelay(RelayedStream stream) {
    PostIfRunning([this, stream = std::move(stream)] {
      shards_.set_history(stream.history, IdsOf(stream.ancestors));
      hub_.OpenRelay(stream, LinkLoop::NowMs());
    });
  }
  void HoldRelay(std::string why) {
    PostIfRunning([this, why = std::move(why)] { hub_.HoldRelay(why); });
  }
  void CloseRelay(std::string why) {
    PostIfRunning([this, why = std::move(why)] {
      hub_.CloseRelay(why, LinkLoop::NowMs());
      for (const auto& [id, connection] : connections_) After(connection.get());
    });
  }
  void OnUpstream(Watermarks emitted, int64_t as_of_ms) {
    PostIfRunning(
        [this, emitted = std::move(emitted), as_of_ms] { hub_.OnUpstream(emitted, as_of_ms); });
  }
  Status status() const {
    std::lock_guard lock(status_mutex_);
    return status_;
  }

  // LinkWaker, any thread. A loop that was told and has not looked yet is not told again.
  void Wake() override {
    if (wake_posted_.exchange(true, std::memory_order_acq_rel)) return;
    loop_.Post([this] { OnWake(); });
  }
  void WakeShard(ShardId shard) override { shards_.Wake(shard); }

 private:
  struct Connection final : LinkSocketOwner {
    Connection(Core* core, ReplicaSession* session, asio::ip::tcp::socket s)
        : core(core), session(session), socket(std::move(s), this) {}

    void OnBytes(std::string_view bytes) override {
      session->OnBytes(bytes, LinkLoop::NowMs());
      core->After(this);
      core->ArmTick();
    }
    void Gather(size_t max_pieces, std::vector<std::string_view>* pieces) override {
      session->link().Gather(max_pieces, pieces);
    }
    void OnWritten(size_t bytes) override {
      session->OnWritten(bytes, LinkLoop::NowMs());
      core->After(this);
    }
    void OnClosed(const absl::Status& why) override {
      session->link().OnDisconnected(why);
      core->After(this);
    }

    Core* const core;
    ReplicaSession* const session;
    bool announced = false;  // In the log.
    LinkSocket socket;
  };

  void OnAccept(asio::ip::tcp::socket socket, std::string host);
  void OnWake();
  void Round();
  void After(Connection* connection);
  void Sweep();
  void Announce(Connection* connection);
  int64_t NextDeadlineMs() const;
  void ArmTick() { tick_.ArmBy(NextDeadlineMs()); }
  void OnTick();
  void BeginStop(std::shared_ptr<std::promise<void>> stopped,
                 std::optional<PrimaryHub::NewPrimary> moved);
  void RefreshStatus(int64_t now_ms);
  template <typename Task>
  void PostIfRunning(Task task) {
    if (running_.load(std::memory_order_acquire)) loop_.Post(std::move(task));
  }

  const Options options_;
  LinkLoop loop_;
  PostedShards shards_;
  const std::unique_ptr<PostedArchive> archive_;  // Null: none.
  PrimaryHub hub_;
  std::unique_ptr<LinkListener> listener_;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;  // By the session's id.
  uint16_t port_ = 0;
  bool started_ = false;
  std::atomic<bool> running_{false};
  std::shared_ptr<std::promise<void>> stopped_;  // Set while stopping, until all is said.

  DeadlineTimer tick_;
  asio::steady_timer gather_;
  bool gathering_ = false;
  std::chrono::steady_clock::time_point round_at_;
  bool sweep_posted_ = false;
  std::atomic<bool> wake_posted_{false};
  uint64_t refused_ = 0;
  LogRateLimiter refusal_log_;

  mutable std::mutex status_mutex_;
  Status status_;  // Under the mutex.
  int64_t status_at_ms_ = 0;
  bool status_due_ = false;  // Something has happened since.
};

absl::Status ReplicationServer::Core::Start() {
  absl::StatusOr<std::unique_ptr<LinkListener>> listener =
      LinkListener::Open(&loop_, "replicas", options_.address, options_.port,
                         [this](asio::ip::tcp::socket socket, std::string host) {
                           OnAccept(std::move(socket), std::move(host));
                         });
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  port_ = listener_->port();
  started_ = true;
  if (archive_ != nullptr) archive_->Start();
  loop_.Start("replicas");
  running_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

// --- Connections ---

void ReplicationServer::Core::OnAccept(asio::ip::tcp::socket socket, std::string host) {
  ReplicaSession* session = hub_.Add(std::move(host), LinkLoop::NowMs());
  if (session == nullptr) {
    ++refused_;
    return;  // Closes the socket: too many have not said hello.
  }
  connections_[session->id()] = std::make_unique<Connection>(this, session, std::move(socket));
  ArmTick();
}

void ReplicationServer::Core::After(Connection* connection) {
  connection->socket.WantWrite();
  const PrimaryLink& link = connection->session->link();
  if (link.streaming() && !connection->announced) Announce(connection);
  const int64_t now_ms = LinkLoop::NowMs();
  if (now_ms - status_at_ms_ >= kStatusMs) {
    RefreshStatus(now_ms);
  } else if (!std::exchange(status_due_, true)) {
    ArmTick();
  }
  // Not here: this may be called from within the connection's own functions.
  if (link.closed() && !std::exchange(sweep_posted_, true)) loop_.Post([this] { Sweep(); });
}

void ReplicationServer::Core::Announce(Connection* connection) {
  connection->announced = true;
  const PrimaryLink& link = connection->session->link();
  Log(LogLevel::kInfo,
      fmt::format("replica {} (node {}) joined: {}", connection->session->id(),
                  link.identity().node_id,
                  link.plan().is_mixed()        ? "it gets a snapshot of some shards"
                  : link.plan().is_snapshot()   ? "it gets a snapshot"
                  : link.plan().uses_segments() ? "it continues its stream from the log"
                                                : "it continues its stream"));
}

void ReplicationServer::Core::Sweep() {
  sweep_posted_ = false;
  for (auto it = connections_.begin(); it != connections_.end();) {
    Connection& connection = *it->second;
    const PrimaryLink& link = connection.session->link();
    if (!link.closed()) {
      ++it;
      continue;
    }
    if (connection.announced) {
      // It fell out of reach of all but a snapshot: the operator may want to give it more room.
      const bool out_of_reach = absl::IsOutOfRange(connection.session->feed_failure()) ||
                                absl::IsResourceExhausted(connection.session->feed_failure());
      Log(out_of_reach ? LogLevel::kWarning : LogLevel::kInfo,
          fmt::format("replica {} (node {}) left: {}", connection.session->id(),
                      link.identity().node_id, Text(link.cause())));
    } else {
      ++refused_;
      if (const auto held_back = refusal_log_.Allow(Clock::System().MonotonicNanos())) {
        Log(LogLevel::kWarning, fmt::format("a connection for replication ended: {} ({} more)",
                                            Text(link.cause()), *held_back));
      }
    }
    ReplicaSession* session = connection.session;
    it = connections_.erase(it);
    hub_.Remove(session);
  }
  RefreshStatus(LinkLoop::NowMs());
  if (stopped_ != nullptr && hub_.stopped()) std::exchange(stopped_, nullptr)->set_value();
}

// --- Frames ---

void ReplicationServer::Core::OnWake() {
  wake_posted_.store(false, std::memory_order_release);
  if (gathering_) return;
  const auto next_round = round_at_ + std::chrono::microseconds(options_.gather_us);
  if (std::chrono::steady_clock::now() >= next_round) return Round();
  // Shards whose subscriber has been signalled do not signal again before it is drained, so until
  // then their turns cost no wake.
  gathering_ = true;
  gather_.expires_at(next_round);
  gather_.async_wait([this](const asio::error_code& cancelled) {
    gathering_ = false;
    if (!cancelled) Round();
  });
}

void ReplicationServer::Core::Round() {
  round_at_ = std::chrono::steady_clock::now();
  const int64_t now_ms = LinkLoop::NowMs();
  for (const auto& [id, connection] : connections_) {
    connection->session->Pump(now_ms);
    After(connection.get());
  }
}

// --- Time ---

int64_t ReplicationServer::Core::NextDeadlineMs() const {
  const int64_t at_ms = hub_.NextDeadlineMs();
  return status_due_ ? std::min(at_ms, status_at_ms_ + kStatusMs) : at_ms;
}

void ReplicationServer::Core::OnTick() {
  const int64_t now_ms = LinkLoop::NowMs();
  hub_.Tick(now_ms);
  for (const auto& [id, connection] : connections_) After(connection.get());
  RefreshStatus(now_ms);
}

void ReplicationServer::Core::WaitFor(Watermarks target, int replicas, int64_t timeout_ms,
                                      PrimaryHub::WaitCallback callback, AckKind kind) {
  loop_.Post([this, target = std::move(target), replicas, timeout_ms, kind,
              callback = std::move(callback)]() mutable {
    const int64_t now_ms = LinkLoop::NowMs();
    hub_.WaitFor(target, replicas, timeout_ms == 0 ? DeadlineTimer::kNever : now_ms + timeout_ms,
                 std::move(callback), now_ms, kind);
    ArmTick();
  });
}

// --- Stopping ---

void ReplicationServer::Core::Promote(uint64_t replica, bool force,
                                      PrimaryHub::PromotionCallback callback) {
  loop_.Post([this, replica, force, callback = std::move(callback)]() mutable {
    hub_.Promote(replica, force, std::move(callback));
    for (const auto& [id, connection] : connections_) After(connection.get());
  });
}

void ReplicationServer::Core::Stop(std::optional<PrimaryHub::NewPrimary> moved) {
  if (!std::exchange(started_, false)) return;
  const auto stopped = std::make_shared<std::promise<void>>();
  std::future<void> done = stopped->get_future();
  loop_.Post([this, stopped, moved = std::move(moved)] { BeginStop(stopped, moved); });
  done.wait_for(std::chrono::milliseconds(options_.stop_timeout_ms));
  running_.store(false, std::memory_order_release);
  loop_.Stop();
  if (archive_ != nullptr) archive_->Stop();
  connections_.clear();
  listener_.reset();
}

void ReplicationServer::Core::BeginStop(std::shared_ptr<std::promise<void>> stopped,
                                        std::optional<PrimaryHub::NewPrimary> moved) {
  listener_.reset();
  stopped_ = std::move(stopped);
  shards_.OnEachShard([](PublishingShard& shard) { shard.publisher.SealNow(); },
                      [this, moved = std::move(moved)] {
                        hub_.BeginStop(LinkLoop::NowMs(), moved);
                        Round();
                        Sweep();  // There may be no replica at all.
                      });
}

// --- Seeing it ---

void ReplicationServer::Core::RefreshStatus(int64_t now_ms) {
  status_at_ms_ = now_ms;
  status_due_ = false;
  Status status;
  status.replicas = hub_.Status(now_ms);
  status.away = hub_.registry().away();
  status.sent = hub_.sent();
  status.feeds = hub_.feeds();
  status.positions_lost = hub_.registry().lost_total();
  status.refused_too_slow = hub_.registry().refused_too_slow();
  status.compression = hub_.compression();
  status.refused = refused_;
  for (const ReplicaSession* session : hub_.sessions()) {
    if (!session->link().streaming()) continue;
    const Watermarks& applied = session->link().applied();
    if (status.acked.empty()) status.acked = applied;
    for (size_t i = 0; i < applied.size(); ++i) {
      status.acked[i] = std::min(status.acked[i], applied[i]);
    }
  }
  std::lock_guard lock(status_mutex_);
  status_ = std::move(status);
}

ReplicationServer::ReplicationServer(const Options& options, std::vector<PublishingShard> shards,
                                     ShardCalls calls, BlockingArchive* archive)
    : core_(std::make_unique<Core>(options, std::move(shards), std::move(calls), archive)) {}

ReplicationServer::~ReplicationServer() = default;

absl::Status ReplicationServer::Start() { return core_->Start(); }
void ReplicationServer::Stop(std::optional<PrimaryHub::NewPrimary> moved) {
  core_->Stop(std::move(moved));
}
void ReplicationServer::Promote(uint64_t replica, bool force,
                                PrimaryHub::PromotionCallback callback) {
  core_->Promote(replica, force, std::move(callback));
}
uint16_t ReplicationServer::port() const { return core_->port(); }

void ReplicationServer::SetTokens(LinkTokens tokens) { core_->SetTokens(std::move(tokens)); }

void ReplicationServer::WaitFor(Watermarks target, int replicas, int64_t timeout_ms,
                                absl::AnyInvocable<void(int)> callback, AckKind kind) {
  core_->WaitFor(std::move(target), replicas, timeout_ms, std::move(callback), kind);
}

void ReplicationServer::Open(RelayedStream stream) { core_->OpenRelay(std::move(stream)); }
void ReplicationServer::Hold(std::string why) { core_->HoldRelay(std::move(why)); }
void ReplicationServer::Close(std::string why) { core_->CloseRelay(std::move(why)); }
void ReplicationServer::OnUpstream(Watermarks emitted, int64_t as_of_ms) {
  core_->OnUpstream(std::move(emitted), as_of_ms);
}

ReplicationServer::Status ReplicationServer::status() const { return core_->status(); }

}  // namespace tidemark::replication
