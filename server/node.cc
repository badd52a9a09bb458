#include "server/node.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "base/eviction_policy.h"
#include "base/log/log.h"
#include "base/random_id.h"
#include "server/client_settings.h"
#include "server/gather.h"
#include "server/io_reactor.h"
#include "server/memory_account.h"
#include "server/memory_usage.h"
#include "server/primary_replication.h"
#include "server/replica_replication.h"
#include "server/shard_calls.h"

namespace tidemark::server {
namespace {

// Between two requests that the allocator give pages back: each takes a while.
constexpr int64_t kPurgeIntervalNs = 500'000'000;

constexpr auto kDrainDeadline = std::chrono::seconds(3);

int CoresAllowed() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof(cores), &cores) != 0) return 1;
  return CPU_COUNT(&cores);
}

int ShardCount(const Settings& settings) {
  const int64_t wanted = settings.Int(Setting::kShards);
  return static_cast<int>(wanted > 0 ? wanted : std::min(CoresAllowed(), kMaxShards));
}

PressureThresholds ThresholdsFrom(const Settings& settings) {
  const auto percent = [&](Setting id) { return static_cast<int>(settings.Int(id)); };
  return {.throttle_enter = percent(Setting::kThrottleEnterPercent),
          .throttle_exit = percent(Setting::kThrottleExitPercent),
          .suspend_enter = percent(Setting::kSuspendEnterPercent),
          .suspend_exit = percent(Setting::kSuspendExitPercent)};
}

}  // namespace

Node::Node(Settings& settings, wal::Disk& disk)
    : settings_(settings),
      disk_(disk),
      started_ns_(clock_.MonotonicNanos()),
      connection_limit_(settings.Int(Setting::kMaxclients)),
      role_(settings.role()),
      roles_(std::make_unique<RoleKeeper>(*this)) {
  password_.Set(settings.String(Setting::kRequirepass));
}

Node::~Node() { Stop(); }

absl::Status Node::Identify() {
  const uint64_t id = durability_ == nullptr ? RandomId() : durability_->node_id();
  identity_.node_id = fmt::format("{:016x}", id);
  const int64_t port = settings_.Int(Setting::kReplicationPort);
  if (port == Settings::kNone) return absl::OkStatus();
  identity_.replication_port = static_cast<int>(port);
  if (!is_replica()) return absl::OkStatus();
  auto reserved =
      PortReservation::Make(settings_.String(Setting::kBind), static_cast<uint16_t>(port));
  if (!reserved.ok()) return reserved.status();
  reserved_port_ = *std::move(reserved);
  identity_.replication_port = reserved_port_->port();
  return absl::OkStatus();
}

std::unique_ptr<NodeReplication> Node::MakeReplication(int shards) {
  if (!is_replica()) return std::make_unique<PrimaryReplication>(settings_, shards, identity_);
  return std::make_unique<ReplicaReplication>(settings_, shards, identity_,
                                              ReplicaReplication::FromSettings(settings_),
                                              *served_board_, roles_->orders());
}

