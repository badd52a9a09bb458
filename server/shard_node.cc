#include "server/shard_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "base/log/log.h"
#include "server/durability.h"
#include "server/gather.h"
#include "server/node.h"

namespace tidemark::server {
namespace {

constexpr std::string_view kStoppingError =
    "UNBLOCKED The node is stopping. A write that was made may still survive.";

// What one client may have read from it in one turn.
size_t ReadLimit(Pressure pressure) {
  switch (pressure) {
    case Pressure::kNormal:
      return net::IoLoop::kReadBytes;
    case Pressure::kThrottled:
      return 4 * 1024;
    case Pressure::kSuspended:
      break;
  }
  return 512;
}

}  // namespace

ShardNode::ShardNode(Node& node, net::IoLoop& io, cache::Shard& shard)
    : node_(node),
      io_(io),
      shard_(shard),
      mesh_pressure_(node.pressure_thresholds()),
      log_pressure_(node.pressure_thresholds()),
      pause_timer_(io.context()),
      gate_(*this),
      connections_(io, node.connection_limit()) {
  shard.AddHook(this);
}

ShardNode::~ShardNode() = default;

absl::Status ShardNode::Listen(uint16_t port) {
  const Settings& settings = node_.settings();
  auto listener = net::Listener::Open(
      {.address = settings.String(Setting::kBind),
       .port = port,
       .sharing = id() == ShardId(0) ? net::Listener::Options::Sharing::kFirst
                                     : net::Listener::Options::Sharing::kJoin,
       .backlog = static_cast<int>(settings.Int(Setting::kTcpBacklog)),
       .keepalive_seconds = static_cast<int>(settings.Int(Setting::kTcpKeepalive))},
      connections_, node_.connection_limit(), this);
  if (!listener.ok()) return listener.status();
  listener_ = std::move(*listener);
  return absl::OkStatus();
}

net::ConnectionHandler* ShardNode::OnAccept(net::ClientConnection& connection) {
  auto client = std::make_unique<Client>(*this, connection);
  Client* const handler = client.get();
  connection.set_read_limit(read_limit());
  clients_.emplace(connection.id(), std::move(client));
  return handler;
}

Client* ShardNode::FindClient(uint64_t id) {
  const auto it = clients_.find(id);
  return it == clients_.end() ? nullptr : it->second.get();
}

void ShardNode::ForEachClient(const std::function<void(Client&)>& visit) {
  for (auto& [id, client] : clients_) visit(*client);
}

void ShardNode::Bury(uint64_t id) {
  const auto it = clients_.find(id);
  if (it == clients_.end()) return;
  buried_.push_back(std::move(it->second));
  clients_.erase(it);
  if (!token_waiters_.empty()) token_waiters_.Forget(id);
}

void ShardNode::OnTurnEnd() {
  // Readers of the stream first: a reply must not be seen before the frame of its write is on its
  // way.
  node_.replication().OnTurnEnd(id(), now_ms());
  if (NodeDurability* durability = node_.durability(); durability != nullptr)
    FollowLog(*durability);
  gate_.OnTurnEnd();
  if (!token_waiters_.empty() && token_waiters_.due(monotonic_ms())) {
    shard_.Post([this](cache::Shard&) { ServeTokenWaiters(); });
  }
  io_.FlushDirty();
  buried_.clear();
  FollowPressure();
}

// --- Backpressure ---

void ShardNode::FollowPressure() {
  bool changed = FollowOwnQueues();
  const NodePressure& pressure = node_.pressure();
  if (const Action action = pressure.Decide(Work::kWrite); action != node_action_) {
    node_action_ = action;
    changed = true;
  }
  shard_.set_expiry_paused(pressure.Decide(Work::kHousekeeping) != Action::kAdmit);
  pressure_acts_ = log_suspended_ || pressure.acts();
  if (std::exchange(paced_write_ran_, false)) {
    const int64_t pause_ms = pressure.write_pause_ms();
    paused_until_ms_ = monotonic_ms() + pause_ms;
    pause_timer_.expires_after(std::chrono::milliseconds(pause_ms));
    pause_timer_.async_wait([](const asio::error_code&) {});  // That there is a turn is enough.
  }
  FollowTier();
  const bool tier_is_ready = tier_delays_writes_ && !shard_.writes_should_wait();
  if ((delayed_writes_ && WritesMayGoOn()) || tier_is_ready) {
    delayed_writes_ = tier_delays_writes_ = false;
    ForEachClient([](Client& client) { client.Resume(); });
  }
  if (!changed) return;
  connections_.ForEach(
      [&](net::ClientConnection& connection) { connection.set_read_limit(read_limit()); });
}

// What may fill within a tick of the node's. True if a state has changed.
bool ShardNode::FollowOwnQueues() {
  bool changed = false;
  if (shard_.shard_count() > 1) {
    const int percent = shard_.mesh_utilisation_percent();
    mesh_percent_.store(percent, std::memory_order_relaxed);
    changed = mesh_pressure_.Update(percent).has_value();
  }
  if (NodeDurability* durability = node_.durability(); durability != nullptr) {
    changed |= log_pressure_.Update(durability->utilisation_percent(id())).has_value();
    // A log that takes no writes refuses them: nothing would be gained by waiting.
    log_suspended_ = log_pressure_.state() == Pressure::kSuspended && durability->writing();
  }
  return changed;
}

void ShardNode::FollowTier() {
  const cache::ColdValues* const cold = shard_.cold_values();
  if (cold == nullptr) return;
  const cache::ShardMemory& memory = shard_.memory();
  const int percent = memory.waits_for_tier() ? 100 : cold->writing_percent();
  tier_percent_.store(percent, std::memory_order_relaxed);
  if (std::exchange(tier_waits_seen_, memory.waits_ended()) == memory.waits_ended()) return;
  // They keep writes of their clients back, and may sleep. That there is a turn is enough.
  for (int i = 0; i < shard_.shard_count(); ++i) {
    const ShardId peer(static_cast<uint16_t>(i));
    if (peer != id()) shard_.engine().Post(peer, [](cache::Shard&) {});
  }
}

bool ShardNode::WritesMayGoOn() const {
  if (node_action_ == Action::kRefuse) return true;  // To be told so.
  if (log_suspended_ || node_action_ == Action::kDelay) return false;
  return monotonic_ms() >= paused_until_ms_;
}

bool ShardNode::DelaysWrite(const cache::CommandSpec& spec) {
  const Action action = node_.pressure().Decide(WorkOfWrite(spec.name));
  if (action == Action::kRefuse) return false;
  const bool paced = node_.pressure().write_pause_ms() > 0;
  if (log_suspended_ || action == Action::kDelay || (paced && monotonic_ms() < paused_until_ms_)) {
    if (!std::exchange(delayed_writes_, true)) ++writes_delayed_;
    return true;
  }
  // A replica, and a node that loads, have an answer of their own.
  if (shard_.WaitsForTier(spec) && !node_.is_replica() && node_.serving()) {
    if (!std::exchange(tier_delays_writes_, true)) {
      ++writes_delayed_;
      ++writes_delayed_by_tier_;
    }
    return true;
  }
  paced_write_ran_ |= paced;
  return false;
}

bool ShardNode::RefusesWrite(const cache::CommandSpec& spec) const {
  return pressure_acts_ && node_.pressure().Decide(WorkOfWrite(spec.name)) == Action::kRefuse;
}

size_t ShardNode::read_limit() const {
  const Pressure own = std::max(mesh_pressure_.state(), log_pressure_.state());
  const Pressure node = node_action_ == Action::kAdmit ? Pressure::kNormal : Pressure::kThrottled;
  return ReadLimit(std::max(own, node));
}

void ShardNode::FollowLog(NodeDurability& durability) {
  if (!durability.started()) return;
  if (const bool hide = !durability.writing(); hide != hides_expired_) {
    hides_expired_ = hide;
    keyspace().set_effects_only(hide || node_.is_replica());
    if (id() == ShardId(0)) NoteLogState(durability);
  }
}

void ShardNode::NoteLogState(const NodeDurability& durability) {
  if (durability.writing()) {
    Log(LogLevel::kInfo, "the log writes again, and so may clients");
  } else {
    Log(LogLevel::kError,
        fmt::format("the log cannot write, writes are refused{}: {}",
                    durability.failed() ? " until the node is restarted" : " for now",
                    durability.cause()));
  }
}

void ShardNode::WithPosition(std::function<void(const replication::ServedPosition&)> use) {
  replication::ServedPosition position = node_.replication().Served();
  if (node_.is_replica()) return use(position);
  // What other shards have published is of their latest turns; what they have minted, they know.
  Gather<Sequence>(
      *this,
      [](ShardNode& shard) {
        const cache::MutationSink* sink = shard.shard().sink();
        return sink == nullptr ? Sequence() : sink->assigned();
      },
      [position = std::move(position), use = std::move(use)](Watermarks& assigned) mutable {
        position.reached = position.shown = assigned;
        use(position);
      });
}

void ShardNode::AwaitToken(TokenWaiters::Waiter waiter) {
  if (!node_.is_replica()) {
    WithPosition([waiter = std::move(waiter)](const replication::ServedPosition& position) {
      waiter.done(CoverageOf(waiter.token, position), position);
    });
    return;
  }
  token_waiters_.Add(std::move(waiter));
  shard_.Post([this](cache::Shard&) { ServeTokenWaiters(); });
}

// From a task: whoever is answered is then told in the same turn.
void ShardNode::ServeTokenWaiters() {
  if (token_waiters_.empty()) return;
  // Before the look, so that no move between the two is missed.
  node_.served_board().WakeOnMove(id());
  token_waiters_.OnTime(monotonic_ms(), node_.replication().Served());
}

void ShardNode::OnTick(int64_t now_ms) {
  connections_.Tick();
  gate_.OnTick();
  if (held_back_ && !node_.pause_gate().paused(now_ms)) {
    held_back_ = false;
    ForEachClient([](Client& client) { client.Resume(); });
  }
  if (id() == ShardId(0)) node_.OnTick(io_.now_ns());
}

bool ShardNode::DoSlice() {
  const bool digesting = digest_walk_.Step();
  return node_.replication().DoSlice(id()) || digesting;
}

void ShardNode::OnStop() {
  node_.replication().LeaveShard(id());
  connections_.CloseAll(net::CloseReason::kShutdown);
  buried_.clear();
  listener_.reset();
}

void ShardNode::BeginDrain() {
  listener_->Stop();
  // What waits for ever would hold up the end; replies that wait a while may still be good.
  ForEachClient([](Client& client) { client.Unblock(kStoppingError); });
  ForEachClient([](Client& client) { client.CloseAfterReplies(); });
}

void ShardNode::Apply(const ClientSettings& settings) {
  connections_.settings() = settings.connections;
  listener_->set_keepalive_seconds(settings.keepalive_seconds);
  slow_log().set_threshold_us(settings.slow_log_threshold_us);
  slow_log().set_max_length(settings.slow_log_max_length);
  staleness_bounds_ = settings.staleness_bounds;
  track_wait_ms_ = settings.track_wait_ms;
}

uint64_t ShardNode::commands_processed() const {
  return shard_.counters().commands.load(std::memory_order_relaxed);
}

ShardReport ShardNode::Report() {
  ShardReport report = ReportSinceStart();
  SubtractCounters(at_reset_, report);
  return report;
}

ShardReport ShardNode::ReportSinceStart() {
  const cache::Keyspace& keyspace = shard_.keyspace();
  const cache::Shard::Counters& loop = shard_.counters();
  const net::ConnectionSet::Counters& sockets = connections_.counters();
  const net::Listener::Counters& accepts = listener_->counters();
  ShardReport report;
  report.keys = keyspace.size();
  report.expiring_keys = keyspace.expiring_size();
  report.average_ttl_ms = keyspace.average_ttl_ms();
  report.keyspace_bytes = keyspace.memory_bytes();
  report.table_bytes = keyspace.table_bytes();
  report.mapped_bytes = keyspace.mapped_bytes();
  report.keyspace_hits = keyspace.stats().hits;
  report.keyspace_misses = keyspace.stats().misses;
  report.expired_keys = keyspace.stats().expired_lazily + keyspace.stats().expired_actively;
  report.expired_idle_keys = keyspace.stats().expired_idle;
  report.idle_renewals = keyspace.stats().idle_renewals;
  report.stale_hits = keyspace.stats().stale_hits;
  report.revalidations_asked = keyspace.stats().revalidations_asked;
  report.evicted_keys = keyspace.stats().evicted;
  report.cold_keys = keyspace.cold_size();
  report.cold_bytes = keyspace.cold_bytes();
  report.tier_lost = keyspace.stats().cold_lost;
  if (const cache::ColdValues* cold = shard_.cold_values(); cold != nullptr) {
    const cache::ColdValues::Counters& counters = cold->counters();
    report.tier_hits = counters.hits_on_disk;
    report.tier_unreadable = counters.unreadable;
    report.tier_waits = counters.commands_waited;
    report.tier_cached_put_off = counters.cached_put_off;
    report.tier_waiting = cold->fetches_under_way();
    report.tier_demoted = counters.demoted;
    report.tier_demoted_bytes = counters.demoted_bytes;
    report.tier_demotions_stale = counters.demotions_stale;
    report.tier_demotions_failed = counters.demotions_failed;
    report.tier_promoted = counters.promoted;
    report.tier_promotions_stale = counters.promotions_stale;
    report.tier_promotions_held_back = counters.promotions_held_back;
  }
  report.clients = clients_.size();
  for (const auto& [id, client] : clients_) {
    net::ClientConnection& connection = client->connection();
    report.blocked_clients += client->blocked() ? 1 : 0;
    report.client_output_bytes += connection.output_bytes();
    report.client_memory_bytes += connection.memory_bytes();
    report.largest_input_bytes =
        std::max<uint64_t>(report.largest_input_bytes, connection.input_memory_bytes());
    report.largest_output_bytes =
        std::max<uint64_t>(report.largest_output_bytes, connection.output_bytes());
  }
  report.mesh_bytes = shard_.mesh_bytes_under_way();
  report.writes_refused_oom = shard_.counters().writes_refused_oom.load(std::memory_order_relaxed);
  gate_.Report(report);
  report.net_input_bytes = sockets.bytes_in.value();
  report.net_output_bytes = sockets.bytes_out.value();
  report.reads = sockets.reads.value();
  report.writes = sockets.writes.value();
  report.connections_received = accepts.accepted.value();
  report.rejected_connections = accepts.refused_max_clients.value();
  report.accept_failures = accepts.out_of_descriptors.value();
  report.clients_cut_by_output_limit = sockets.closed_by_output_limit.value();
  report.clients_cut_by_query_limit = sockets.closed_by_query_buffer_limit.value();
  report.writes_delayed = writes_delayed_;
  report.writes_delayed_by_tier = writes_delayed_by_tier_;
  report.writes_refused_busy = writes_refused_busy_;
  report.stale_reads_refused = stale_reads_refused_;
  report.token_waiters = token_waiters_.size();
  report.token_waits = token_waiters_.counters().waits;
  report.token_wait_timeouts = token_waiters_.counters().timeouts;
  report.error_replies = errors_.total();
  report.errors.insert(errors_.by_word().begin(), errors_.by_word().end());
  report.commands_processed = loop.commands.load(std::memory_order_relaxed);
  report.loop_turns = loop.turns.load(std::memory_order_relaxed);
  report.loop_parks = loop.parks.load(std::memory_order_relaxed);
  report.mesh_requests = loop.mesh_requests.load(std::memory_order_relaxed);
  report.mesh_spills = loop.mesh_spills.load(std::memory_order_relaxed);
  report.lock_waits = loop.lock_waits.load(std::memory_order_relaxed);
  report.transactions = loop.transactions.load(std::memory_order_relaxed);
  ReportCommands(report);
  return report;
}

void ShardNode::ReportCommands(ShardReport& report) {
  const cache::CommandStats& stats = shard_.command_stats();
  for (int id = 0; id < stats.size(); ++id) {
    const cache::CommandStats::Row& row = stats.row(id);
    if (row.calls == 0 && row.rejected == 0) continue;
    CommandReport& command = report.commands[std::string(node_.commands().ById(id).name)];
    command.calls = row.calls;
    command.usec = row.nanos / 1000;
    command.rejected = row.rejected;
    command.failed = row.failed;
    command.p50_usec = static_cast<double>(row.latency.QuantileNanos(0.5)) / 1000;
    command.p99_usec = static_cast<double>(row.latency.QuantileNanos(0.99)) / 1000;
    command.p999_usec = static_cast<double>(row.latency.QuantileNanos(0.999)) / 1000;
  }
}

void ShardNode::ResetStats() {
  shard_.command_stats().Reset();
  shard_.keyspace().ResetStats();
  errors_.Reset();
  at_reset_ = ReportSinceStart();
}

}  // namespace tidemark::server
