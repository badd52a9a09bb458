#include "server/primary_replication.h"

#include <random>
#include <utility>

#include "server/history_text.h"

namespace tidemark::server {
namespace {

HistoryId NewHistory() {
  std::random_device random;
  uint64_t id = 0;
  while (id == 0) id = (uint64_t{random()} << 32) | random();
  return HistoryId(id);
}

replication::BatchLimits LimitsFrom(const Settings& settings) {
  replication::BatchLimits limits;
  limits.max_records = static_cast<uint32_t>(settings.Int(Setting::kBatchMaxRecords));
  limits.max_bytes = static_cast<size_t>(settings.Int(Setting::kBatchMaxBytes));
  if (settings.Choice<SendPolicy>(Setting::kSendPolicy) == SendPolicy::kImmediate) {
    limits.max_records = 1;
  }
  return limits;
}

}  // namespace

PrimaryReplication::PrimaryReplication(const Settings& settings, int shards)
    : settings_(settings),
      history_(NewHistory()),
      backlog_budget_(static_cast<size_t>(settings.Int(Setting::kBacklogBytes)), shards) {
  for (int i = 0; i < shards; ++i) {
    replication::ShardPublisher::Options options;
    options.shard = ShardId(static_cast<uint16_t>(i));
    options.shard_count = shards;
    options.history = history_;
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
  mine.snapshots = std::make_unique<replication::SnapshotProducer>(
      replication::SnapshotProducer::Options{
          .chunk_bytes = static_cast<size_t>(settings_.Int(Setting::kSnapshotChunkBytes))},
      &shard.keyspace(), mine.publisher.get());
}

void PrimaryReplication::OnTurnEnd(ShardId shard, int64_t now_ms) {
  shards_[shard.value()].publisher->OnTurnEnd(now_ms);
}

bool PrimaryReplication::DoSlice(ShardId shard) {
  return shards_[shard.value()].snapshots->DoSlice();
}

absl::Status PrimaryReplication::Start(cache::Engine& engine, int,
                                       std::function<void()> on_synced) {
  engine_ = &engine;
  on_synced();
  return absl::OkStatus();
}

void PrimaryReplication::Stop() {}

int PrimaryReplication::port() const { return 0; }

ReplicationView PrimaryReplication::View() const {
  ReplicationView view;
  view.history_hex = HistoryHex(history_);
  for (const PerShard& shard : shards_) {
    view.assigned.push_back(shard.publisher->published_assigned());
    view.emitted.push_back(shard.publisher->published_emitted());
  }
  view.backlog_limit_bytes = backlog_budget_.max_bytes();
  return view;
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

void PrimaryReplication::WaitFor(Watermarks, int64_t, int64_t, std::function<void(int64_t)> done) {
  done(0);
}

}  // namespace tidemark::server
