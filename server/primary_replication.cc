#include "server/primary_replication.h"

#include <algorithm>
#include <atomic>
#include <climits>
#include <latch>
#include <memory>
#include <utility>

#include "base/random_id.h"
#include "server/history_text.h"
#include "server/replica_serving.h"
#include "server/shard_calls.h"

namespace tidemark::server {
namespace {

replication::BatchLimits LimitsFrom(const Settings& settings) {
  replication::BatchLimits limits;
  limits.max_records = static_cast<uint32_t>(settings.Int(Setting::kBatchMaxRecords));
  limits.max_bytes = static_cast<size_t>(settings.Int(Setting::kBatchMaxBytes));
  limits.max_delay_ns = settings.Int(Setting::kBatchMaxDelayUs) * 1000;
  if (settings.Choice<SendPolicy>(Setting::kSendPolicy) == SendPolicy::kImmediate) {
    limits.max_records = 1;
  }
  return limits;
}

// Runs `each` on every shard at one cut, and returns when all have. Not from a shard's thread.
void RunAtCut(cache::Engine& engine, std::function<void(cache::Shard&)> each) {
  const auto done = std::make_shared<std::latch>(1);
  engine.RunAtCut(ShardId(0), std::move(each), [done](cache::Shard&) { done->count_down(); });
  done->wait();
}

}  // namespace

PrimaryReplication::PrimaryReplication(const Settings& settings, int shards, NodeIdentity identity)
    : settings_(settings),
      identity_(std::move(identity)),
      history_(HistoryId(RandomId())),
      backlog_budget_(static_cast<size_t>(settings.Int(Setting::kBacklogBytes)), shards),
      // A turn is all that a shard needs: it looks at the levels at the end of each.
      ack_levels_(shards, [this](ShardId shard) { engine_->Post(shard, [](cache::Shard&) {}); }) {
  for (int i = 0; i < shards; ++i) {
    replication::ShardPublisher::Options options;
    options.shard = ShardId(static_cast<uint16_t>(i));
    options.shard_count = shards;
    options.history = history_.load();
    options.limits = LimitsFrom(settings);
    options.budget = &backlog_budget_;
    shards_.push_back({.publisher = std::make_unique<replication::ShardPublisher>(options),
                       .snapshots = nullptr});
  }
}

cache::MutationSink* PrimaryReplication::SinkOf(ShardId shard) {
  return shards_[shard.value()].publisher.get();
}

void PrimaryReplication::AttachShard(cache::Shard& shard) {
  PerShard& mine = shards_[shard.id().value()];
  mine.keyspace = &shard.keyspace();
  mine.snapshots = std::make_unique<replication::SnapshotProducer>(
      replication::SnapshotProducer::Options{
          .chunk_bytes = static_cast<size_t>(settings_.Int(Setting::kSnapshotChunkBytes))},
      mine.keyspace, mine.publisher.get());
}

void PrimaryReplication::OnTurnEnd(ShardId shard, int64_t now_ms) {
  shards_[shard.value()].publisher->OnTurnEnd(now_ms);
}

bool PrimaryReplication::DoSlice(ShardId shard) {
  PerShard& mine = shards_[shard.value()];
  // A batch that waits for more is looked at every turn: the shard does not park on it.
  const bool batch_open = mine.publisher->assigned() != mine.publisher->published_emitted();
  return mine.snapshots->DoSlice() || batch_open;
}

bool PrimaryReplication::WritesRefused(ShardId shard) const {
  return shards_[shard.value()].publisher->writes_refused();
}

absl::Status PrimaryReplication::Prepare(cache::Engine& engine, int) {
  engine_ = &engine;
  return absl::OkStatus();
}

void PrimaryReplication::Begin(std::vector<replication::ShardPublisher::Beginning> beginnings) {
  history_ = beginnings.front().history;
  for (size_t k = 0; k < beginnings.front().ancestors.size(); ++k) {
    replication::Ancestor& ancestor = ancestors_.emplace_back();
    ancestor.history = beginnings.front().ancestors[k].history;
    for (const auto& beginning : beginnings) ancestor.fork.push_back(beginning.ancestors[k].fork);
  }
  RunOnShards(*engine_, [&](cache::Shard& shard) {
    replication::ShardPublisher& publisher = *shards_[shard.id().value()].publisher;
    publisher.Begin(std::move(beginnings[shard.id().value()]));
    shard.set_sink(&publisher);
  });
}

void PrimaryReplication::TakeOver(Succession succession) {
  fork_ = std::move(succession.fork);
  Begin(std::move(succession.beginnings));
  ResumeStreams();
}

PrimaryReplication::StreamEnds PrimaryReplication::EndStreams() {
  StreamEnds ends;
  ends.position.history = history_;
  ends.position.shards.resize(shards_.size());
  ends.ancestors = ancestors_;
  ends.keys.resize(shards_.size());
  // Each shard writes its own elements.
  RunAtCut(*engine_, [&](cache::Shard& shard) {
    const size_t i = shard.id().value();
    replication::ShardPublisher& publisher = *shards_[i].publisher;
    shard.set_read_only(true);
    shard.keyspace().set_effects_only(true);
    publisher.SealNow();
    ends.position.shards[i] = {publisher.emitted(), publisher.digest()};
    ends.keys[i] = shard.keyspace().size();
  });
  return ends;
}

void PrimaryReplication::LeaveLog() {
  RunOnShards(*engine_,
              [this](cache::Shard& shard) { shards_[shard.id().value()].publisher->LeaveLog(); });
}

void PrimaryReplication::ResumeStreams() {
  RunOnShards(*engine_, [](cache::Shard& shard) {
    shard.keyspace().set_effects_only(false);
    shard.set_read_only(false);
  });
}

Watermarks PrimaryReplication::AssignedAtCut() {
  Watermarks assigned(shards_.size());
  RunAtCut(*engine_, [&](cache::Shard& shard) {
    replication::ShardPublisher& publisher = *shards_[shard.id().value()].publisher;
    publisher.SealNow();
    assigned[shard.id().value()] = publisher.assigned();
  });
  return assigned;
}

void PrimaryReplication::Promote(uint64_t replica, bool force,
                                 std::function<void(const replication::PromotionOutcome&)> done) {
  server_->Promote(replica, force, std::move(done));
}

void PrimaryReplication::StopMoved(std::string host, uint16_t port) {
  if (server_ == nullptr) return;
  server_->Stop(replication::PrimaryHub::NewPrimary{.host = std::move(host), .port = port});
}

void PrimaryReplication::Detach() {
  // A cut that was asked for earlier is over when this one is; then nothing posted is left.
  RunAtCut(*engine_, [](cache::Shard&) {});
  RunOnShards(*engine_, [this](cache::Shard& shard) {
    PerShard& mine = shards_[shard.id().value()];
    if (shard.sink() == mine.publisher.get()) shard.set_sink(nullptr);
    mine.snapshots.reset();  // Ends its walk.
    mine.publisher.reset();  // Lets go of subscribers, who would wake the link.
  });
}

uint64_t PrimaryReplication::AssignedOfAll() const {
  uint64_t sum = 0;
  for (const PerShard& shard : shards_) sum += shard.publisher->published_assigned().value();
  return sum;
}

absl::Status PrimaryReplication::Start(std::function<void()> on_synced) {
  if (identity_.replication_port < 0) {
    on_synced();
    return absl::OkStatus();
  }
  std::vector<replication::PublishingShard> publishing;
  for (PerShard& shard : shards_) {
    publishing.push_back({*shard.keyspace, *shard.publisher, *shard.snapshots});
  }
  replication::ReplicationServer::Options options =
      ReplicationServerOptionsFrom(settings_, identity_);
  options.history = history_;
  options.ancestors = ancestors_;
  options.hub.levels = &ack_levels_;
  server_ = std::make_unique<replication::ReplicationServer>(options, std::move(publishing),
                                                             CallsInto(*engine_), archive_.get());
  if (const absl::Status status = server_->Start(); !status.ok()) return status;
  started_.store(true, std::memory_order_release);
  on_synced();
  return absl::OkStatus();
}

void PrimaryReplication::Stop() {
  if (server_ != nullptr) server_->Stop();
}

void PrimaryReplication::OnTokensChanged() {
  // A server that starts later reads them itself.
  if (started_.load(std::memory_order_acquire))
    server_->SetTokens(ReplicationTokensFrom(settings_));
}

int PrimaryReplication::port() const {
  return started_.load(std::memory_order_acquire) ? server_->port() : 0;
}

ReplicationView PrimaryReplication::View() const {
  ReplicationView view;
  view.history_hex = HistoryHex(history_);
  for (const replication::Ancestor& ancestor : ancestors_) {
    view.ancestors.push_back({.history_hex = HistoryHex(ancestor.history), .fork = ancestor.fork});
  }
  if (fork_.parent != HistoryId()) view.parent_hex = HistoryHex(fork_.parent);
  view.fork = fork_.at;
  view.lost = fork_.lost;
  for (const PerShard& shard : shards_) {
    view.assigned.push_back(shard.publisher->published_assigned());
    view.emitted.push_back(shard.publisher->published_emitted());
  }
  view.backlog_limit_bytes = backlog_budget_.max_bytes();
  view.backlog_bytes = backlog_budget_.used_bytes();
  view.backlog_active = view.backlog_bytes > 0;
  if (!started_.load(std::memory_order_acquire)) return view;
  ShowReplicas(server_->status(), view);
  std::vector<const replication::ShardPublisher*> publishers;
  for (const PerShard& shard : shards_) publishers.push_back(shard.publisher.get());
  ShowPublished(publishers, view);
  // A replica counts how it caught up itself.
  const auto sum = [&](auto counter) {
    uint64_t sum = 0;
    for (const PerShard& shard : shards_) {
      sum += (shard.publisher->counters().*counter).load(std::memory_order_relaxed);
    }
    return sum;
  };
  using replication::PublisherCounters;
  view.counters["catch_up_nothing_total"] = sum(&PublisherCounters::catch_up_nothing);
  view.counters["catch_up_backlog_total"] = sum(&PublisherCounters::catch_up_backlog);
  view.counters["catch_up_snapshot_total"] = sum(&PublisherCounters::catch_up_snapshot);
  return view;
}

replication::ServedPosition PrimaryReplication::Served() const {
  replication::ServedPosition position;
  position.history = position.shown_history = history_;
  position.ancestors = ancestors_;
  for (const PerShard& shard : shards_) {
    position.reached.push_back(shard.publisher->published_assigned());
  }
  position.shown = position.reached;
  return position;
}

void PrimaryReplication::AtCut(std::function<void(ShardId)> each,
                               std::function<void(HistoryId, Watermarks)> done) {
  // Each shard writes its own element; the engine orders that before `done`.
  auto watermarks = std::make_shared<Watermarks>(shards_.size());
  engine_->RunAtCut(
      ShardId(0),
      [this, watermarks, each = std::move(each)](cache::Shard& shard) {
        (*watermarks)[shard.id().value()] = shards_[shard.id().value()].publisher->assigned();
        each(shard.id());
      },
      [this, watermarks, done = std::move(done)](cache::Shard&) { done(history_, *watermarks); });
}

void PrimaryReplication::WaitFor(Watermarks target, replication::AckKind kind, int64_t replicas,
                                 int64_t timeout_ms, std::function<void(int64_t)> done) {
  if (server_ == nullptr) return done(0);  // None can ever come.
  const int wanted = static_cast<int>(std::clamp<int64_t>(replicas, 0, INT_MAX));
  server_->WaitFor(
      std::move(target), wanted, timeout_ms,
      [done = std::move(done)](int covering) {
        done(covering == replication::PrimaryHub::kStopped ? kUnblocked : covering);
      },
      kind);
}

}  // namespace tidemark::server