absl::Status Node::Start() {
  pressure_thresholds_ = ThresholdsFrom(settings_);
  if (const absl::Status valid = Validate(pressure_thresholds_); !valid.ok()) return valid;
  pressure_ = std::make_unique<NodePressure>(pressure_thresholds_);
  const int shards = ShardCount(settings_);
  if (const std::string directory = settings_.String(Setting::kDataDir); !directory.empty()) {
    durability_ = std::make_unique<NodeDurability>(
        settings_, shards, disk_, clock_,
        is_replica() ? NodeDurability::Minter::kPrimary : NodeDurability::Minter::kThisNode);
    // Before any port is bound: a second process on the directory disturbs nobody.
    if (const absl::Status opened = durability_->Open(); !opened.ok()) return opened;
  }
  if (!settings_.String(Setting::kTierDir).empty()) {
    auto opened = NodeTier::Open(settings_, shards, disk_, clock_);
    if (!opened.ok()) return opened.status();
    tier_ = *std::move(opened);
  }
  for (int i = 0; i < shards; ++i) io_loops_.push_back(std::make_unique<net::IoLoop>());
  served_board_ = std::make_unique<replication::ServedBoard>(shards, [this](ShardId id) {
    engine_->Post(id, [this](cache::Shard& on) { shard(on.id()).OnServedMoved(); });
  });
  if (const absl::Status identified = Identify(); !identified.ok()) return identified;
  replication_ = MakeReplication(shards);
  published_replication_.store(replication_.get(), std::memory_order_release);

  cache::Engine::Options options;
  options.shard_count = shards;
  options.effects_only = is_replica();
  options.commands = &table_.commands();
  options.make_reactor = [this](ShardId id) {
    return std::make_unique<IoReactor>(*io_loops_[id.value()]);
  };
  // With a data directory shards get their sinks once what it holds is in place.
  if (durability_ == nullptr) {
    options.sink_of = [this](ShardId id) { return replication_->SinkOf(id); };
  }
  options.spin_limit = static_cast<int>(settings_.Int(Setting::kSpinLimit));
  options.park_timeout_ms = static_cast<int>(settings_.Int(Setting::kParkTimeoutMs));
  options.tick_ms = static_cast<int>(settings_.Int(Setting::kTickMs));
  engine_ = std::make_unique<cache::Engine>(std::move(options));
  if (tier_ != nullptr) tier_->Attach(*engine_);

  for (int i = 0; i < shards; ++i) {
    const ShardId id(static_cast<uint16_t>(i));
    shards_.push_back(
        std::make_unique<ShardNode>(*this, *io_loops_[id.value()], engine_->shard(id)));
    replication_->AttachShard(engine_->shard(id));
    engine_->shard(id).set_read_only(is_replica());
  }
  digests_ = std::make_unique<DigestService>(
      shards, [this](auto each, auto done) { AtCut(std::move(each), std::move(done)); },
      [this](ShardId id, DigestWalk::Done done) { return shard(id).BeginDigest(std::move(done)); });
  if (const absl::Status listening = Listen(); !listening.ok()) return listening;
  FollowSettings();

  if (const absl::Status prepared = replication_->Prepare(*engine_, shards_[0]->port());
      !prepared.ok()) {
    return prepared;
  }

  startup_bytes_ = MeasureProcess().allocated_bytes;
  engine_->Start();
  running_ = true;
  if (durability_ != nullptr) {
    LimitMemoryWhileLoading();
    if (const absl::Status started = StartDurability(); !started.ok()) return started;
  }
  // Not before what was on disk is in place and the shards tell the log of each eviction.
  {
    const std::lock_guard lock(memory_mutex_);
    limits_memory_ = true;
  }
  ApplyMemorySettings();
  ReleaseReplicationPort();
  const absl::Status started = replication_->Start([this] { StartServing(); });
  if (started.ok()) roles_->Start();
  return started;
}

void Node::StartServing() {
  serving_.store(true, std::memory_order_release);
  stop_.Notify();
}

std::unique_ptr<NodeReplication> Node::Exchange(std::unique_ptr<NodeReplication> next,
                                                NodeRole role) {
  std::unique_ptr<NodeReplication> old = std::exchange(replication_, std::move(next));
  published_replication_.store(replication_.get(), std::memory_order_release);
  role_.store(role, std::memory_order_release);
  // When this has run on every shard, none has the old one in its hands.
  RunOnShards(*engine_, [this, &old](cache::Shard& on) {
    old->LeaveShard(on.id());
    shard(on.id()).gate().FailHeld(
        "UNBLOCKED this node is not the primary any more; the write may have survived, or not");
    shard(on.id()).ForEachClient([](Client& client) { client.OnRoleChanged(); });
  });
  return old;
}

void Node::ResumeClients() {
  RunOnShards(*engine_, [this](cache::Shard& on) {
    shard(on.id()).ForEachClient([](Client& client) { client.Resume(); });
  });
}

void Node::AtCut(CutTask each, CutDone done) {
  const std::lock_guard lock(cuts_mutex_);
  if (cuts_held_) {
    held_cuts_.emplace_back(std::move(each), std::move(done));
  } else {
    replication().AtCut(std::move(each), std::move(done));
  }
}

void Node::HoldCuts() {
  const std::lock_guard lock(cuts_mutex_);
  cuts_held_ = true;
}

void Node::ResumeCuts() {
  const std::lock_guard lock(cuts_mutex_);
  cuts_held_ = false;
  for (auto& [each, done] : std::exchange(held_cuts_, {})) {
    replication().AtCut(std::move(each), std::move(done));
  }
}

absl::Status Node::StartDurability() {
  const absl::Status recovered = durability_->Recover(*engine_, [this] { return stop_.asked(); });
  if (!recovered.ok()) return recovered;
  if (is_replica()) {
    auto& replica = static_cast<ReplicaReplication&>(*replication_);
    replica.Begin(durability_->recovered(), durability_->stream());
    StartServices(replica);
    return absl::OkStatus();
  }
  auto& primary = static_cast<PrimaryReplication&>(*replication_);
  primary.Begin(durability_->Beginnings());
  primary.set_archive(durability_->MakeArchive());
  return StartServices(primary);
}

