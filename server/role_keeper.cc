#include "server/role_keeper.h"

#include <fmt/format.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "base/log/log.h"
#include "base/thread_name.h"
#include "replication/shell/primary_locator.h"
#include "server/node.h"

namespace tidemark::server {
namespace {

constexpr size_t kMaxJobs = 16;

// Asks at `host`:`port` which port takes replicas, as a link would; waits for at most `for_ms`.
absl::StatusOr<replication::LocatedPrimary> Locate(const std::string& host, int port,
                                                   const std::string& node_id, int64_t for_ms) {
  absl::StatusOr<replication::LocatedPrimary> found =
      absl::UnavailableError(fmt::format("no answer from {}:{} in time", host, port));
  asio::io_context context;
  replication::PrimaryLocator locator(context);
  locator.Locate(host, static_cast<uint16_t>(port), node_id,
                 [&](absl::StatusOr<replication::LocatedPrimary> answer) {
                   found = std::move(answer);
                   context.stop();
                 });
  context.run_for(std::chrono::milliseconds(for_ms));
  return found;
}

std::string Text(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

}  // namespace

std::string_view ToString(RoleKeeper::FailoverState state) {
  switch (state) {
    case RoleKeeper::FailoverState::kNone:
      return "no-failover";
    case RoleKeeper::FailoverState::kWaitingForSync:
      return "waiting-for-sync";
    case RoleKeeper::FailoverState::kInProgress:
      break;
  }
  return "failover-in-progress";
}

RoleKeeper::RoleKeeper(Node& node) : node_(node), switch_(node, orders()) {}

RoleKeeper::~RoleKeeper() { Stop(); }

ReplicaReplication::Orders RoleKeeper::orders() {
  return {.promote = [this] { Enqueue([this] { DoOrderedPromotion(); }, nullptr); },
          .follow =
              [this](std::string host, uint16_t port) {
                Enqueue([this, host = std::move(host), port] { DoOrderedFollow(host, port); },
                        nullptr);
              }};
}

void RoleKeeper::Start() {
  thread_ = std::thread([this] {
    NameThread("roles");
    Run();
  });
}

void RoleKeeper::Stop() {
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(jobs_);
    changed_.notify_all();
  }
  for (const Job& job : left) {
    if (job.refuse) job.refuse({.ok = false, .text = "ERR the node is stopping"});
  }
  if (thread_.joinable()) thread_.join();
}

void RoleKeeper::Enqueue(std::function<void()> run, Done refuse) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && jobs_.size() < kMaxJobs) {
      jobs_.push_back({std::move(run), std::move(refuse)});
      changed_.notify_all();
      return;
    }
  }
  if (refuse)
    refuse({.ok = false, .text = "ERR too many changes of the node's role are asked for"});
}

void RoleKeeper::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.run();
    lock.lock();
  }
}

// --- REPLICAOF ---

void RoleKeeper::Promote(Done done) {
  Enqueue([this, done] { DoPromote(done); }, done);
}

void RoleKeeper::Follow(std::string host, int port, Done done) {
  Enqueue([this, host = std::move(host), port, done] { DoFollow(host, port, done); }, done);
}

std::string RoleKeeper::WhyNotTakeOver() const {
  return node_.durability() == nullptr ? "" : node_.durability()->WhyNotTakeOver();
}

void RoleKeeper::DoPromote(const Done& done) {
  if (!node_.is_replica()) return done({});
  if (std::string why = WhyNotTakeOver(); !why.empty()) return done({false, why});
  const absl::Status taken = switch_.TakeOver(replication::wire::Goodbye::STOPPING);
  if (!taken.ok()) {
    return done({false, fmt::format("ERR this node is still a replica: {}", Text(taken))});
  }
  done({});
}

