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
      consumer_time_(&sim_) {
  for (size_t i = 0; i < kMachines; ++i) {
    Machine& machine = machines_[i];
    machine.name = fmt::format("node-{}", i);
    machine.time = std::make_unique<NodeTime>(&sim_);
    machine.disk = std::make_unique<wal::SimulatedDisk>(scenario.seed + i);
    machine.shards =
        i == 0 ? scenario.config.primary_shards : scenario.config.replica_shards[i - 1];
    machine.sync_us = kQuickSyncUs;
    situations_.Note(Situation::kAcrossShardCounts, machine.shards != machines_[0].shards);
    Start(i);
  }
  consumer_ = std::make_unique<ConsumerNode>(&consumer_time_, &ledger_, "secret",
                                             [this] { return DialFeed(); });
  const int64_t begin_us = sim_.now_us();
  for (const Step& step : scenario.steps) {
    sim_.In(begin_us + step.at_us - sim_.now_us(), [this, &step] { Perform(step); });
  }
  Look();
}

Cluster::~Cluster() { SetCrashPointHook(nullptr); }

void Cluster::Say(const std::string& line) {
  if (trace_ == nullptr) return;
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
  for (Machine& machine : machines_) {
    if (ledger_.fault().empty() && machine.replica != nullptr) CheckContents(machine);
  }
  NoteAll();
  if (!ledger_.fault().empty()) Say("FAULT: " + ledger_.fault());
  return ledger_.fault();
}

// --- At every moment ---