absl::Status Node::StartServices(PrimaryReplication& primary) {
  return durability_->StartServices(
      *engine_, {.producer = [&primary](ShardId id) -> replication::SnapshotProducer& {
                   return primary.snapshots(id);
                 },
                 .assigned = [&primary] { return primary.AssignedOfAll(); },
                 .pressure = [this] { return pressure_->state(); }});
}

void Node::StartServices(ReplicaReplication& replica) {
  durability_->StartReplicaServices(*engine_,
                                    {.request_cut =
                                         [&replica](auto queue, auto known) {
                                           replica.RequestCut(std::move(queue), std::move(known));
                                         },
                                     .applied = [&replica] { return replica.AppliedRecords(); },
                                     .pressure = [this] { return pressure_->state(); }});
}

absl::Status Node::Listen() {
  uint16_t port = static_cast<uint16_t>(settings_.Int(Setting::kPort));
  for (const auto& shard : shards_) {
    if (const absl::Status status = shard->Listen(port); !status.ok()) return status;
    port = shard->port();  // The kernel's choice, if it was 0, is everyone's.
  }
  return absl::OkStatus();
}

void Node::FollowSettings() {
  SetLogLevel(settings_.Choice<LogLevel>(Setting::kLogLevel));
  settings_.OnChange(Setting::kLogLevel,
                     [this] { SetLogLevel(settings_.Choice<LogLevel>(Setting::kLogLevel)); });
  settings_.OnChange(Setting::kRequirepass,
                     [this] { password_.Set(settings_.String(Setting::kRequirepass)); });
  settings_.OnChange(Setting::kMaxclients,
                     [this] { connection_limit_.set_max(settings_.Int(Setting::kMaxclients)); });
  for (Setting id : {Setting::kReplicationToken, Setting::kReplicationTokenPrevious}) {
    settings_.OnChange(id, [this] { replication().OnTokensChanged(); });
  }
  for (Setting id : {Setting::kAck, Setting::kFsync}) {
    settings_.OnChange(id, [this] { ApplyAckSettings(); });
  }
  ApplyAckSettings();  // Shards do this first of all.
  for (Setting id :
       {Setting::kTimeout, Setting::kTcpKeepalive, Setting::kProtoMaxBulkLen,
        Setting::kClientQueryBufferLimit, Setting::kClientOutputBufferLimit,
        Setting::kSlowlogLogSlowerThan, Setting::kSlowlogMaxLen, Setting::kMaxStalenessMs,
        Setting::kMaxStalenessRecords, Setting::kTrackWaitMs}) {
    settings_.OnChange(id, [this] { ApplyToShards(); });
  }
  ApplyToShards();
  for (Setting id : {Setting::kMaxmemory, Setting::kMaxmemoryPolicy, Setting::kMaxmemorySamples,
                     Setting::kLfuLogFactor, Setting::kLfuDecayTime}) {
    settings_.OnChange(id, [this] { ApplyMemorySettings(); });
  }
}

void Node::ApplyMemorySettings() {
  const std::lock_guard lock(memory_mutex_);
  if (!limits_memory_) return;
  const auto maxmemory = static_cast<uint64_t>(settings_.Int(Setting::kMaxmemory));
  cache::EvictionOptions options;
  options.policy = settings_.Choice<EvictionPolicy>(Setting::kMaxmemoryPolicy);
  options.samples = static_cast<int>(settings_.Int(Setting::kMaxmemorySamples));
  options.lfu_log_factor = static_cast<int>(settings_.Int(Setting::kLfuLogFactor));
  options.lfu_decay_minutes = static_cast<int>(settings_.Int(Setting::kLfuDecayTime));
  // Until the next tick as if nothing but keyspaces counted.
  engine_->LimitMemory(maxmemory == 0 ? cache::MemoryBudget::kUnlimited : maxmemory, options);
}

void Node::LimitMemoryWhileLoading() {
  const auto maxmemory = static_cast<uint64_t>(settings_.Int(Setting::kMaxmemory));
  if (tier_ == nullptr || maxmemory == 0) return;
  cache::EvictionOptions options;
  options.policy = EvictionPolicy::kNoEviction;  // Nobody could be told that a key has gone.
  engine_->LimitMemory(maxmemory, options);
}

