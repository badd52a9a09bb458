// How the processes of a Cluster start and end.

#include <utility>

#include "base/crash_point.h"
#include "fmt/format.h"
#include "integration/simulation/cluster.h"

namespace tidemark::simulation {
namespace {

constexpr char kToken[] = "secret";
constexpr int64_t kStartRetryUs = 50'000;
constexpr int64_t kPromotionRetryUs = 10'000;

}  // namespace

NodeStore::Options Cluster::StoreOptions(const Machine& machine) const {
  const Config& config = scenario_.config;
  NodeStore::Options options;
  options.fsync = config.fsync;
  options.segment_bytes = config.segment_bytes;
  options.zstd = config.zstd;
  options.sync_us = &machine.sync_us;
  return options;
}

PrimaryNode::Options Cluster::PrimaryOptions(const Machine& machine) {
  const Config& config = scenario_.config;
  PrimaryNode::Options options;
  options.name = machine.name;
  options.shards = machine.shards;
  options.fresh_history = HistoryId(next_history_++);
  options.backlog_bytes = config.backlog_bytes;
  options.limits.max_records = config.max_batch_records;
  options.limits.max_bytes = 4 << 10;
  options.snapshots = {.chunk_bytes = 4 << 10, .slice_bytes = 512};
  options.hub.link = {.tokens = {.current = kToken, .previous = ""},
                      .hello_timeout_ms = 100,
                      .heartbeat_interval_ms = 20,
                      .silence_timeout_ms = 200,
                      .write_timeout_ms = 300};
  options.hub.subscriber.max_frames = config.queue_frames;
  options.hub.subscriber.max_bytes = config.queue_bytes;
  options.hub.subscriber.walk_bytes = 8 << 10;
  options.hub.max_output_bytes = 8 << 10;
  options.hub.registry.keep_every_ms = 50;
  options.hub.registry.away_ms = 500;
  options.hub.registry.too_slow_wait_ms = 200;
  options.hub.registry.forgiven_after_ms = 200;
  options.hub.zstd = config.zstd;
  options.hub.compressor.min_payload_bytes = 64;
  options.feed.hub.session.tokens = {.current = kToken, .previous = ""};
  options.feed.hub.session.hello_timeout_ms = 100;
  options.feed.hub.session.heartbeat_interval_ms = 50;
  options.feed.hub.session.silence_timeout_ms = 300;
  options.feed.hub.session.write_timeout_ms = 300;
  options.feed.hub.session.max_queue_bytes = 16 << 10;
  options.feed.retain_bytes = config.export_retain_bytes;
  options.replica_retain_bytes = config.replica_retain_bytes;
  options.store = StoreOptions(machine);
  return options;
}

ReplicaNode::Options Cluster::ReplicaOptions(size_t index) {
  const Config& config = scenario_.config;
  ReplicaNode::Options options;
  options.name = machines_[index].name;
  options.link.node_id = options.name;
  options.link.token = kToken;
  options.link.want_zstd = index == 1;
  options.link.connect_timeout_ms = 50;
  options.link.accept_timeout_ms = 300;
  options.link.silence_timeout_ms = 200;
  options.link.stable_after_ms = 100;
  options.link.backoff = {.first_ms = 5, .longest_ms = 100};
  options.link.seed = scenario_.seed + index;
  options.applier = {.own_shards = machines_[index].shards,
                     .max_pending_bytes = config.max_pending_bytes,
                     .max_held_bytes = 16 << 20,
                     .max_step_bytes = config.max_step_bytes,
                     .max_steps_under_way = config.max_steps_under_way};
  options.relay_bytes = config.backlog_bytes;
  options.directory_id = HistoryId(1'000 + index);
  options.store = StoreOptions(machines_[index]);
  return options;
}

// --- A process begins ---

void Cluster::Start(size_t index) {
  if (!machines_[index].down()) return;
  // Until somebody else is the primary it does not know what to be.
  if (index == current_ && promotion_.has_value()) return StartIn(index, kPromotionRetryUs);
  index == current_ ? StartPrimary(index) : StartReplica(index);
}

void Cluster::StartIn(size_t index, int64_t delay_us) {
  sim_.In(delay_us, [this, index] { Start(index); });
}

void Cluster::StartFailed(size_t index, const absl::Status& why) {
  Machine& machine = machines_[index];
  machine.time->EndLife();
  Say(fmt::format("{} does not start: {}", machine.name, why.ToString()));
  // A disk that fails may keep a node from starting. What a crash left never may.
  const bool excused =
      machine.disk_hurt && !absl::IsDataLoss(why) && !absl::IsFailedPrecondition(why);
  if (!excused) return ledger_.Fail("no start: " + why.ToString());
  situations_.Note(Situation::kStartFailed);
  StartIn(index, kStartRetryUs);
}

bool Cluster::StartPrimary(size_t index) {
  Machine& machine = machines_[index];
  auto started =
      PrimaryNode::Start(machine.time.get(), *machine.disk, &ledger_, PrimaryOptions(machine));
  if (!started.ok()) {
    StartFailed(index, started.status());
    return false;
  }
  machine.primary = *std::move(started);
  machine.replacing = false;
  const wal::Recovered& recovered = machine.primary->recovered();
  Say(fmt::format("{} starts as primary: history {} {}, {} records, snapshot {}, {} torn bytes",
                  machine.name, recovered.history.value(),
                  recovered.same_history ? "goes on" : "begins", recovered.records,
                  recovered.snapshot, recovered.torn_bytes));
  if (taking_over_.has_value()) {
    situations_.Note(Situation::kPromotedByRestart);
    OnPromoted(index);
  } else {
    clients_.CheckRecovered(machine.primary->ContentsNow());
  }
  situations_.Note(Situation::kTornTailCut, recovered.torn_bytes > 0);
  situations_.Note(Situation::kTransactionDiscarded, !recovered.discarded.empty());
  situations_.Note(Situation::kNewHistory, !recovered.same_history && !recovered.ancestors.empty());
  situations_.Note(Situation::kSameHistory, recovered.same_history);
  situations_.Note(Situation::kRecoveredFromSnapshot, recovered.snapshot > 0);
  return true;
}

bool Cluster::StartReplica(size_t index) {
  Machine& machine = machines_[index];
  wal::Disk* const disk = scenario_.config.replica_logs ? machine.disk.get() : nullptr;
  auto started = ReplicaNode::Start(machine.time.get(), disk, &ledger_, ReplicaOptions(index),
                                    [this] { return DialPrimary(); });
  if (!started.ok()) {
    StartFailed(index, started.status());
    return false;
  }
  machine.replica = *std::move(started);
  machine.replacing = false;
  if (disk == nullptr) return true;
  const wal::Recovered& recovered = machine.replica->store()->recovered();
  Say(fmt::format("{} starts as replica: history {}, {} records, snapshot {}, {} torn bytes{}",
                  machine.name, recovered.history.value(), recovered.records, recovered.snapshot,
                  recovered.torn_bytes, recovered.dropped_restart ? ", a full sync dropped" : ""));
  situations_.Note(Situation::kReplicaRecovered, recovered.records > 0);
  situations_.Note(Situation::kReplicaBeyondCut, !recovered.beyond.empty());
  situations_.Note(Situation::kFullSyncDropped, recovered.dropped_restart);
  situations_.Note(Situation::kRejoined,
                   recovered.history != HistoryId() && !recovered.was_follower);
  return true;
}

// --- And ends ---

void Cluster::OnEnded(size_t index) {
  SetCrashPointHook(nullptr);
  machines_[index].time->EndLife();
  if (isolated_ == index) isolated_.reset();
  if (promotion_.has_value() && promotion_->chosen == index) {
    // Another one, then.
    promotion_->chosen.reset();
    sim_.In(kPromotionRetryUs, [this] { TryToPromote(); });
  }
}

void Cluster::End(size_t index, Unsynced unsynced, bool quietly) {
  Machine& machine = machines_[index];
  if (machine.down()) return;
  if (machine.primary != nullptr) {
    NotePrimary(*machine.primary);
    if (quietly) machine.primary->LosePower();
  } else {
    NoteReplica(*machine.replica);
    if (quietly) machine.replica->LosePower();
    clients_.OnReplicaLost({.memory = 1, .disk = 0});
  }
  // First the disk: a process that has died cleans nothing up.
  machine.disk->Crash(unsynced);
  const bool was_current = machine.primary != nullptr && index == current_;
  machine.primary = nullptr;
  machine.replica = nullptr;
  if (was_current) clients_.OnPrimaryGone();
  OnEnded(index);
}

void Cluster::StopInOrder(size_t index) {
  Machine& machine = machines_[index];
  if (machine.down()) return;
  const absl::Status stopped =
      machine.primary != nullptr ? machine.primary->Stop() : machine.replica->Close();
  Say(fmt::format("{} stops: {}", machine.name, stopped.ToString()));
  End(index, Unsynced::kKeep, false);
}

void Cluster::NotePrimary(const PrimaryNode& primary) {
  situations_.Note(Situation::kOverflow, primary.overflows() > 0);
  situations_.Note(Situation::kSegmentsRolled, primary.log().counters().segments.value() > 1);
  situations_.Note(Situation::kSnapshotTaken, primary.snapshots().completed > 0);
  situations_.Note(Situation::kSnapshotFailed, primary.snapshots().failed > 0);
  situations_.Note(Situation::kSegmentsPruned, primary.snapshots().pruned_segments > 0);
  situations_.Note(Situation::kPositionRefused, primary.hub().sent().positions_refused > 0);
  const replication::FeedCounters& feeds = primary.hub().feeds();
  situations_.Note(Situation::kFedFromLog, feeds.began_in_log + feeds.fell_to_log > 0);
  situations_.Note(Situation::kReturnedLive, feeds.returned > 0);
}

void Cluster::NoteReplica(ReplicaNode& replica) {
  const replication::ReplicaLink::Counters& link = replica.link().counters();
  const replication::Applier::Counters& applier = replica.applier().counters();
  situations_.Note(Situation::kFullSync, applier.snapshots_swapped_in > 0);
  situations_.Note(Situation::kBacklogCatchUp, link.plans_without_snapshot > 0);
  situations_.Note(Situation::kSnapshotDropped, applier.snapshots_dropped > 0);
  situations_.Note(Situation::kDamagedMessage, link.damaged_messages > 0);
  situations_.Note(Situation::kContinuedInChildHistory, replica.continued() > 0);
  situations_.Note(Situation::kStepAtCut, applier.steps_at_cut > 0);
  if (replica.store() == nullptr) return;
  const bool recovered = replica.store()->recovered().records > 0;
  situations_.Note(Situation::kWentOnFromOwnLog,
                   recovered && link.plans_without_snapshot > 0 && link.plans_with_snapshot == 0);
  situations_.Note(Situation::kFullSyncAbandoned,
                   replica.store()->keeper().abandoned_restarts() > 0);
  situations_.Note(Situation::kDiscardsNamed, replica.discards() > 0);
  situations_.Note(Situation::kReplicaSnapshot, replica.snapshots().completed > 0);
  situations_.Note(Situation::kReplicaLogFailed, replica.log_failed());
  situations_.Note(Situation::kChangeWaitedForSpace, replica.delayed_plans() > 0);
}

ConnectionRef Cluster::DialPrimary() {
  if (primary() == nullptr || unreachable_ || isolated_ == current_) return nullptr;
  auto connection = std::make_shared<Connection>(&sim_);
  primary()->AcceptReplica(connection);
  return connection;
}

ConsumerNode::Dialled Cluster::DialFeed() {
  if (primary() == nullptr || unreachable_ || isolated_ == current_) return {};
  auto connection = std::make_shared<Connection>(&sim_);
  primary()->AcceptConsumer(connection);
  return {.connection = connection, .node = Current().name};
}

}  // namespace tidemark::simulation
