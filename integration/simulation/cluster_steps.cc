// What the steps of a scenario do to a Cluster.

#include <limits>
#include <utility>

#include "base/crash_point.h"
#include "fmt/format.h"
#include "integration/simulation/cluster.h"
#include "replication/link/control_message.h"

namespace tidemark::simulation {
namespace {

using Unsynced = wal::SimulatedDisk::Unsynced;

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
  if (planned_crash.points_left == 0 || --planned_crash.points_left > 0) return;
  planned_crash.happened = true;
  planned_crash.disk->Crash();
}

}  // namespace

void Cluster::Perform(const Step& step) {
  Say(step.Text());
  switch (step.kind) {
    case StepKind::kWrites:
      if (primary_ != nullptr && !primary_time_.stopped()) {
        clients_.Write(*primary_, step.amount, 300, step.salt);
      }
      return;
    case StepKind::kBurst:
      if (primary_ != nullptr && !primary_time_.stopped()) {
        clients_.Write(*primary_, step.amount, 3'000, step.salt);
      }
      return;
    case StepKind::kCrashReplica:
      if (step.salt % 2 == 0 && replicas_[step.replica].node != nullptr) {
        replicas_[step.replica].node->LosePower();
      }
      EndReplica(step.replica);
      return sim_.In(step.amount, [this, index = step.replica] { StartReplica(index); });
    case StepKind::kFreezeReplica:
      if (replicas_[step.replica].node == nullptr) return;
      situations_.Note(Situation::kFrozenPastTimeout, step.amount > kPastTimeoutsUs);
      return replicas_[step.replica].node->Stop(step.amount);
    case StepKind::kPartition:
      unreachable_ = true;
      for (const Replica& replica : replicas_) {
        if (replica.node != nullptr) replica.node->LosePower();
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
      return step.salt % 2 == 0 ? primary_time_.StepWall(step.amount)
                                : replicas_[step.replica].time->StepWall(step.amount);
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
      if (replicas_[step.replica].node == nullptr) return;
      return PerformOnConnection(step, replicas_[step.replica].node->connection());
    default:
      return PerformOnPrimary(step);
  }
}

void Cluster::PerformOnPrimary(const Step& step) {
  if (primary_ == nullptr) return;
  switch (step.kind) {
    case StepKind::kSnapshot:
      if (!primary_time_.stopped()) primary_->TakeSnapshot();
      return;
    case StepKind::kKillPrimary:
      return EndPrimary(Unsynced::kKeep, false, step.amount);
    case StepKind::kPowerCut:
      return EndPrimary(step.salt % 3 == 0 ? Unsynced::kLose : Unsynced::kAny, step.salt % 2 == 0,
                        step.amount);
    case StepKind::kCrashAtPoint:
      return CrashAtPoint(step.amount);
    case StepKind::kStopPrimary:
      return StopPrimary(step.amount);
    case StepKind::kReshardPrimary:
      primary_shards_ = primary_shards_ % 3 + 1;
      situations_.Note(Situation::kResharded);
      return step.salt % 2 == 0 ? StopPrimary(step.amount)
                                : EndPrimary(Unsynced::kAny, true, step.amount);
    case StepKind::kFreezePrimary:
      situations_.Note(Situation::kFrozenPastTimeout, step.amount > kPastTimeoutsUs);
      return primary_time_.StopUntil(sim_.now_us() + step.amount);
    default:
      return;
  }
}

void Cluster::CrashAtPoint(int64_t nth) {
  planned_crash = {.disk = &disk_, .points_left = nth, .happened = false};
  SetCrashPointHook(&CrashWhenDue);
}

void Cluster::PerformOnDisk(const Step& step) {
  disk_hurt_ = true;
  switch (step.kind) {
    case StepKind::kDiskFull: {
      uint64_t used = 0;
      const auto free_bytes = disk_.FreeBytes("/");
      if (free_bytes.ok()) used = std::numeric_limits<uint64_t>::max() - *free_bytes;
      disk_.set_capacity_bytes(used + step.salt % (8 << 10));
      return sim_.In(step.amount,
                     [this] { disk_.set_capacity_bytes(std::numeric_limits<uint64_t>::max()); });
    }
    case StepKind::kDiskSlow:
      sync_us_ = step.amount / 4;
      return sim_.In(step.amount, [this] { sync_us_ = 300; });
    case StepKind::kSyncFails:
      return disk_.FailSync(static_cast<uint64_t>(step.amount));
    case StepKind::kWriteFails:
      return disk_.FailWrite(static_cast<uint64_t>(step.amount));
    default:
      return;
  }
}

void Cluster::PerformOnConnection(const Step& step, const ConnectionRef& connection) {
  if (step.kind == StepKind::kDuplicate) return ConnectTwice(step.replica, step.amount);
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

void Cluster::ConnectTwice(size_t index, int64_t for_us) {
  const ConnectionRef copy = DialPrimary(false);
  if (copy == nullptr) return;
  copy->Attach(0, {.on_bytes = [](std::string_view) {}, .on_writable = [] {}, .on_closed = [] {}});
  replication::wire::Hello hello;
  hello.set_min_version(1);
  hello.set_max_version(1);
  hello.set_role(replication::wire::Hello::ROLE_REPLICA);
  hello.set_node_id(fmt::format("replica-{}", index));
  hello.set_token("secret");
  copy->Write(0, replication::EncodeControl(hello));
  situations_.Note(Situation::kOldConnectionReplaced);
  sim_.In(for_us, [copy] { copy->Cut(); });
}

// --- What faults lead to ---

void Cluster::LookAtPrimary() {
  if (planned_crash.happened && planned_crash.disk == &disk_) {
    planned_crash = {};
    if (primary_ != nullptr) {
      situations_.Note(Situation::kDiedAtCrashPoint);
      Say("the primary has died at a crash point");
      EndPrimary(Unsynced::kLose, true, kRepairUs);
    }
  }
  if (primary_ == nullptr) return;
  const wal::LogState state = primary_->log().state();
  situations_.Note(Situation::kDiskFull, state == wal::LogState::kDiskFull);
  situations_.Note(Situation::kDiskFullMended, was_full_ && state == wal::LogState::kWriting);
  was_full_ = state == wal::LogState::kDiskFull;
  if (state != wal::LogState::kFailed || std::exchange(replacing_, true)) return;
  situations_.Note(Situation::kLogFailed);
  sim_.In(kRepairUs, [this] {
    if (replacing_) EndPrimary(Unsynced::kAny, false, 1'000);
  });
}

}  // namespace tidemark::simulation