int Node::FollowMemory(const ReplicationView& view, int64_t now_ns) {
  const auto maxmemory = static_cast<uint64_t>(settings_.Int(Setting::kMaxmemory));
  if (maxmemory == 0) return 0;
  cache::MemoryBudget& budget = engine_->memory_budget();
  const ProcessUsage process = MeasureProcess();
  MemoryAccount account;
  account.has_allocator = process.has_allocator;
  account.allocated_bytes = process.allocated_bytes;
  account.rss_bytes = process.rss_bytes;
  account.keyspace_bytes = budget.used_bytes();
  account.mapped_bytes = budget.mapped_bytes();
  account.backlog_bytes = view.backlog_bytes;
  account.subscriber_queue_bytes = QueuedBytes(view);
  if (durability_ != nullptr) account.log_queue_bytes = durability_->queued_bytes();
  budget.set_limit_bytes(KeyspaceLimit(maxmemory, account));
  if (WantsPurge(maxmemory, account) && now_ns >= next_purge_ns_) {
    next_purge_ns_ = now_ns + kPurgeIntervalNs;
    PurgeAllocator();
  }
  // A replica holds what its primary does: slowing its readers down would mend nothing.
  return is_replica() ? 0 : OvershootPercent(maxmemory, account);
}

void Node::ApplyToShards() {
  const ClientSettings settings = ClientSettings::From(settings_);
  for (const auto& shard : shards_) {
    engine_->Post(shard->id(),
                  [&shard = *shard, settings](cache::Shard&) { shard.Apply(settings); });
  }
}

void Node::ApplyAckSettings() {
  for (const auto& shard : shards_) {
    engine_->Post(shard->id(), [&shard = *shard](cache::Shard&) { shard.gate().FollowSettings(); });
  }
}

int Node::GoodReplicas() const {
  const replication::AckLevels* const levels = replication().ack_levels();
  if (levels == nullptr) return 0;
  // The clock that the link thread goes by, too.
  const int64_t now_ms = clock_.MonotonicNanos() / 1'000'000;
  return levels->CurrentSince(now_ms - settings_.Int(Setting::kMinReplicasMaxLagMs));
}

bool Node::WaitUntilServing() {
  return stop_.WaitUntil([this] { return serving(); });
}

int Node::replication_port() const {
  // There the end of replication does not change under our hands.
  std::promise<int> open_port;
  engine_->Post(ShardId(0), [&](cache::Shard&) { open_port.set_value(replication().port()); });
  const int port = open_port.get_future().get();
  return port != 0 ? port : std::max(identity_.replication_port, 0);
}

std::string Node::ReadyLine() const {
  std::string line = fmt::format("tidemark ready role={} port={}",
                                 is_replica() ? "replica" : "primary", shards_[0]->port());
  if (const int port = replication_port(); port != 0) {
    line += fmt::format(" replication_port={}", port);
  }
  if (durability_ != nullptr && durability_->export_port() != 0) {
    line += fmt::format(" export_port={}", durability_->export_port());
  }
  return line + fmt::format(" shards={} pid={}", shards_.size(), getpid());
}

void Node::Stop() {
  if (!running_) return;
  running_ = false;
  roles_->Stop();
  DrainClients();
  if (durability_ != nullptr && is_replica()) {
    durability_->StopSnapshots(stop_saves_.load());
  } else if (durability_ != nullptr && durability_->started()) {
    // From here on nothing is written: what is past its time stays until the next start.
    RunOnShards(*engine_, [](cache::Shard& shard) { shard.keyspace().set_effects_only(true); });
    durability_->StopSnapshots(stop_saves_.load());
  }
  replication_->Stop();
  // The last snapshot has read what it needs.
  if (tier_ != nullptr) tier_->Stop();
  engine_->Stop();
  if (tier_ != nullptr) tier_->Join();
  if (durability_ == nullptr) return;
  if (const absl::Status closed = durability_->Close(); !closed.ok()) {
    Log(LogLevel::kError, fmt::format("the data directory could not be left cleanly: {}",
                                      std::string(closed.message())));
  }
}

