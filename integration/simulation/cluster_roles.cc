// How another node becomes the primary of a Cluster, as an operator would have it: the old one is
// lost, the replica that has all that the others have takes its place, and the old one, if it comes
// back, is a replica. Where none has all (tools/deploy/cluster/decisions.py then asks the operator)
// it is the one that has the most, and what it lacks may be lost.

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "integration/simulation/cluster.h"
#include "server/fork.h"

namespace tidemark::simulation {
namespace {

constexpr int64_t kLookAgainUs = 10'000;
constexpr int kMaxTries = 40;

uint64_t SumOf(const Watermarks& marks) {
  uint64_t sum = 0;
  for (const Sequence mark : marks) sum += mark.value();
  return sum;
}

bool Covers(const Watermarks& marks, const Watermarks& others) {
  for (size_t i = 0; i < marks.size(); ++i) {
    if (marks[i] < others[i]) return false;
  }
  return true;
}

}  // namespace

void Cluster::LosePrimary(const Step& step) {
  if (!scenario_.config.replica_logs || promotion_.has_value() || isolated_.has_value()) return;
  if (primary() == nullptr || unreachable_) return;
  const size_t old = current_;
  promotion_.emplace(Promotion{});
  promotion_->history = primary()->history();
  const bool outage = step.salt / 64 % 8 < 3;
  promotion_->by_restart = !outage && step.salt % 3 == 0;
  if (outage) LosePowerOfReplicas();
  constexpr uint64_t kPowerCut = 1;
  switch (outage ? kPowerCut : step.salt / 4 % 4) {
    case 0:
      End(old, Unsynced::kKeep, false);
      break;
    case kPowerCut:
      End(old, Unsynced::kAny, true);
      break;
    case 2:
      StopInOrder(old);
      break;
    default:
      // It lives, and some still write to it.
      isolated_ = old;
      clients_.OnPrimaryGone();
      situations_.Note(Situation::kIsolated);
      machines_[old].primary->LosePower();
      WriteToIsolated(old, step.salt);
      sim_.In(step.amount, [this, old] {
        if (isolated_ == old) End(old, Unsynced::kAny, false);
      });
  }
  StartIn(old, step.amount + 1);
  sim_.In(static_cast<int64_t>(step.salt / 16 % 60'000), [this] { TryToPromote(); });
}

// All in one rack: what a replica then has is what was on its disk.
void Cluster::LosePowerOfReplicas() {
  situations_.Note(Situation::kOutage);
  for (size_t i = 0; i < kMachines; ++i) {
    if (machines_[i].replica == nullptr) continue;
    End(i, Unsynced::kAny, true);
    StartIn(i, 1);
  }
}

void Cluster::WriteToIsolated(size_t index, uint64_t salt) {
  if (isolated_ != index) return;
  if (!machines_[index].time->stopped()) {
    clients_.WriteStale(*machines_[index].primary, 3, salt);
  }
  sim_.In(15'000, [this, index, salt] { WriteToIsolated(index, salt + 1); });
}

bool Cluster::MayBePromoted(const Machine& machine) const {
  ReplicaNode* const replica = machine.replica.get();
  if (replica == nullptr || machine.time->stopped() || replica->finishing()) return false;
  if (replica->waits_for_space()) return false;
  const replication::Applier& applier = replica->applier();
  // A full sync that is not whole on disk cannot be built on yet.
  const wal::StreamKeeper& keeper = replica->store()->keeper();
  const std::shared_ptr<wal::Log> log = keeper.log();
  return applier.history() == promotion_->history && applier.whole() && !replica->log_failed() &&
         !keeper.restarting() && log != nullptr && log->state() == wal::LogState::kWriting &&
         log->history() == applier.history();
}

void Cluster::TryToPromote() {
  if (!promotion_.has_value() || promotion_->chosen.has_value()) return;
  std::vector<size_t> candidates;
  for (size_t i = 0; i < kMachines; ++i) {
    if (i != current_ && MayBePromoted(machines_[i])) candidates.push_back(i);
  }
  if (candidates.empty()) {
    if (++promotion_->tries < kMaxTries) {
      return sim_.In(kLookAgainUs, [this] { TryToPromote(); });
    }
    // The old one it is, then, when it comes back.
    Say("nobody can be promoted");
    promotion_.reset();
    if (isolated_.has_value()) End(*isolated_, Unsynced::kKeep, false);
    return StartIn(current_, 1);
  }
  const auto applied = [&](size_t index) { return machines_[index].replica->applier().Holds(); };
  const size_t chosen =
      *std::max_element(candidates.begin(), candidates.end(),
                        [&](size_t a, size_t b) { return SumOf(applied(a)) < SumOf(applied(b)); });
  promotion_->chosen = chosen;
  promotion_->lost = kReplicas - candidates.size();
  promotion_->best = std::all_of(candidates.begin(), candidates.end(), [&](size_t other) {
    return Covers(applied(chosen), applied(other));
  });
  Say(fmt::format("{} is to be the primary{}", machines_[chosen].name,
                  promotion_->by_restart ? ", by a restart" : ""));
  if (promotion_->by_restart) return PromoteByRestart(chosen);
  machines_[chosen].replica->Finish([this, chosen](replication::ReplicaClient::Ending ending) {
    PromoteNow(chosen, std::move(ending));
  });
}

void Cluster::PromoteByRestart(size_t index) {
  Machine& machine = machines_[index];
  // What a disk that fails does not take is lost.
  promotion_->best &= machine.replica->Close().ok();
  NoteReplica(*machine.replica);
  machine.disk->Crash(Unsynced::kKeep);
  machine.replica = nullptr;
  taking_over_ = std::exchange(promotion_, std::nullopt);
  current_ = index;
  OnEnded(index);
  Start(index);
}

void Cluster::PromoteNow(size_t index, replication::ReplicaClient::Ending ending) {
  Machine& machine = machines_[index];
  const HistoryId fresh(next_history_++);
  std::unique_ptr<NodeStore> store = machine.replica->TakeStore();
  // As NodeDurability::TakeOver.
  const wal::Recovered& recovered = store->recovered();
  const Watermarks linked_to = machine.replica->applier().applied();
  server::CountHeld(recovered.history, recovered.positions, &ending);
  wal::Positions at;
  for (const replication::ShardPosition& shard : ending.position.shards) {
    at.push_back({.sequence = shard.sequence, .digest = shard.stream_digest});
  }
  server::Succession succession = server::Succeed(std::move(ending), machine.shards, fresh);
  const absl::Status begun =
      store->keeper().BeginHistory(fresh, at, machine.shards, wal::StreamKeeper::Minter::kThisNode);
  if (!begun.ok()) {
    // Its disk fails at the wrong moment: the process ends, and another is chosen.
    Say(fmt::format("{} cannot be promoted: {}", machine.name, begun.ToString()));
    machine.disk->Crash(Unsynced::kKeep);
    machine.replica = nullptr;
    clients_.OnReplicaLost({.memory = 1, .disk = 0});
    store = nullptr;
    OnEnded(index);
    return StartIn(index, kLookAgainUs);
  }
  NoteReplica(*machine.replica);
  situations_.Note(Situation::kPromotionLostRecords, !succession.fork.lost.empty());
  situations_.Note(Situation::kForkWithinFrame, succession.fork.at != linked_to);
  std::vector<std::unique_ptr<cache::Keyspace>> keyspaces = machine.replica->TakeKeyspaces();
  machine.replica = nullptr;
  current_ = index;
  machine.primary =
      PrimaryNode::TakeOver(machine.time.get(), std::move(store), std::move(keyspaces),
                            std::move(succession), &ledger_, PrimaryOptions(machine));
  taking_over_ = std::exchange(promotion_, std::nullopt);
  situations_.Note(Situation::kPromoted);
  OnPromoted(index);
}

void Cluster::OnPromoted(size_t index) {
  const Machine& machine = machines_[index];
  Say(fmt::format("{} is the primary of history {}", machine.name,
                  machine.primary->history().value()));
  consumer_->OnPromotion();
  const Promotion how = *std::exchange(taking_over_, std::nullopt);
  clients_.CheckPromoted(machine.primary->ContentsNow(), how.lost, how.best);
  for (const Machine& other : machines_) {
    if (other.replica != nullptr && other.replica->connection() != nullptr) {
      other.replica->connection()->Cut();  // They are told to follow the new one.
    }
  }
}

}  // namespace tidemark::simulation
