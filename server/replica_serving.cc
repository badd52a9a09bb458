#include "server/replica_serving.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

namespace tidemark::server {

LinkTokens ReplicationTokensFrom(const Settings& settings) {
  return {.current = settings.String(Setting::kReplicationToken),
          .previous = settings.String(Setting::kReplicationTokenPrevious)};
}

replication::ReplicationServer::Options ReplicationServerOptionsFrom(const Settings& settings,
                                                                     const NodeIdentity& identity) {
  replication::ReplicationServer::Options options;
  options.address = settings.String(Setting::kBind);
  options.port = static_cast<uint16_t>(identity.replication_port);

  replication::PrimaryHub::Options& hub = options.hub;
  hub.node_id = identity.node_id;
  hub.link.path = {identity.node_id};  // Of a primary: nobody is before it.
  hub.link.tokens = ReplicationTokensFrom(settings);
  hub.link.hello_timeout_ms = settings.Int(Setting::kConnectTimeoutMs);
  hub.link.heartbeat_interval_ms = settings.Int(Setting::kHeartbeatIntervalMs);
  hub.link.write_timeout_ms = settings.Int(Setting::kWriteTimeoutMs);
  hub.subscriber.max_frames = static_cast<size_t>(settings.Int(Setting::kSubscriberQueueFrames));
  hub.subscriber.max_bytes = static_cast<size_t>(settings.Int(Setting::kSubscriberQueueBytes));
  hub.max_replicas = static_cast<int>(settings.Int(Setting::kMaxReplicas));
  hub.zstd = settings.Choice<Compression>(Setting::kCompression) == Compression::kZstd;
  hub.compressor.level = static_cast<int>(settings.Int(Setting::kZstdLevel));
  return options;
}

void ShowReplicas(const replication::ReplicationServer::Status& status, ReplicationView& view) {
  view.acked = status.acked;
  for (const replication::ReplicaStatus& replica : status.replicas) {
    view.replicas.push_back({.id = replica.id,
                             .address = replica.address,
                             .state = std::string(replica.state),
                             .acked = replica.acked,
                             .lag_records = replica.lag_records,
                             .lag_ms = replica.lag_ms,
                             .queue_bytes = replica.queue_bytes});
  }
  for (const replication::ReplicaRegistry::Away& replica : status.away) {
    view.away.push_back({.id = 0,
                         .address = replica.address,
                         .state = replica.lost ? "lost" : "away",
                         .acked = replica.acked});
  }
  view.counters["sent_bytes_compressed_total"] = status.sent.sent_bytes;
  view.counters["sent_chunks_total"] = status.sent.sent_chunks;
  view.counters["full_syncs_total"] = status.sent.plans_with_snapshot - status.sent.plans_mixed;
  view.counters["mixed_syncs_total"] = status.sent.plans_mixed;
  view.counters["partial_syncs_total"] = status.sent.plans_without_snapshot;
  view.counters["partial_syncs_refused_total"] = status.sent.positions_refused;
  view.counters["compression_ns_total"] = status.compression.nanos;
  view.counters["refused_total"] = status.refused;
  view.counters["refused_too_slow_total"] = status.refused_too_slow;
  const replication::FeedCounters& feeds = status.feeds;
  view.counters["left_live_total"] = feeds.left_live;
  view.counters["returned_live_total"] = feeds.returned;
  view.counters["log_syncs_total"] = feeds.began_in_log;
  view.counters["fell_to_log_total"] = feeds.fell_to_log;
  view.counters["log_frames_total"] = feeds.log_frames;
  view.counters["log_bytes_total"] = feeds.log_bytes;
  view.counters["out_of_reach_total"] = feeds.out_of_reach;
  view.counters["snapshot_overflows_total"] = feeds.snapshot_overflows;
  view.counters["positions_lost_total"] = status.positions_lost;
  uint64_t queued = 0;
  uint64_t deepest = 0;
  uint64_t highest = 0;
  for (const replication::ReplicaStatus& replica : status.replicas) {
    queued += replica.queue_bytes;
    deepest = std::max<uint64_t>(deepest, replica.queue_bytes);
    highest = std::max<uint64_t>(highest, replica.queue_high_bytes);
  }
  view.counters["queue_bytes"] = queued;
  view.counters["queue_largest_bytes"] = deepest;
  view.counters["queue_high_watermark_bytes"] = highest;
}

void ShowPublished(const std::vector<const replication::ShardPublisher*>& publishers,
                   ReplicationView& view) {
  using replication::PublisherCounters;
  constexpr std::pair<const char*, std::atomic<uint64_t> PublisherCounters::*> kPublished[] = {
      {"emitted_mutations_total", &PublisherCounters::emitted_mutations},
      {"emitted_frames_total", &PublisherCounters::emitted_frames},
      {"sent_batches_total", &PublisherCounters::sent_frames},
      {"sent_records_total", &PublisherCounters::sent_records},
      {"sent_bytes_uncompressed_total", &PublisherCounters::sent_bytes},
      {"drops_total", &PublisherCounters::drops},
      {"backpressure_events_total", &PublisherCounters::backpressure_events},
      {"encode_failures_total", &PublisherCounters::encode_failures},
      {"backlog_bytes", &PublisherCounters::backlog_bytes},
      {"backlog_frames", &PublisherCounters::backlog_frames},
      {"subscribers", &PublisherCounters::subscribers},
  };
  for (const auto& [name, field] : kPublished) {
    uint64_t& sum = view.counters[name];
    for (const replication::ShardPublisher* publisher : publishers) {
      sum += (publisher->counters().*field).load(std::memory_order_relaxed);
    }
  }
}

}  // namespace tidemark::server
