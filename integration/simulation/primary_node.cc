#include "integration/simulation/primary_node.h"

#include <algorithm>
#include <utility>

#include "cache/keyspace_recorder.h"
#include "fmt/format.h"
#include "server/shard_replay.h"

namespace tidemark::simulation {
namespace {

constexpr char kDataDirectory[] = "/data";
constexpr int64_t kTickUs = 5'000;

ShardId IdOf(size_t shard) { return ShardId(static_cast<uint16_t>(shard)); }

}  // namespace

// Puts what the recovery reads into the keyspaces, as server::RecoveryLoader does with threads.
class PrimaryNode::RecoverySink final : public wal::RecoverySink {
 public:
  explicit RecoverySink(std::vector<std::unique_ptr<Shard>>& shards) : shards_(shards) {
    for (size_t i = 0; i < shards.size(); ++i) {
      replays_.emplace_back(&shards[i]->keyspace, IdOf(i), static_cast<int>(shards.size()));
    }
  }

  absl::Status OnReset() override {
    for (const auto& shard : shards_) shard->keyspace.ApplyFlush();
    return absl::OkStatus();
  }
  absl::Status OnSnapshotChunk(FrameRef chunk) override {
    return Apply(*chunk, Sequence(), chunk->last_sequence());
  }
  absl::Status OnFrame(FrameRef frame, Sequence from, Sequence through) override {
    return Apply(*frame, from, through);
  }
  absl::Status OnTopologyChange(int) override { return absl::OkStatus(); }
  absl::Status OnEnd() override { return absl::OkStatus(); }

