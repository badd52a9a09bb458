// How the nodes of a Cluster start and end.

#include <utility>

#include "base/crash_point.h"
#include "fmt/format.h"
#include "integration/simulation/cluster.h"

namespace tidemark::simulation {
namespace {

constexpr char kToken[] = "secret";
constexpr int64_t kStartRetryUs = 50'000;

}  // namespace

PrimaryNode::Options Cluster::PrimaryOptions() const {
  const Config& config = scenario_.config;
  PrimaryNode::Options options;
  options.shards = primary_shards_;
  options.fresh_history = HistoryId(next_history_);
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
  options.hub.zstd = config.zstd;
  options.hub.compressor.min_payload_bytes = 64;
  options.feed.hub.session.tokens = {.current = kToken, .previous = ""};
  options.feed.hub.session.hello_timeout_ms = 100;
  options.feed.hub.session.heartbeat_interval_ms = 50;
  options.feed.hub.session.silence_timeout_ms = 300;
  options.feed.hub.session.write_timeout_ms = 300;
  options.feed.hub.session.max_queue_bytes = 16 << 10;
  options.feed.retain_bytes = config.export_retain_bytes;
  options.log.fsync = config.fsync;
  options.log.segment_bytes = config.segment_bytes;
  options.log.zstd = config.zstd;
  options.log.sync_us = &sync_us_;
  return options;
}

void Cluster::StartPrimary() {
  if (primary_ != nullptr) return;
  auto started = PrimaryNode::Start(&primary_time_, disk_, &ledger_, PrimaryOptions());
  ++next_history_;
  if (!started.ok()) {
    Say(fmt::format("the primary does not start: {}", started.status().ToString()));
    // A disk that fails may keep a node from starting. What a crash left never may.
    const bool excused = disk_hurt_ && !absl::IsDataLoss(started.status()) &&
                         !absl::IsFailedPrecondition(started.status());
    if (!excused) return ledger_.Fail("no start: " + started.status().ToString());
    situations_.Note(Situation::kStartFailed);
    return sim_.In(kStartRetryUs, [this] { StartPrimary(); });
  }
  primary_ = *std::move(started);
  replacing_ = false;
  const wal::Recovered& recovered = primary_->recovered();
  Say(fmt::format("the primary starts: history {} {}, {} records, snapshot {}, {} torn bytes",
                  recovered.history.value(), recovered.same_history ? "goes on" : "begins",
                  recovered.records, recovered.snapshot, recovered.torn_bytes));
  clients_.CheckRecovered(primary_->ContentsNow());
  situations_.Note(Situation::kTornTailCut, recovered.torn_bytes > 0);
  situations_.Note(Situation::kTransactionDiscarded, !recovered.discarded.empty());
  situations_.Note(Situation::kNewHistory, !recovered.same_history && !recovered.ancestors.empty());
  situations_.Note(Situation::kSameHistory, recovered.same_history);
  situations_.Note(Situation::kRecoveredFromSnapshot, recovered.snapshot > 0);
}

void Cluster::NotePrimary() {
  situations_.Note(Situation::kOverflow, primary_->overflows() > 0);
  situations_.Note(Situation::kSegmentsRolled, primary_->log().segments_begun() > 1);
  situations_.Note(Situation::kSnapshotTaken, primary_->snapshots().completed > 0);
  situations_.Note(Situation::kSnapshotFailed, primary_->snapshots().failed > 0);
  situations_.Note(Situation::kSegmentsPruned, primary_->snapshots().pruned_segments > 0);
  situations_.Note(Situation::kPositionRefused, primary_->hub().sent().positions_refused > 0);
}

void Cluster::EndPrimary(wal::SimulatedDisk::Unsynced unsynced, bool quietly, int64_t down_us) {
  if (primary_ == nullptr) return;
  SetCrashPointHook(nullptr);
  NotePrimary();
  if (quietly) primary_->LosePower();
  // First the disk: a process that has died cleans nothing up.
  disk_.Crash(unsynced);
  primary_ = nullptr;
  clients_.OnPrimaryGone();
  sim_.In(down_us, [this] { StartPrimary(); });
}

void Cluster::StopPrimary(int64_t down_us) {
  if (primary_ == nullptr) return;
  SetCrashPointHook(nullptr);
  const absl::Status stopped = primary_->Stop();
  Say("the primary stops: " + stopped.ToString());
  NotePrimary();
  disk_.Crash(wal::SimulatedDisk::Unsynced::kKeep);
  primary_ = nullptr;
  clients_.OnPrimaryGone();
  sim_.In(down_us, [this] { StartPrimary(); });
}

void Cluster::StartReplica(size_t index) {
  if (replicas_[index].node != nullptr) return;
  const Config& config = scenario_.config;
  ReplicaNode::Options options;
  options.name = fmt::format("replica-{}", index);
  options.link.node_id = options.name;
  options.link.token = kToken;
  options.link.want_zstd = index == 0;
  options.link.connect_timeout_ms = 50;
  options.link.accept_timeout_ms = 300;
  options.link.silence_timeout_ms = 200;
  options.link.stable_after_ms = 100;
  options.link.backoff = {.first_ms = 5, .longest_ms = 100};
  options.link.seed = scenario_.seed + index;
  options.applier = {.own_shards = config.replica_shards[index],
                     .max_pending_bytes = config.max_pending_bytes,
                     .max_held_bytes = 16 << 20,
                     .max_step_bytes = config.max_step_bytes,
                     .max_steps_under_way = config.max_steps_under_way};
  replicas_[index].node = std::make_unique<ReplicaNode>(
      replicas_[index].time.get(), &ledger_, options, [this] { return DialPrimary(false); });
}

void Cluster::EndReplica(size_t index) {
  if (replicas_[index].node == nullptr) return;
  NoteReplica(*replicas_[index].node);
  replicas_[index].node = nullptr;
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
}

ConnectionRef Cluster::DialPrimary(bool consumer) {
  if (primary_ == nullptr || unreachable_) return nullptr;
  auto connection = std::make_shared<Connection>(&sim_);
  consumer ? primary_->AcceptConsumer(connection) : primary_->AcceptReplica(connection);
  return connection;
}

}  // namespace tidemark::simulation
