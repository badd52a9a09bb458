// What the steps of a scenario do to a Cluster.

#include <limits>
#include <utility>

#include "base/crash_point.h"
#include "fmt/format.h"
#include "integration/simulation/cluster.h"
#include "integration/simulation/process_disk.h"
#include "replication/link/control_message.h"

namespace tidemark::simulation {
namespace {

constexpr int64_t kPastTimeoutsUs = 250'000;
constexpr int64_t kRepairUs = 60'000;  // Until somebody restarts a node whose log has failed.

// The hook of crash points has no argument of ours.
struct PlannedCrash {
  wal::SimulatedDisk* disk = nullptr;
  int64_t points_left = 0;
  bool happened = false;
};
PlannedCrash planned_crash;

void CrashWhenDue(const char*) {
  ProcessDisk* const process = ProcessDisk::last_touched();
  if (process == nullptr || &process->below() != planned_crash.disk || process->dead()) return;
  if (planned_crash.points_left == 0 || --planned_crash.points_left > 0) return;
  planned_crash.happened = true;
  planned_crash.disk->Crash();
  process->Die();
}

}  // namespace

void Cluster::Perform(const Step& step) {
  Say(step.Text());
  switch (step.kind) {
    case StepKind::kWrites:
    case StepKind::kBurst:
      if (primary() == nullptr || isolated_ == current_ || Current().time->stopped()) return;
      return clients_.Write(*primary(), step.amount, step.kind == StepKind::kBurst ? 3'000 : 300,
                            step.salt);
    case StepKind::kCrashReplica:
    case StepKind::kWipeReplica:
      return CrashReplica(step);
    case StepKind::kFreezeReplica:
      if (ReplicaOf(step).replica == nullptr) return;
      situations_.Note(Situation::kFrozenPastTimeout, step.amount > kPastTimeoutsUs);
      return ReplicaOf(step).replica->Stop(step.amount);
    case StepKind::kSnapshotReplica:
      if (ReplicaOf(step).replica == nullptr || ReplicaOf(step).time->stopped()) return;
      return ReplicaOf(step).replica->TakeSnapshot();
    case StepKind::kPromote:
      return LosePrimary(step);
    case StepKind::kPartition:
      unreachable_ = true;
      for (const Machine& machine : machines_) {
        if (machine.replica != nullptr) machine.replica->LosePower();
      }
      if (consumer_->connection() != nullptr) consumer_->connection()->LoseSilently();
      return sim_.In(step.amount, [this] { unreachable_ = false; });
    case StepKind::kCrashConsumer:
      return consumer_->Crash(step.salt % 3 == 0);
    case StepKind::kFreezeConsumer:
      return consumer_->Stop(step.amount);
    case StepKind::kCutConsumer:
      if (consumer_->connection() == nullptr) return;
      return step.salt % 2 == 0 ? consumer_->connection()->Cut()
                                : consumer_->connection()->LoseSilently();
    case StepKind::kStepClock:
      return (step.salt % 2 == 0 ? Current() : ReplicaOf(step)).time->StepWall(step.amount);
    case StepKind::kCrashAtPoint:
      return CrashAtPoint(step);
    case StepKind::kDiskFull:
    case StepKind::kDiskSlow:
    case StepKind::kSyncFails:
    case StepKind::kWriteFails:
      return PerformOnDisk(step);
    case StepKind::kCut:
    case StepKind::kHalfOpen:
    case StepKind::kOneWay:
    case StepKind::kCorrupt:
    case StepKind::kSlowLink:
    case StepKind::kDuplicate:
      if (ReplicaOf(step).replica == nullptr) return;
      return PerformOnConnection(step, ReplicaOf(step).replica->connection());
    default:
      return PerformOnPrimary(step);
  }
}

void Cluster::PerformOnPrimary(const Step& step) {
  const size_t index = current_;
  // One that nobody reaches has its end planned already.
  if (primary() == nullptr || isolated_ == index) return;
  switch (step.kind) {
    case StepKind::kSnapshot:
      if (!Current().time->stopped()) primary()->TakeSnapshot();
      return;
    case StepKind::kKillPrimary:
      End(index, Unsynced::kKeep, false);
      return StartIn(index, step.amount);
    case StepKind::kPowerCut:
      End(index, step.salt % 3 == 0 ? Unsynced::kLose : Unsynced::kAny, step.salt % 2 == 0);
      return StartIn(index, step.amount);
    case StepKind::kStopPrimary:
      StopInOrder(index);
      return StartIn(index, step.amount);
    case StepKind::kReshardPrimary:
      Current().shards = Current().shards % 3 + 1;
      situations_.Note(Situation::kResharded);
      step.salt % 2 == 0 ? StopInOrder(index) : End(index, Unsynced::kAny, true);
      return StartIn(index, step.amount);
    case StepKind::kFreezePrimary:
      situations_.Note(Situation::kFrozenPastTimeout, step.amount > kPastTimeoutsUs);
      return Current().time->StopUntil(sim_.now_us() + step.amount);
    default:
      return;
  }
}

void Cluster::CrashReplica(const Step& step) {
  const size_t index = OtherMachine(step.replica);
  Machine& machine = machines_[index];
  if (machine.replica == nullptr) return;
  if (step.kind == StepKind::kCrashReplica && step.salt % 8 == 0) {
    StopInOrder(index);
  } else {
    constexpr Unsynced kHow[] = {Unsynced::kKeep, Unsynced::kAny, Unsynced::kLose};
    End(index, kHow[step.salt / 8 % 3], step.salt % 2 == 0);
  }
  if (step.kind == StepKind::kWipeReplica) {
    machine.disk = std::make_unique<wal::SimulatedDisk>(step.salt);
    ledger_.OnWiped(machine.name);
    clients_.OnReplicaLost({.memory = 0, .disk = 1});
    situations_.Note(Situation::kReplicaWiped);
  }
  StartIn(index, step.amount);
}

void Cluster::CrashAtPoint(const Step& step) {
  Machine& machine = step.salt % 3 == 0 ? ReplicaOf(step) : Current();
  if (machine.down()) return;
  planned_crash = {.disk = machine.disk.get(), .points_left = step.amount, .happened = false};
  SetCrashPointHook(&CrashWhenDue);
}

void Cluster::PerformOnDisk(const Step& step) {
  const size_t index = step.salt % 3 == 0 ? OtherMachine(step.replica) : current_;
  Machine& machine = machines_[index];
  wal::SimulatedDisk& disk = *machine.disk;
  machine.disk_hurt = true;
  switch (step.kind) {
    case StepKind::kDiskFull: {
      uint64_t used = 0;
      const auto free_bytes = disk.FreeBytes("/");
      if (free_bytes.ok()) used = std::numeric_limits<uint64_t>::max() - *free_bytes;
      disk.set_capacity_bytes(used + step.salt % (8 << 10));
      return sim_.In(step.amount, [this, index] {
        machines_[index].disk->set_capacity_bytes(std::numeric_limits<uint64_t>::max());
      });
    }
    case StepKind::kDiskSlow:
      machine.sync_us = step.amount / 4;
      return sim_.In(step.amount, [this, index] { machines_[index].sync_us = 300; });
    case StepKind::kSyncFails:
      return disk.FailSync(static_cast<uint64_t>(step.amount));
    case StepKind::kWriteFails:
      return disk.FailWrite(static_cast<uint64_t>(step.amount));
    default:
      return;
  }
}

void Cluster::PerformOnConnection(const Step& step, const ConnectionRef& connection) {
  if (step.kind == StepKind::kDuplicate) return ConnectTwice(ReplicaOf(step).name, step.amount);
  if (connection == nullptr) return;
  switch (step.kind) {
    case StepKind::kCut:
      return connection->Cut();
    case StepKind::kHalfOpen:
      return connection->LoseSilently();
    case StepKind::kOneWay:
      return connection->LoseSilentlyFrom(static_cast<int>(step.amount));
    case StepKind::kCorrupt:
      return connection->CorruptNext(static_cast<int>(step.amount));
    case StepKind::kSlowLink:
      // Too slow for its queue.
      return connection->SlowDown(1, step.amount);
    default:
      return;
  }
}

void Cluster::ConnectTwice(const std::string& name, int64_t for_us) {
  const ConnectionRef copy = DialPrimary();
  if (copy == nullptr) return;
  copy->Attach(0, {.on_bytes = [](std::string_view) {}, .on_writable = [] {}, .on_closed = [] {}});
  replication::wire::Hello hello;
  hello.set_min_version(1);
  hello.set_max_version(1);
  hello.set_role(replication::wire::Hello::ROLE_REPLICA);
  hello.set_node_id(name);
  hello.set_token("secret");
  copy->Write(0, replication::EncodeControl(hello));
  situations_.Note(Situation::kOldConnectionReplaced);
  sim_.In(for_us, [copy] { copy->Cut(); });
}

// --- What faults lead to ---

void Cluster::LookAtDisk(size_t index) {
  Machine& machine = machines_[index];
  if (planned_crash.happened && planned_crash.disk == machine.disk.get()) {
    planned_crash = {};
    if (!machine.down()) {
      situations_.Note(machine.primary != nullptr ? Situation::kDiedAtCrashPoint
                                                  : Situation::kReplicaDiedAtCrashPoint);
      Say(machine.name + " has died at a crash point");
      End(index, Unsynced::kLose, true);
      StartIn(index, kRepairUs);
    }
  }
  bool failed = false;
  if (machine.primary != nullptr) {
    const wal::LogState state = machine.primary->log().state();
    situations_.Note(Situation::kDiskFull, state == wal::LogState::kDiskFull);
    situations_.Note(Situation::kDiskFullMended,
                     machine.was_full && state == wal::LogState::kWriting);
    machine.was_full = state == wal::LogState::kDiskFull;
    failed = state == wal::LogState::kFailed;
    situations_.Note(Situation::kLogFailed, failed);
  } else if (machine.replica != nullptr) {
    failed = machine.replica->log_failed();
    situations_.Note(Situation::kReplicaLogFailed, failed);
  }
  if (!failed || std::exchange(machine.replacing, true)) return;
  sim_.In(kRepairUs, [this, index] {
    if (!machines_[index].replacing || machines_[index].down()) return;
    End(index, Unsynced::kAny, false);
    StartIn(index, 1'000);
  });
}

}  // namespace tidemark::simulation