void RoleKeeper::DoFollow(const std::string& host, int port, const Done& done) {
  if (node_.is_replica() && switch_.replica().course().host == host &&
      switch_.replica().course().port == port) {
    return done({true, "OK Already connected to specified master"});
  }
  const absl::StatusOr<replication::LocatedPrimary> located = Locate(
      host, port, node_.identity().node_id, node_.settings().Int(Setting::kConnectTimeoutMs));
  if (!located.ok() && located.status().code() == absl::StatusCode::kFailedPrecondition) {
    return done({false, fmt::format("ERR {}; nothing was changed", Text(located.status()))});
  }
  if (!located.ok()) {
    Log(LogLevel::kWarning, fmt::format("{}; this node becomes its replica all the same, and goes "
                                        "on trying",
                                        Text(located.status())));
  }
  switch_.Follow(host, port);
  done({});
}

// --- What a primary orders ---

void RoleKeeper::DoOrderedPromotion() {
  if (!node_.is_replica()) return;
  std::string obstacle = WhyNotTakeOver();
  if (node_.identity().replication_port < 0) {
    obstacle = "it has no replication_port, so nobody could follow it";
  }
  if (!obstacle.empty()) return switch_.replica().RefusePromotion(std::move(obstacle));
  Log(LogLevel::kInfo, "the primary hands its role to this node");
  const absl::Status taken = switch_.TakeOver(replication::wire::Goodbye::PROMOTED);
  if (!taken.ok()) {
    Log(LogLevel::kError,
        fmt::format("this node was to take over and is still a replica, as its old primary is now: "
                    "{}. Say REPLICAOF NO ONE to one of the two",
                    Text(taken)));
  }
}

void RoleKeeper::DoOrderedFollow(const std::string& host, int port) {
  if (!node_.is_replica()) return;
  Log(LogLevel::kInfo, fmt::format("the primary has handed its role to {}:{}", host, port));
  switch_.Follow(host, port);
}

// --- FAILOVER ---

bool RoleKeeper::BeginFailover(Target target, FailoverPlan::Options options) {
  FailoverState none = FailoverState::kNone;
  if (!failover_state_.compare_exchange_strong(none, FailoverState::kWaitingForSync)) return false;
  {
    const std::lock_guard lock(mutex_);
    abort_ = false;
  }
  Enqueue([this, target = std::move(target), options] { DoFailover(target, options); },
          [this](const Outcome&) { failover_state_ = FailoverState::kNone; });
  return true;
}

bool RoleKeeper::AbortFailover() {
  const std::lock_guard lock(mutex_);
  if (failover_state() != FailoverState::kWaitingForSync) return false;
  abort_ = true;
  changed_.notify_all();
  return true;
}

bool RoleKeeper::PauseFailover(int64_t for_ms) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(for_ms), [&] { return stopping_ || abort_; });
  return stopping_ || abort_;
}

bool RoleKeeper::MayHaveTakenOver(const Target& target) {
  using std::chrono::steady_clock;
  const int64_t look_ms = node_.settings().Int(Setting::kConnectTimeoutMs);
  const auto deadline = steady_clock::now() + std::chrono::seconds(3);
  std::optional<steady_clock::time_point> replica_since;
  while (steady_clock::now() < deadline) {
    const absl::StatusOr<replication::LocatedPrimary> located =
        Locate(target.host, target.port, node_.identity().node_id, look_ms);
    const bool is_replica = located.ok()
                                ? located->is_replica
                                : located.status().code() == absl::StatusCode::kFailedPrecondition;
    // Its port for replicas is another than that for clients, where a process that is just dying
    // may end the connection without a word.
    if (located.ok() && !is_replica && located->port != target.port) return true;
    if (!is_replica) {
      replica_since.reset();
    } else if (!replica_since) {
      replica_since = steady_clock::now();
    } else if (steady_clock::now() - *replica_since >= std::chrono::seconds(1)) {
      return false;  // It would have read the order by now.
    }
    PauseFailover(20);
  }
  Log(LogLevel::kError,
      fmt::format(
          "failover: {}:{} was told to take over and does not answer. This node follows it, "
          "since two primaries would be worse than none. If it is lost, say REPLICAOF NO ONE "
          "here: this node has every acknowledged write",
          target.host, target.port));
  return true;
}

}  // namespace tidemark::server
