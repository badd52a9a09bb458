#include "integration/simulation/primary_node.h"

#include <algorithm>
#include <utility>

#include "integration/simulation/keyspace_loader.h"
#include "wal/export/export_position.h"

namespace tidemark::simulation {
namespace {

constexpr int64_t kTickUs = 5'000;

ShardId IdOf(size_t shard) { return ShardId(static_cast<uint16_t>(shard)); }

}  // namespace

PrimaryNode::Shard::Shard(ShardId id, const Options& options, replication::BacklogBudget* budget,
                          std::unique_ptr<cache::Keyspace> of)
    : owned(std::move(of)),
      keyspace(*owned),
      publisher({.shard = id,
                 .shard_count = options.shards,
                 .history = {},
                 .limits = options.limits,
                 .budget = budget}),
      snapshots(options.snapshots, &keyspace, &publisher) {}

// --- It begins ---

PrimaryNode::PrimaryNode(NodeTime* time, Ledger* ledger, const Options& options,
                         std::vector<std::unique_ptr<cache::Keyspace>> keyspaces,
                         std::unique_ptr<NodeStore> store)
    : time_(time),
      ledger_(ledger),
      options_(options),
      store_(std::move(store)),
      log_(store_->log()),
      budget_(options.backlog_bytes, options.shards),
      levels_(options.shards, [](ShardId) {}),
      events_(time) {
  for (size_t i = 0; i < keyspaces.size(); ++i) {
    shards_.push_back(
        std::make_unique<Shard>(IdOf(i), options_, &budget_, std::move(keyspaces[i])));
    shards_.back()->door = std::make_unique<ShardDoor>(ledger_, &log_->shard(IdOf(i)));
  }
}

absl::StatusOr<std::unique_ptr<PrimaryNode>> PrimaryNode::Start(NodeTime* time, wal::Disk& disk,
                                                                Ledger* ledger,
                                                                const Options& options) {
  std::vector<std::unique_ptr<cache::Keyspace>> keyspaces;
  std::vector<cache::Keyspace*> loaded;
  for (int i = 0; i < options.shards; ++i) {
    keyspaces.push_back(std::make_unique<cache::Keyspace>(cache::Keyspace::Options()));
    keyspaces.back()->set_now_ms(time->UnixMillis());
    loaded.push_back(keyspaces.back().get());
  }
  auto store = std::make_unique<NodeStore>(time, disk, options.store);
  KeyspaceLoader loader(loaded);
  const absl::Status recovered =
      store->Recover(/*follow=*/false, options.shards, options.fresh_history, loader);
  if (!recovered.ok()) return recovered;
  std::unique_ptr<PrimaryNode> node(
      new PrimaryNode(time, ledger, options, std::move(keyspaces), std::move(store)));
  ledger->OnRecovered(options.name, node->recovered(), options.shards, node->ContentsNow());
  node->BeginStreams(node->RecoveredBeginnings());
  node->Serve();
  return node;
}

std::unique_ptr<PrimaryNode> PrimaryNode::TakeOver(
    NodeTime* time, std::unique_ptr<NodeStore> store,
    std::vector<std::unique_ptr<cache::Keyspace>> keyspaces, server::Succession succession,
    Ledger* ledger, const Options& options) {
  std::unique_ptr<PrimaryNode> node(
      new PrimaryNode(time, ledger, options, std::move(keyspaces), std::move(store)));
  ledger->OnPromoted(options.name, succession, options.shards, node->ContentsNow());
  for (const auto& shard : node->shards_) shard->keyspace.set_effects_only(false);
  node->BeginStreams(std::move(succession.beginnings));
  node->Serve();
  return node;
}

std::vector<replication::ShardPublisher::Beginning> PrimaryNode::RecoveredBeginnings() const {
  std::vector<replication::ShardPublisher::Beginning> beginnings;
  for (size_t i = 0; i < shards_.size(); ++i) {
    const wal::ShardPosition& at = recovered().positions[i];
    std::vector<replication::StreamAncestor> ancestors;
    for (const wal::Recovered::Ancestor& ancestor : recovered().ancestors) {
      if (ancestor.fork.size() != shards_.size()) {
        // Another number of shards: what is before has nothing in common with our streams.
        ancestors.clear();
        continue;
      }
      ancestors.push_back({ancestor.history, ancestor.fork[i].sequence});
    }
    beginnings.push_back({.history = recovered().history,
                          .end = {at.sequence, at.digest},
                          .ancestors = std::move(ancestors)});
  }
  return beginnings;
}

void PrimaryNode::BeginStreams(std::vector<replication::ShardPublisher::Beginning> beginnings) {
  history_ = beginnings.front().history;
  for (size_t k = 0; k < beginnings.front().ancestors.size(); ++k) {
    replication::Ancestor& ancestor = ancestors_.emplace_back();
    ancestor.history = beginnings.front().ancestors[k].history;
    for (const auto& beginning : beginnings) ancestor.fork.push_back(beginning.ancestors[k].fork);
  }
  // Unique within the history, also when it goes on in another process.
  next_transaction_ = static_cast<uint64_t>(time_->now_us()) << 20;
  for (size_t i = 0; i < shards_.size(); ++i) {
    beginnings[i].log = shards_[i]->door.get();
    shards_[i]->publisher.Begin(std::move(beginnings[i]));
    shards_[i]->keyspace.set_sink(&shards_[i]->publisher);
  }
}

void PrimaryNode::Serve() {
  log_listener_ = log_->AddListener([this] { OnLogMoved(); });
  ledger_->OnDurable(options_.name, history_, log_->DurableCut());
  snapshots_ = std::make_unique<SnapshotTask>(time_, *store_);
  log_archive_ = std::make_unique<server::LogArchive>(
      store_->directory(), log_, store_->retention(), options_.replica_retain_bytes);
  archive_ = std::make_unique<SimulatedArchive>(time_, log_archive_.get());
  replication::PrimaryHub::Options hub = options_.hub;
  hub.clock = time_;
  hub.node_id = options_.name;
  hub.levels = &levels_;
  hub.link.ancestors = ancestors_;
  hub_ = std::make_unique<replication::PrimaryHub>(hub, this, this, archive_.get());
  replicas_ = std::make_unique<ReplicaPort>(time_, hub_.get());
  feed_ = std::make_unique<ExportPort>(time_, options_.feed, store_->directory(), *log_,
                                       store_->retention());
  for (size_t i = 0; i < shards_.size(); ++i) Turn(i);
  Tick();
}

// --- And ends ---

PrimaryNode::~PrimaryNode() {
  store_->Die();
  log_->RemoveListener(log_listener_);
  feed_ = nullptr;
  replicas_ = nullptr;
  hub_ = nullptr;  // Its sessions still reach for the shards, with events that must not happen.
  snapshots_ = nullptr;
  archive_ = nullptr;
  log_archive_ = nullptr;
  log_ = nullptr;
}

absl::Status PrimaryNode::Stop() {
  for (const auto& shard : shards_) shard->publisher.OnTurnEnd(time_->UnixMillis());
  for (const auto& shard : shards_) shard->publisher.SealNow();
  return store_->keeper().Close();
}

void PrimaryNode::LosePower() {
  replicas_->LoseAllSilently();
  feed_->LoseAllSilently();
}

// --- Shards ---

void PrimaryNode::Turn(size_t index) {
  Shard& shard = *shards_[index];
  shard.keyspace.set_now_ms(time_->UnixMillis());
  // While writes are refused, nothing is deleted either.
  shard.keyspace.set_effects_only(!takes_writes());
  if (time_->sim().Chance(10)) shard.keyspace.ExpireSome(20);
  shard.publisher.OnTurnEnd(time_->UnixMillis());
  shard.snapshots.DoSlice();
  shard.keyspace.Housekeeping(100);
  events_.In(time_->sim().Between(100, 6'000), [this, index] { Turn(index); });
}

bool PrimaryNode::Knows(HistoryId history) const {
  return history == history_ ||
         std::any_of(ancestors_.begin(), ancestors_.end(),
                     [&](const auto& ancestor) { return ancestor.history == history; });
}

Watermarks PrimaryNode::Emitted() const {
  Watermarks emitted;
  for (const auto& shard : shards_) emitted.push_back(shard->publisher.published_emitted());
  return emitted;
}

Watermarks PrimaryNode::BacklogLow() const {
  Watermarks low;
  for (const auto& shard : shards_) low.push_back(shard->publisher.published_backlog_low());
  return low;
}

void PrimaryNode::OnEachShard(EachShard each, Done done) {
  const auto left = std::make_shared<int>(options_.shards);
  const auto finish = std::make_shared<Done>(std::move(done));
  Simulation& sim = time_->sim();
  for (const auto& shard : shards_) {
    const int64_t at_us = std::max(shard->busy_until_us + 1, sim.now_us() + sim.Between(1, 3'000));
    shard->busy_until_us = at_us;
    events_.In(at_us - sim.now_us(), [this, target = shard.get(), each, left, finish] {
      replication::PublishingShard view{target->keyspace, target->publisher, target->snapshots};
      each(view);
      if (--*left > 0) return;
      events_.In(time_->sim().Between(1, 500), [finish] { (*finish)(); });
    });
  }
}

void PrimaryNode::AtCut(EachShard each, Done done) {
  const auto finish = std::make_shared<Done>(std::move(done));
  events_.In(time_->sim().Between(1, 3'000), [this, each = std::move(each), finish] {
    for (const auto& shard : shards_) {
      replication::PublishingShard view{shard->keyspace, shard->publisher, shard->snapshots};
      each(view);
    }
    events_.In(time_->sim().Between(1, 500), [finish] { (*finish)(); });
  });
}

void PrimaryNode::TakeSnapshot() {
  snapshots_->Begin([this](ShardId shard, replication::ChunkTargetRef target) {
    events_.In(time_->sim().Between(1, 2'000),
               [this, shard, target] { shards_[shard.value()]->snapshots.RequestChunks(target); });
  });
}

void PrimaryNode::SyncLog() {
  log_->SyncThrough(Emitted(), [](absl::Status) {});
}

// --- The log and the link threads ---

bool PrimaryNode::takes_writes() const {
  if (log_->state() != wal::LogState::kWriting) return false;
  return std::none_of(shards_.begin(), shards_.end(), [&](const auto& shard) {
    return log_->shard(shard->publisher.shard()).utilisation_percent() >= 100;
  });
}

void PrimaryNode::OnLogMoved() {
  ledger_->OnDurable(options_.name, history_, log_->DurableCut());
  AnswerHeld();
  if (feed_ != nullptr) events_.In(20, [this] { feed_->ServeAll(); });
}

bool PrimaryNode::Holds(const Held& held) const {
  if (held.need.own_disk && !wal::Reaches(log_->DurableCut(), held.target)) return false;
  for (size_t i = 0; held.need.replicas > 0 && i < held.target.size(); ++i) {
    if (held.target[i] > levels_.reached(held.need.kind, held.need.replicas, IdOf(i))) return false;
  }
  return true;
}

void PrimaryNode::AnswerHeld() {
  std::vector<Held> waiting;
  for (Held& held : std::exchange(held_, {})) {
    if (Holds(held)) {
      held.then(true);
    } else if (time_->now_ms() >= held.deadline_ms) {
      held.then(false);
    } else {
      waiting.push_back(std::move(held));
    }
  }
  for (Held& held : waiting) held_.push_back(std::move(held));
}

void PrimaryNode::Tick() {
  hub_->Tick(time_->now_ms());
  replicas_->ServeAll();
  feed_->Tick();
  AnswerHeld();
  events_.In(kTickUs, [this] { Tick(); });
}

void PrimaryNode::Wake() {
  if (std::exchange(wake_scheduled_, true)) return;
  events_.In(time_->sim().Between(1, 300), [this] {
    wake_scheduled_ = false;
    replicas_->ServeAll();
    AnswerHeld();
  });
}

}  // namespace tidemark::simulation