void Node::DrainClients() {
  for (const auto& shard : shards_) {
    engine_->Post(shard->id(), [&shard = *shard](cache::Shard&) { shard.BeginDrain(); });
  }
  const auto deadline = std::chrono::steady_clock::now() + kDrainDeadline;
  while (connection_limit_.count() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  if (const int64_t left = connection_limit_.count(); left > 0) {
    Log(LogLevel::kWarning,
        fmt::format("{} clients did not take their replies in time and are cut", left));
  }
}

void Node::AnswerReport(Client& client,
                        std::function<void(const NodeReport&, cache::ReplyBuilder&)> answer) {
  GatherThenReply<ShardReport>(
      client, [](ShardNode& shard) { return shard.Report(); },
      [this, answer = std::move(answer)](std::vector<ShardReport>& shards,
                                         cache::ReplyBuilder& reply) {
        answer(MakeReport(shards), reply);
      });
}

NodeReport Node::MakeReport(std::vector<ShardReport>& shards) const {
  NodeReport report;
  report.total = Sum(shards);
  report.by_shard = std::move(shards);
  report.replica = is_replica();
  report.port = shards_[0]->port();
  report.replication_port = replication().port();
  report.failover_state = ToString(roles_->failover_state());
  report.now_ms = clock_.UnixMillis();
  report.uptime_ms = (clock_.MonotonicNanos() - started_ns_) / 1'000'000;
  report.config_file = settings_.String(Setting::kConfig);
  report.max_clients = static_cast<uint64_t>(settings_.Int(Setting::kMaxclients));
  report.latency_tracking = settings_.Bool(Setting::kLatencyTracking);
  report.process = MeasureProcess();
  report.maxmemory_bytes = static_cast<uint64_t>(settings_.Int(Setting::kMaxmemory));
  report.maxmemory_policy = settings_.String(Setting::kMaxmemoryPolicy);
  if (report.maxmemory_bytes != 0) {
    report.keyspace_limit_bytes = engine_->memory_budget().limit_bytes();
  }
  report.startup_bytes = startup_bytes_;
  report.system_memory_bytes = SystemMemoryBytes();
  report.ops_per_second = command_rate_.per_second();
  report.input_kbps = input_rate_.per_second() / 1024;
  report.output_kbps = output_rate_.per_second() / 1024;
  report.replication = replication().View();
  report.pressure = pressure_->View();
  report.tier = tier_view();
  report.replication.min_replicas_to_write = settings_.Int(Setting::kMinReplicasToWrite);
  report.replication.good_replicas = GoodReplicas();
  if (durability_ != nullptr) report.durability = durability_->View();
  return report;
}

void Node::FollowPressure(int64_t now_ns) {
  NodePressure::Sample sample;
  sample.stall_ms = settings_.Int(Setting::kWriteStallMs);
  for (const auto& shard : shards_) {
    int& mesh = sample[PressureInput::kShardQueue];
    mesh = std::max(mesh, shard->mesh_percent());
    int& tier = sample[PressureInput::kTierWrites];
    tier = std::max(tier, shard->tier_percent());
    // A log that cannot write is not slow: it refuses writes by itself.
    if (durability_ == nullptr || !durability_->writing()) continue;
    int& log = sample[PressureInput::kLogBytes];
    log = std::max(log, durability_->utilisation_percent(shard->id()));
  }
  const ReplicationView view = replication().View();
  sample[PressureInput::kMemory] = FollowMemory(view, now_ns);
  if (!is_replica()) {
    sample[PressureInput::kReplicaLag] = ReplicaLagPercent(
        view.replicas, {.records = settings_.Int(Setting::kThrottleOnReplicaLagRecords),
                        .ms = settings_.Int(Setting::kThrottleOnReplicaLagMs),
                        .required = static_cast<int>(
                            std::max(settings_.Int(Setting::kThrottleOnReplicaLagReplicas),
                                     settings_.Int(Setting::kMinReplicasToWrite)))});
    const auto queue_bytes = static_cast<uint64_t>(settings_.Int(Setting::kSubscriberQueueBytes));
    for (const ReplicaReport& replica : view.replicas) {
      int& queue = sample[PressureInput::kSubscriberQueue];
      queue = std::max(queue, UtilisationPercent(replica.queue_bytes, queue_bytes));
    }
  }
  for (const std::string& line : pressure_->Update(sample, now_ns / 1'000'000)) {
    Log(LogLevel::kWarning, line);
  }
}

void Node::OnTick(int64_t now_ns) {
  digests_->Tick();
  FollowPressure(now_ns);
  uint64_t commands = 0;
  uint64_t input = 0;
  uint64_t output = 0;
  for (const auto& shard : shards_) {
    commands += shard->commands_processed();
    input += shard->socket_counters().bytes_in.value();
    output += shard->socket_counters().bytes_out.value();
  }
  command_rate_.Sample(now_ns, commands);
  input_rate_.Sample(now_ns, input);
  output_rate_.Sample(now_ns, output);
}

}  // namespace tidemark::server
