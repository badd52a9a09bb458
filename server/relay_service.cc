#include "server/relay_service.h"

#include <latch>
#include <utility>

#include "server/replica_serving.h"
#include "server/shard_calls.h"

namespace tidemark::server {
namespace {

// A change of role waits for it. Who has not got everything by then gets it on its next connection.
constexpr int64_t kStopTimeoutMs = 200;

}  // namespace

RelayService::RelayService(const Settings& settings, int shards, NodeIdentity identity)
    : settings_(settings),
      identity_(std::move(identity)),
      backlog_budget_(static_cast<size_t>(settings.Int(Setting::kBacklogBytes)), shards) {
  for (int i = 0; i < shards; ++i) {
    replication::ShardPublisher::Options options;
    options.shard = ShardId(static_cast<uint16_t>(i));
    options.shard_count = shards;
    options.budget = &backlog_budget_;
    relays_.push_back(std::make_unique<replication::ShardRelay>(
        options,
        replication::SnapshotProducer::Options{
            .chunk_bytes = static_cast<size_t>(settings.Int(Setting::kSnapshotChunkBytes))}));
  }
}

void RelayService::Attach(cache::Shard& shard) {
  relays_[shard.id().value()]->Attach(&shard.keyspace());
}

void RelayService::Prepare(cache::Engine& engine) {
  engine_ = &engine;
  std::vector<replication::PublishingShard> publishing;
  for (const auto& relay : relays_) {
    publishing.push_back({relay->keyspace(), relay->publisher(), relay->snapshots()});
  }
  replication::ReplicationServer::Options options =
      ReplicationServerOptionsFrom(settings_, identity_);
  options.hub.relays = true;
  options.stop_timeout_ms = kStopTimeoutMs;
  server_ = std::make_unique<replication::ReplicationServer>(options, std::move(publishing),
                                                             CallsInto(engine));
}

absl::Status RelayService::Start() {
  const absl::Status started = server_->Start();
  if (started.ok()) started_.store(true, std::memory_order_release);
  return started;
}

void RelayService::Stop() {
  if (!started_.exchange(false)) return;
  server_->Stop();
  // No walk goes on for somebody who has been told goodbye.
  RunOnShards(*engine_, [this](cache::Shard& shard) { relays_[shard.id().value()]->End(); });
}

void RelayService::Detach() {
  // A cut that was asked for earlier is over when this one is; then nothing posted is left.
  const auto done = std::make_shared<std::latch>(1);
  engine_->RunAtCut(
      ShardId(0), [](cache::Shard&) {}, [done](cache::Shard&) { done->count_down(); });
  done->wait();
  RunOnShards(*engine_, [this](cache::Shard& shard) { relays_[shard.id().value()].reset(); });
}

std::vector<replication::ShardRelay*> RelayService::shard_relays() {
  std::vector<replication::ShardRelay*> relays;
  for (const auto& relay : relays_) relays.push_back(relay.get());
  return relays;
}

void RelayService::OnTokensChanged() {
  // A server that starts later reads them itself.
  if (started_.load(std::memory_order_acquire)) {
    server_->SetTokens(ReplicationTokensFrom(settings_));
  }
}

int RelayService::port() const {
  return started_.load(std::memory_order_acquire) ? server_->port() : 0;
}

void RelayService::AddTo(ReplicationView& view) const {
  view.backlog_limit_bytes = backlog_budget_.max_bytes();
  view.backlog_bytes = backlog_budget_.used_bytes();
  view.backlog_active = view.backlog_bytes > 0;
  if (!started_.load(std::memory_order_acquire)) return;
  view.serves_replicas = true;
  ShowReplicas(server_->status(), view);
  std::vector<const replication::ShardPublisher*> publishers;
  for (const auto& relay : relays_) publishers.push_back(&relay->publisher());
  ShowPublished(publishers, view);
}

}  // namespace tidemark::server
