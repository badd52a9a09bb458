#include "server/replica_replication.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "server/history_text.h"
#include "server/shard_calls.h"

namespace tidemark::server {
namespace {

replication::AcceptForeignHistory AcceptFrom(const Settings& settings) {
  switch (settings.Choice<ForeignHistory>(Setting::kAcceptForeignHistory)) {
    case ForeignHistory::kNever:
      return replication::AcceptForeignHistory::kNever;
    case ForeignHistory::kNonempty:
      return replication::AcceptForeignHistory::kNonempty;
    case ForeignHistory::kAlways:
      break;
  }
  return replication::AcceptForeignHistory::kAlways;
}

// What has come and is not applied, at most. A replica whose memory is small beside its data is as
// fast as its tier: what comes faster waits in the primary's log, not here.
size_t PendingBytes(const Settings& settings, size_t otherwise) {
  constexpr int64_t kLeast = 4 << 20;
  const int64_t maxmemory = settings.Int(Setting::kMaxmemory);
  if (settings.String(Setting::kTierDir).empty() || maxmemory == 0) return otherwise;
  return std::min(otherwise, static_cast<size_t>(std::max(maxmemory / 16, kLeast)));
}

}  // namespace

ReplicaReplication::Course ReplicaReplication::FromSettings(const Settings& settings) {
  // The setting's own check has seen that this is HOST:PORT.
  const std::string primary = settings.String(Setting::kPrimary);
  const size_t colon = primary.rfind(':');
  Course course;
  course.host = primary.substr(0, colon);
  course.port = std::stoi(primary.substr(colon + 1));
  return course;
}

ReplicaReplication::ReplicaReplication(const Settings& settings, int shards, NodeIdentity identity,
                                       Course course, replication::ServedBoard& served,
                                       Orders orders)
    : settings_(settings),
      identity_(std::move(identity)),
      course_(std::move(course)),
      orders_(std::move(orders)),
      served_(served),
      keyspaces_(static_cast<size_t>(shards)),
      cut_walks_(static_cast<size_t>(shards)) {
  if (identity_.replication_port >= 0) {
    relay_ = std::make_unique<RelayService>(settings, shards, identity_);
  }
}

replication::ReplicaClient::Ending ReplicaReplication::Finish(
    replication::wire::Goodbye::Code code) {
  replication::ReplicaClient::Ending ending = client_->Finish(code);
  // They have been sent all that was applied, but for who is slow, and follow whoever is here next.
  if (relay_ != nullptr) relay_->Stop();
  return ending;
}

void ReplicaReplication::AttachShard(cache::Shard& shard) {
  keyspaces_[shard.id().value()] = &shard.keyspace();
  cut_walks_[shard.id().value()] =
      std::make_unique<replication::CutWalk>(shard.id(), &shard.keyspace());
  if (relay_ != nullptr) relay_->Attach(shard);
}

bool ReplicaReplication::DoSlice(ShardId shard) {
  constexpr size_t kEntriesPerSlice = 512;  // About 100 us of a shard's time.
  const bool walks = cut_walks_[shard.value()]->DoSlice();
  const bool relays = relay_ != nullptr && relay_->DoSlice(shard);
  return client_->FreeSome(shard, kEntriesPerSlice) || walks || relays;
}

void ReplicaReplication::Begin(const NodeDurability::RecoveredStream& recovered,
                               FollowedStream* stream) {
  client_->Begin(recovered.start, recovered.held, recovered.keys, recovered.ancestors, stream);
}

void ReplicaReplication::RequestCut(std::shared_ptr<replication::ChunkQueue> queue,
                                    NodeDurability::ReplicaShards::CutKnown known) {
  // Each shard's own; the cut orders them before `done`.
  const auto begun = std::make_shared<std::vector<char>>(keyspaces_.size());
  client_->ObserveAtCut(
      [this, queue, begun](ShardId shard) {
        (*begun)[shard.value()] = cut_walks_[shard.value()]->Begin(queue) ? 1 : 0;
      },
      [begun, known = std::move(known)](const replication::ReplicaPosition& at) {
        if (std::count(begun->begin(), begun->end(), 0) > 0) {
          return known(absl::UnavailableError("another walk of the keyspace is under way"));
        }
        known(at);
      });
}

absl::Status ReplicaReplication::Prepare(cache::Engine& engine, int client_port) {
  std::random_device random;
  replication::ReplicaClient::Options options;
  options.primary_host = course_.host;
  options.primary_port = static_cast<uint16_t>(course_.port);
  options.locate_primary = course_.locate;
  options.applier.max_pending_bytes = PendingBytes(settings_, options.applier.max_pending_bytes);
  options.applier.start = course_.position;
  options.applier.start_ancestors = course_.ancestors;
  options.applier.start_keys = course_.keys;
  // Who cannot be followed needs none.
  if (relay_ != nullptr) {
    options.relay_bytes = static_cast<size_t>(settings_.Int(Setting::kBacklogBytes));
    relay_->Prepare(engine);
    options.relay = relay_->relay();
    options.shard_relays = relay_->shard_relays();
    options.relay_tail = course_.tail;
  }
  options.on_promotion_order = orders_.promote;
  options.on_new_primary = orders_.follow;
  options.link.node_id = identity_.node_id;
  options.served = &served_;
  options.link.token = settings_.String(Setting::kReplicationToken);
  options.link.client_port = static_cast<uint16_t>(client_port);
  options.link.want_zstd =
      settings_.Choice<Compression>(Setting::kCompression) == Compression::kZstd;
  options.link.accept_foreign_history = AcceptFrom(settings_);
  options.link.connect_timeout_ms = settings_.Int(Setting::kConnectTimeoutMs);
  options.link.backoff.first_ms = settings_.Int(Setting::kReconnectBackoffMs);
  options.link.backoff.longest_ms = settings_.Int(Setting::kReconnectBackoffMaxMs);
  options.link.seed = random();
  client_ = std::make_unique<replication::ReplicaClient>(options, keyspaces_, CallsInto(engine));
  return absl::OkStatus();
}

absl::Status ReplicaReplication::Start(std::function<void()> on_synced) {
  const absl::Status relays = relay_ == nullptr ? absl::OkStatus() : relay_->Start();
  // It follows whether or not anybody can follow it.
  client_->Start(std::move(on_synced));
  return relays;
}

void ReplicaReplication::Stop() {
  client_->Stop();
  if (relay_ != nullptr) relay_->Stop();
}

void ReplicaReplication::OnTokensChanged() {
  client_->SetToken(settings_.String(Setting::kReplicationToken));
  if (relay_ != nullptr) relay_->OnTokensChanged();
}

ReplicationView ReplicaReplication::View() const {
  ReplicationView view;
  view.primary_host = course_.host;
  view.primary_port = course_.port;
  const replication::ReplicaClient::Status status = client_->status();
  view.history_hex = HistoryHex(status.history);
  view.follows = status.path;
  view.received = status.received;
  view.applied = status.applied;
  view.link_state = status.link_state;
  view.link_up = status.link_up;
  view.sync_in_progress = status.sync_in_progress;
  view.last_failure = status.last_failure;
  view.link_silent_ms = status.silent_ms;
  view.stale_ms = status.stale_ms;
  view.lag_records = status.lag_records;
  view.counters = {
      {"applied_records_total", status.applier.applied_records},
      {"skipped_records_total", status.link.skipped_records},
      {"apply_ns_total", status.apply_ns},
      {"apply_steps_total", status.applier.steps},
      {"apply_steps_at_cut_total", status.applier.steps_at_cut},
      {"snapshots_swapped_in_total", status.applier.snapshots_swapped_in},
      {"snapshots_dropped_total", status.applier.snapshots_dropped},
      {"link_attempts_total", status.link.attempts},
      {"link_connections_total", status.link.connections},
      {"received_frames_total", status.link.received_frames},
      {"received_bytes_total", status.link.received_bytes},
      {"gaps_total", status.link.gaps},
      {"discarded_records_total", status.link.discarded_records},
      {"digest_mismatches_total", status.link.digest_mismatches},
      {"damaged_messages_total", status.link.damaged_messages},
      {"catch_up_snapshot_total", status.link.plans_with_snapshot},
      {"catch_up_mixed_total", status.link.plans_mixed},
      {"catch_up_backlog_total", status.link.plans_without_snapshot},
  };
  if (relay_ != nullptr) relay_->AddTo(view);
  return view;
}

void ReplicaReplication::AtCut(std::function<void(ShardId)> each,
                               std::function<void(HistoryId, Watermarks)> done) {
  client_->ObserveAtCut(std::move(each),
                        [done = std::move(done)](const replication::ReplicaPosition& at) {
                          Watermarks applied;
                          for (const auto& shard : at.shards) applied.push_back(shard.sequence);
                          done(at.history, std::move(applied));
                        });
}

void ReplicaReplication::WaitFor(Watermarks, replication::AckKind, int64_t, int64_t,
                                 std::function<void(int64_t)> done) {
  done(0);
}

}  // namespace tidemark::server