 private:
  absl::Status Apply(const Frame& frame, Sequence from, Sequence through) {
    if (frame.shard_count() == shards_.size()) {
      return replays_[frame.shard().value()].Apply(frame, from, through);
    }
    for (server::ShardReplay& replay : replays_) {
      if (absl::Status s = replay.Apply(frame, from, through); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  std::vector<std::unique_ptr<Shard>>& shards_;
  std::vector<server::ShardReplay> replays_;
};

PrimaryNode::Shard::Shard(ShardId id, const Options& options, replication::BacklogBudget* budget)
    : keyspace(cache::Keyspace::Options()),
      publisher({.shard = id,
                 .shard_count = options.shards,
                 .history = {},
                 .limits = options.limits,
                 .budget = budget}),
      snapshots(options.snapshots, &keyspace, &publisher) {}

// --- A life begins ---

PrimaryNode::PrimaryNode(NodeTime* time, Ledger* ledger, const Options& options)
    : time_(time),
      ledger_(ledger),
      options_(options),
      budget_(options.backlog_bytes, options.shards) {
  for (size_t i = 0; i < static_cast<size_t>(options.shards); ++i) {
    shards_.push_back(std::make_unique<Shard>(IdOf(i), options_, &budget_));
    shards_.back()->keyspace.set_now_ms(time_->UnixMillis());
  }
}

absl::StatusOr<std::unique_ptr<PrimaryNode>> PrimaryNode::Start(NodeTime* time, wal::Disk& disk,
                                                                Ledger* ledger,
                                                                const Options& options) {
  std::unique_ptr<PrimaryNode> node(new PrimaryNode(time, ledger, options));
  if (absl::Status s = node->Recover(disk); !s.ok()) return s;
  ledger->OnRecovered(node->recovered_, options.shards, node->ContentsNow());
  if (absl::Status s = node->OpenLog(); !s.ok()) return s;
  node->BeginStreams();
  node->Serve();
  return node;
}

absl::Status PrimaryNode::Recover(wal::Disk& disk) {
  auto directory = wal::DataDirectory::Open(disk, kDataDirectory,
                                            wal::DirectoryId(options_.fresh_history.value()));
  if (!directory.ok()) return directory.status();
  directory_ = *std::move(directory);
  RecoverySink sink(shards_);
  wal::RecoveryOptions recovery;
  recovery.shard_count = options_.shards;
  recovery.now_ms = time_->UnixMillis();
  recovery.fresh_history = options_.fresh_history;
  auto recovered = wal::Recover(*directory_, recovery, sink);
  if (!recovered.ok()) return recovered.status();
  recovered_ = *std::move(recovered);
  return absl::OkStatus();
}

absl::Status PrimaryNode::OpenLog() {
  SimulatedLog::Options options = options_.log;
  options.time = time_;
  options.on_sealed = [this](const FrameRef& frame) { ledger_->OnSealed(frame); };
  options.on_moved = [this] { OnLogMoved(); };
  auto log = SimulatedLog::Open(*directory_,
                                {.history = recovered_.history,
                                 .positions = recovered_.positions,
                                 .next_segment = recovered_.next_segment},
                                options);
  if (!log.ok()) return log.status();
  log_ = *std::move(log);
  return absl::OkStatus();
}

void PrimaryNode::BeginStreams() {
  // Unique within the history, also when it goes on in another process.
  next_transaction_ = static_cast<uint64_t>(time_->now_us()) << 20;
  for (size_t i = 0; i < shards_.size(); ++i) {
    const wal::ShardPosition& at = recovered_.positions[i];
    std::vector<replication::StreamAncestor> ancestors;
    for (const wal::Recovered::Ancestor& ancestor : recovered_.ancestors) {
      if (ancestor.fork.size() != shards_.size()) {
        // Another number of shards: what is before has nothing in common with our streams.
        ancestors.clear();
        continue;
      }
      ancestors.push_back({ancestor.history, ancestor.fork[i].sequence});
    }
    shards_[i]->publisher.Begin({.history = recovered_.history,
                                 .end = {at.sequence, at.digest},
                                 .ancestors = std::move(ancestors),
                                 .log = log_->door()});
    shards_[i]->keyspace.set_sink(&shards_[i]->publisher);
  }
}

void PrimaryNode::Serve() {
  snapshots_ = std::make_unique<SnapshotTask>(time_, *directory_, retention_, *log_);
  replication::PrimaryHub::Options hub = options_.hub;
  hub.clock = time_;
  hub_ = std::make_unique<replication::PrimaryHub>(hub, this, this);
  replicas_ = std::make_unique<ReplicaPort>(time_, hub_.get());
  feed_ = std::make_unique<ExportPort>(time_, options_.feed, *directory_, *log_, retention_);
  for (size_t i = 0; i < shards_.size(); ++i) Turn(i);
  Tick();
}

// --- And ends ---

PrimaryNode::~PrimaryNode() {
  feed_ = nullptr;
  replicas_ = nullptr;
  hub_ = nullptr;  // Its sessions still reach for the shards, with events that must not happen.
  snapshots_ = nullptr;
  time_->EndLife();
}

absl::Status PrimaryNode::Stop() {
  for (const auto& shard : shards_) shard->publisher.OnTurnEnd(time_->UnixMillis());
  for (const auto& shard : shards_) shard->publisher.SealNow();
  return log_->Stop(*directory_);
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
  time_->In(time_->sim().Between(100, 6'000), [this, index] { Turn(index); });
}

bool PrimaryNode::Knows(HistoryId history) const {
  const auto& ancestors = recovered_.ancestors;
  return history == recovered_.history ||
         std::any_of(ancestors.begin(), ancestors.end(),
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
    time_->In(at_us - sim.now_us(), [this, target = shard.get(), each, left, finish] {
      replication::PublishingShard view{target->keyspace, target->publisher, target->snapshots};
      each(view);
      if (--*left > 0) return;
      time_->In(time_->sim().Between(1, 500), [finish] { (*finish)(); });
    });
  }
}

void PrimaryNode::AtCut(EachShard each, Done done) {
  const auto finish = std::make_shared<Done>(std::move(done));
  time_->In(time_->sim().Between(1, 3'000), [this, each = std::move(each), finish] {
    for (const auto& shard : shards_) {
      replication::PublishingShard view{shard->keyspace, shard->publisher, shard->snapshots};
      each(view);
    }
    time_->In(time_->sim().Between(1, 500), [finish] { (*finish)(); });
  });
}

void PrimaryNode::TakeSnapshot() {
  snapshots_->Begin([this](ShardId shard, replication::ChunkTargetRef target) {
    time_->In(time_->sim().Between(1, 2'000),
              [this, shard, target] { shards_[shard.value()]->snapshots.RequestChunks(target); });
  });
}

void PrimaryNode::SyncLog() {
  log_->SyncThrough(Emitted(), [](absl::Status) {});
}

// --- The log and the link threads ---

void PrimaryNode::OnLogMoved() {
  ledger_->OnDurable(history(), log_->DurableCut());
  std::vector<Held> held;
  for (Held& waiting : std::exchange(held_, {})) {
    if (wal::Reaches(log_->DurableCut(), waiting.target)) {
      waiting.then();
    } else {
      held.push_back(std::move(waiting));
    }
  }
  for (Held& waiting : held) held_.push_back(std::move(waiting));
  if (feed_ != nullptr) time_->In(20, [this] { feed_->ServeAll(); });
}

void PrimaryNode::Tick() {
  hub_->Tick(time_->now_ms());
  replicas_->ServeAll();
  feed_->Tick();
  time_->In(kTickUs, [this] { Tick(); });
}

void PrimaryNode::Wake() {
  if (std::exchange(wake_scheduled_, true)) return;
  time_->In(time_->sim().Between(1, 300), [this] {
    wake_scheduled_ = false;
    replicas_->ServeAll();
  });
}

}  // namespace tidemark::simulation
