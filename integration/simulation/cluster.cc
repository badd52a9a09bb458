#include "integration/simulation/cluster.h"

#include <limits>
#include <utility>

#include "base/crash_point.h"
#include "fmt/format.h"

namespace tidemark::simulation {
namespace {

constexpr int64_t kQuickSyncUs = 300;

std::string Join(const Watermarks& marks) {
  std::string text;
  for (const Sequence mark : marks) text += fmt::format(" {}", mark.value());
  return text;
}

}  // namespace

Cluster::Cluster(const Scenario& scenario, Trace trace)
    : scenario_(scenario),
      trace_(std::move(trace)),
      sim_(scenario.seed),
      clients_(&ledger_, &situations_),
      disk_(scenario.seed),
      sync_us_(kQuickSyncUs),
      primary_shards_(scenario.config.primary_shards),
      primary_time_(&sim_),
      consumer_time_(&sim_) {
  StartPrimary();
  for (size_t i = 0; i < kReplicas; ++i) {
    replicas_[i].time = std::make_unique<NodeTime>(&sim_);
    situations_.Note(Situation::kAcrossShardCounts,
                     scenario.config.replica_shards[i] != primary_shards_);
    StartReplica(i);
  }
  consumer_ = std::make_unique<ConsumerNode>(&consumer_time_, &ledger_, "secret",
                                             [this] { return DialPrimary(true); });
  const int64_t begin_us = sim_.now_us();
  for (const Step& step : scenario.steps) {
    sim_.In(begin_us + step.at_us - sim_.now_us(), [this, &step] { Perform(step); });
  }
  Look();
}

Cluster::~Cluster() { SetCrashPointHook(nullptr); }

void Cluster::Say(const std::string& line) {
  if (trace_ != nullptr)
    trace_(fmt::format("{:10.6f} {}", static_cast<double>(sim_.now_us()) / 1e6, line));
}

std::string Cluster::Run() {
  const int64_t steps_end_us = sim_.now_us() + Scenario::kStepsUntilUs;
  constexpr int64_t kSliceUs = 20'000;
  while (sim_.now_us() < steps_end_us && ledger_.fault().empty()) {
    sim_.RunUntil(sim_.now_us() + kSliceUs);
  }
  if (ledger_.fault().empty()) Mend();
  const int64_t end_us = sim_.now_us() + kConvergeWithinUs;
  while (ledger_.fault().empty() && sim_.now_us() < end_us) {
    sim_.RunUntil(sim_.now_us() + kSliceUs);
    if (Converged()) break;
  }
  if (ledger_.fault().empty() && !Converged()) ledger_.Fail("no convergence: " + WhyNotConverged());
  for (size_t i = 0; ledger_.fault().empty() && i < kReplicas; ++i) CheckContents(i);
  NoteAll();
  if (!ledger_.fault().empty()) Say("FAULT: " + ledger_.fault());
  return ledger_.fault();
}

// --- At every moment ---

void Cluster::Look() {
  LookAtPrimary();
  if (primary_ != nullptr) {
    if (std::string fault = primary_->Check(); !fault.empty()) ledger_.Fail("primary: " + fault);
  }
  for (size_t i = 0; i < kReplicas; ++i) LookAtReplica(i);
  sim_.In(sim_.Between(500, 6'000), [this] { Look(); });
}

void Cluster::LookAtReplica(size_t index) {
  ReplicaNode* replica = replicas_[index].node.get();
  if (replica == nullptr) return;
  if (std::string fault = replica->Check(); !fault.empty()) {
    ledger_.Fail(fmt::format("replica-{}: {}", index, fault));
  }
  for (const std::vector<std::string>& keys : clients_.pairs()) {
    const std::string first = replica->Read(keys[0]);
    for (const std::string& key : keys) {
      if (replica->Read(key) == first) continue;
      ledger_.Fail(
          fmt::format("replica-{} shows half a transaction: {} is not as {}", index, key, keys[0]));
    }
  }
  if (replica->settled() && sim_.Chance(1)) CheckContents(index);
}

// A replica never shows a state that the primary's stream did not pass through.
void Cluster::CheckContents(size_t index) {
  ReplicaNode& replica = *replicas_[index].node;
  const replication::Applier& applier = replica.applier();
  if (applier.history() == HistoryId() || !applier.synced()) return;
  const std::string difference =
      Difference(ledger_.StateAt(applier.history(), applier.applied()), replica.ContentsNow());
  if (!difference.empty()) {
    ledger_.Fail(fmt::format("replica-{} at{}: {}", index, Join(applier.applied()), difference));
  }
}

// --- The end ---

void Cluster::Mend() {
  Say("all faults are mended");
  unreachable_ = false;
  sync_us_ = kQuickSyncUs;
  disk_.set_capacity_bytes(std::numeric_limits<uint64_t>::max());
  disk_.FailSync(std::numeric_limits<uint64_t>::max());
  disk_.FailWrite(std::numeric_limits<uint64_t>::max());
  disk_hurt_ = false;
  SetCrashPointHook(nullptr);
  for (size_t i = 0; i < kReplicas; ++i) StartReplica(i);
  StartPrimary();
}

bool Cluster::Converged() {
  // Nodes that are away, or to be replaced, come back by themselves.
  if (primary_ == nullptr || replacing_ || primary_time_.stopped()) return false;
  if (primary_->log().state() != wal::LogState::kWriting || primary_->walking()) return false;
  if (std::exchange(last_written_, primary_->history()) != primary_->history()) {
    // Replicas with data refuse a primary without any, as they should.
    for (int i = 0; i < 3; ++i) primary_->Set(fmt::format("last:{}", i), "x", 0);
    return false;
  }
  const Watermarks emitted = primary_->Emitted();
  for (const Replica& replica : replicas_) {
    if (replica.node == nullptr) return false;
    const replication::Applier& applier = replica.node->applier();
    if (applier.history() != primary_->history() || applier.applied() != emitted) return false;
    if (replica.node->link().emitted() != emitted || !replica.node->settled()) return false;
  }
  if (primary_->log().DurableCut() != emitted) {
    // With other policies than always nobody else asks for it.
    primary_->SyncLog();
    return false;
  }
  return consumer_->cursor() == wal::ExportPosition{primary_->history(), emitted} &&
         WhyNotConverged().empty();
}

// What differs between nodes that should be equal.
std::string Cluster::WhyNotConverged() {
  if (primary_ == nullptr) return "the primary is down";
  std::string why;
  const Contents expected = primary_->walking() ? Contents() : primary_->ContentsNow();
  const std::string at = fmt::format("history {} emitted{} durable{}", primary_->history().value(),
                                     Join(primary_->Emitted()), Join(primary_->log().DurableCut()));
  for (size_t i = 0; i < kReplicas; ++i) {
    ReplicaNode* replica = replicas_[i].node.get();
    if (replica == nullptr) return fmt::format("replica-{} is down", i);
    const std::string difference = Difference(expected, replica->ContentsNow());
    if (difference.empty() && replica->applier().applied() == primary_->Emitted()) continue;
    why += fmt::format("replica-{} {} history {} applied{}, last failure {}: {}; ", i,
                       replica->link().state_name(), replica->applier().history().value(),
                       Join(replica->applier().applied()),
                       replica->link().last_failure().ToString(), difference);
  }
  const std::string difference = Difference(expected, consumer_->contents());
  if (!difference.empty() || consumer_->cursor().sequences != primary_->Emitted()) {
    why += fmt::format("the consumer, history {} at{}, last end {}: {}",
                       consumer_->cursor().history.value(), Join(consumer_->cursor().sequences),
                       consumer_->last_end(), difference);
  }
  return why.empty() ? why : at + "; " + why;
}

void Cluster::NoteAll() {
  if (primary_ != nullptr) NotePrimary();
  for (const Replica& replica : replicas_) {
    if (replica.node != nullptr) NoteReplica(*replica.node);
  }
  const ConsumerNode::Counts& feed = consumer_->counts();
  situations_.Note(Situation::kFeedResumed, feed.connections > 1 && feed.records > 0);
  situations_.Note(Situation::kFeedChangedHistory, feed.history_changes > 0);
  situations_.Note(Situation::kFeedSnapshot, feed.snapshots > 0);
  situations_.Note(Situation::kFeedPositionLost, feed.positions_lost > 0);
}

}  // namespace tidemark::simulation