void Cluster::Look() {
  for (size_t i = 0; i < kMachines; ++i) {
    LookAtDisk(i);
    Machine& machine = machines_[i];
    if (machine.primary != nullptr) {
      const std::string fault = machine.primary->Check();
      if (!fault.empty()) ledger_.Fail(fmt::format("{}, primary: {}", machine.name, fault));
    }
    if (machine.replica != nullptr) LookAtReplica(machine);
  }
  sim_.In(sim_.Between(500, 6'000), [this] { Look(); });
}

void Cluster::LookAtReplica(Machine& machine) {
  ReplicaNode& replica = *machine.replica;
  if (std::string fault = replica.Check(); !fault.empty()) {
    ledger_.Fail(fmt::format("{}: {}", machine.name, fault));
  }
  for (const std::vector<std::string>& keys : clients_.pairs()) {
    const std::string first = replica.Read(keys[0]);
    for (const std::string& key : keys) {
      if (replica.Read(key) == first) continue;
      ledger_.Fail(
          fmt::format("{} shows half a transaction: {} is not as {}", machine.name, key, keys[0]));
    }
  }
  if (replica.settled() && sim_.Chance(1)) CheckContents(machine);
}

// A replica never shows a state that the primary's stream did not pass through.
void Cluster::CheckContents(Machine& machine) {
  ReplicaNode& replica = *machine.replica;
  const replication::Applier& applier = replica.applier();
  if (applier.history() == HistoryId() || !applier.synced() || !replica.exact()) return;
  if (replica.walking()) return;
  const std::string difference =
      Difference(ledger_.StateAt(applier.history(), applier.applied()), replica.ContentsNow());
  if (!difference.empty()) {
    ledger_.Fail(fmt::format("{} at{}: {}", machine.name, Join(applier.applied()), difference));
  }
}

// --- The end ---

void Cluster::Mend() {
  Say("all faults are mended");
  unreachable_ = false;
  SetCrashPointHook(nullptr);
  for (Machine& machine : machines_) {
    machine.sync_us = kQuickSyncUs;
    machine.disk_hurt = false;
    machine.disk->set_capacity_bytes(std::numeric_limits<uint64_t>::max());
    machine.disk->FailSync(std::numeric_limits<uint64_t>::max());
    machine.disk->FailWrite(std::numeric_limits<uint64_t>::max());
  }
  for (size_t i = 0; i < kMachines; ++i) Start(i);
}

bool Cluster::Converged() {
  // Nodes that are away, or to be replaced, come back by themselves.
  PrimaryNode* const primary = this->primary();
  if (primary == nullptr || promotion_.has_value() || isolated_.has_value()) return false;
  if (Current().replacing || Current().time->stopped()) return false;
  if (primary->log().state() != wal::LogState::kWriting || primary->walking()) return false;
  if (std::exchange(last_written_, primary->history()) != primary->history()) {
    // Replicas with data refuse a primary without any, as they should.
    for (int i = 0; i < 3; ++i) primary->Set(fmt::format("last:{}", i), "x", 0);
    return false;
  }
  const Watermarks emitted = primary->Emitted();
  for (Machine& machine : machines_) {
    if (&machine != &Current() && !Converged(machine, emitted)) return false;
  }
  if (primary->log().DurableCut() != emitted) {
    // With other policies than always nobody else asks for it.
    primary->SyncLog();
    return false;
  }
  return consumer_->cursor() == wal::ExportPosition{primary->history(), emitted} &&
         WhyNotConverged().empty();
}

bool Cluster::Converged(Machine& machine, const Watermarks& emitted) {
  ReplicaNode* const replica = machine.replica.get();
  if (replica == nullptr || machine.replacing) return false;
  const replication::Applier& applier = replica->applier();
  if (applier.history() != primary()->history() || applier.applied() != emitted) return false;
  if (replica->link().emitted() != emitted || !replica->settled()) return false;
  if (replica->walking()) return false;
  if (replica->store() == nullptr || replica->Durable() == emitted) return true;
  replica->SyncLog();
  return false;
}

// What differs between nodes that should be equal.
std::string Cluster::WhyNotConverged() {
  PrimaryNode* const primary = this->primary();
  if (primary == nullptr) return "the primary is down";
  if (promotion_.has_value()) return "nobody could be promoted";
  std::string why;
  const Contents expected = primary->walking() ? Contents() : primary->ContentsNow();
  const std::string at = fmt::format("history {} emitted{} durable{}", primary->history().value(),
                                     Join(primary->Emitted()), Join(primary->log().DurableCut()));
  for (const Machine& machine : machines_) {
    if (&machine == &Current()) continue;
    ReplicaNode* const replica = machine.replica.get();
    if (replica == nullptr) return fmt::format("{} is down", machine.name);
    const std::string difference =
        replica->walking() ? "walking" : Difference(expected, replica->ContentsNow());
    const bool kept = replica->store() == nullptr || replica->Durable() == primary->Emitted();
    if (difference.empty() && replica->applier().applied() == primary->Emitted() && kept) continue;
    why +=
        fmt::format("{} {} history {} applied{} durable{}, {}, last failure {}: {}; ", machine.name,
                    replica->link().state_name(), replica->applier().history().value(),
                    Join(replica->applier().applied()), Join(replica->Durable()),
                    replica->LogText(), replica->link().last_failure().ToString(), difference);
  }
  const std::string difference = Difference(expected, consumer_->contents());
  if (!difference.empty() || consumer_->cursor().sequences != primary->Emitted()) {
    why += fmt::format("the consumer, history {} at{}, last end {}: {}",
                       consumer_->cursor().history.value(), Join(consumer_->cursor().sequences),
                       consumer_->last_end(), difference);
  }
  return why.empty() ? why : at + "; " + why;
}

void Cluster::NoteAll() {
  for (const Machine& machine : machines_) {
    if (machine.primary != nullptr) NotePrimary(*machine.primary);
    if (machine.replica != nullptr) NoteReplica(*machine.replica);
  }
  const ConsumerNode::Counts& feed = consumer_->counts();
  situations_.Note(Situation::kFeedResumed, feed.connections > 1 && feed.records > 0);
  situations_.Note(Situation::kFeedChangedHistory, feed.history_changes > 0);
  situations_.Note(Situation::kFeedSnapshot, feed.snapshots > 0);
  situations_.Note(Situation::kFeedPositionLost, feed.positions_lost > 0);
  situations_.Note(Situation::kFeedForeign, feed.foreign > 0);
}

}  // namespace tidemark::simulation
