#include "server/metrics_page.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/metrics/metric_registry.h"

namespace tidemark::server {
namespace {

class Page {
 public:
  MetricFamilySample& Family(std::string name, std::string help, MetricKind kind) {
    MetricFamilySample& family = families_.emplace_back();
    family.name = "tidemark_" + std::move(name);
    family.help = std::move(help);
    family.kind = kind;
    return family;
  }
  void Gauge(std::string name, std::string help, double value) {
    Family(std::move(name), std::move(help), MetricKind::kGauge)
        .samples.push_back(MetricSample::Of(value));
  }
  void Add(const std::vector<MetricFamilySample>& families) {
    families_.insert(families_.end(), families.begin(), families.end());
  }
  std::string Text() const { return PrometheusText(families_); }

 private:
  std::vector<MetricFamilySample> families_;
};

struct ShardMetric {
  const char* name;
  const char* help;
  MetricKind kind;
  uint64_t ShardReport::*field;
};

constexpr MetricKind kCounter = MetricKind::kCounter;
constexpr MetricKind kGauge = MetricKind::kGauge;
constexpr ShardMetric kShardMetrics[] = {
    {"keys", "Keys held.", kGauge, &ShardReport::keys},
    {"keys_expiring", "Keys held that have an expiry.", kGauge, &ShardReport::expiring_keys},
    {"keyspace_bytes", "Bytes of entries and tables.", kGauge, &ShardReport::keyspace_bytes},
    {"table_bytes", "Of them, those of tables.", kGauge, &ShardReport::table_bytes},
    {"keyspace_hits_total", "Reads that found their key.", kCounter, &ShardReport::keyspace_hits},
    {"keyspace_misses_total", "Reads that found no key.", kCounter, &ShardReport::keyspace_misses},
    {"expired_keys_total", "Keys deleted because their time was up.", kCounter,
     &ShardReport::expired_keys},
    {"expired_idle_keys_total", "Of them, those that went because nobody used them.", kCounter,
     &ShardReport::expired_idle_keys},
    {"idle_renewals_total", "Moments of keys with an idle time that a use moved on.", kCounter,
     &ShardReport::idle_renewals},
    {"stale_hits_total", "Hits whose value was stale.", kCounter, &ShardReport::stale_hits},
    {"revalidations_asked_total", "Callers of TIDE GET that were to fetch a stale value anew.",
     kCounter, &ShardReport::revalidations_asked},
    {"evicted_keys_total", "Keys deleted because memory was full.", kCounter,
     &ShardReport::evicted_keys},
    {"cold_keys", "Keys whose values are in the disk tier.", kGauge, &ShardReport::cold_keys},
    {"cold_bytes", "The length of those values.", kGauge, &ShardReport::cold_bytes},
    {"tier_hits_total", "Values that commands got from the disk tier.", kCounter,
     &ShardReport::tier_hits},
    {"tier_unreadable_total", "Values that commands could not get from it.", kCounter,
     &ShardReport::tier_unreadable},
    {"tier_waits_total", "Times that a command waited for it.", kCounter, &ShardReport::tier_waits},
    {"tier_waiting", "Commands that wait for it.", kGauge, &ShardReport::tier_waiting},
    {"tier_demoted_total", "Values that left memory.", kCounter, &ShardReport::tier_demoted},
    {"tier_demoted_bytes_total", "Their length.", kCounter, &ShardReport::tier_demoted_bytes},
    {"tier_demotions_stale_total", "Values that changed while they were written.", kCounter,
     &ShardReport::tier_demotions_stale},
    {"tier_demotions_failed_total", "Values that could not be written.", kCounter,
     &ShardReport::tier_demotions_failed},
    {"tier_promoted_total", "Values taken back into memory.", kCounter,
     &ShardReport::tier_promoted},
    {"tier_promotions_stale_total", "Values that had changed before they could be.", kCounter,
     &ShardReport::tier_promotions_stale},
    {"tier_promotions_held_back_total", "Values that stayed on disk for want of memory.", kCounter,
     &ShardReport::tier_promotions_held_back},
    {"tier_lost_total", "Values that could not be read when a part of them was to be changed.",
     kCounter, &ShardReport::tier_lost},
    {"clients", "Client connections.", kGauge, &ShardReport::clients},
    {"client_output_bytes", "Replies written and not yet sent.", kGauge,
     &ShardReport::client_output_bytes},
    {"client_memory_bytes", "Of clients' buffers.", kGauge, &ShardReport::client_memory_bytes},
    {"mesh_bytes", "Commands under way to other shards.", kGauge, &ShardReport::mesh_bytes},
    {"clients_held", "Clients whose replies wait for disks or replicas.", kGauge,
     &ShardReport::held_clients},
    {"clients_held_for_disk", "Of them, those that wait for this node's disk.", kGauge,
     &ShardReport::held_for_disk},
    {"clients_held_for_replicas", "Of them, those that wait for replicas.", kGauge,
     &ShardReport::held_for_replicas},
    {"clients_held_for_durable_replicas", "Of them, those that wait for replicas' disks.", kGauge,
     &ShardReport::held_for_durable_replicas},
    {"clients_held_most", "The most of them at once.", kGauge, &ShardReport::held_clients_most},
    {"held_reply_bytes", "Bytes of those replies.", kGauge, &ShardReport::held_bytes},
    {"held_replies_total", "Groups of replies that waited and left.", kCounter,
     &ShardReport::held_replies},
    {"ack_timeouts_total", "Replies to writes that became errors: not acknowledged in time.",
     kCounter, &ShardReport::ack_timeouts},
    {"writes_refused_for_replicas_total", "Writes refused by min_replicas_to_write.", kCounter,
     &ShardReport::refused_for_replicas},
    {"commands_total", "Commands run.", kCounter, &ShardReport::commands_processed},
    {"net_input_bytes_total", "Bytes read from clients.", kCounter, &ShardReport::net_input_bytes},
    {"net_output_bytes_total", "Bytes sent to clients.", kCounter, &ShardReport::net_output_bytes},
    {"connections_total", "Connections accepted.", kCounter, &ShardReport::connections_received},
    {"connections_rejected_total", "Connections refused at maxclients.", kCounter,
     &ShardReport::rejected_connections},
    {"accept_failures_total", "Times that accepting paused for want of descriptors.", kCounter,
     &ShardReport::accept_failures},
    {"clients_cut_output_total", "Clients cut at their output limit.", kCounter,
     &ShardReport::clients_cut_by_output_limit},
    {"clients_cut_query_total", "Clients cut at the query buffer limit.", kCounter,
     &ShardReport::clients_cut_by_query_limit},
    {"writes_delayed_total", "Times that writes began to wait because of pressure.", kCounter,
     &ShardReport::writes_delayed},
    {"writes_delayed_by_tier_total", "Of them, until values had gone to disk.", kCounter,
     &ShardReport::writes_delayed_by_tier},
    {"writes_refused_busy_total", "Writes answered -BUSYTIDE.", kCounter,
     &ShardReport::writes_refused_busy},
    {"writes_refused_oom_total", "Writes answered -OOM.", kCounter,
     &ShardReport::writes_refused_oom},
    {"stale_reads_refused_total", "Reads refused because the replica was too far behind.", kCounter,
     &ShardReport::stale_reads_refused},
    {"token_waiters", "Clients that wait for a freshness token.", kGauge,
     &ShardReport::token_waiters},
    {"token_waits_total", "Waits for a freshness token that came to an end.", kCounter,
     &ShardReport::token_waits},
    {"token_wait_timeouts_total", "Of them, those that the time ended.", kCounter,
     &ShardReport::token_wait_timeouts},
    {"error_replies_total", "Error replies.", kCounter, &ShardReport::error_replies},
    {"loop_turns_total", "Turns of the shard's loop.", kCounter, &ShardReport::loop_turns},
    {"loop_parks_total", "Times that the shard's loop slept.", kCounter, &ShardReport::loop_parks},
    {"mesh_requests_total", "Commands sent to another shard.", kCounter,
     &ShardReport::mesh_requests},
    {"mesh_spills_total", "Batches that found a mesh ring full.", kCounter,
     &ShardReport::mesh_spills},
    {"lock_waits_total", "Commands that waited behind one that spans shards.", kCounter,
     &ShardReport::lock_waits},
    {"transactions_total", "Commands that spanned shards.", kCounter, &ShardReport::transactions},
};

struct ShardTime {
  const char* name;
  const char* help;
  double ShardReport::*micros;
};
constexpr ShardTime kShardTimes[] = {
    {"held_reply_p50_seconds", "How long replies waited for disks or replicas: half of them.",
     &ShardReport::held_p50_usec},
    {"held_reply_p99_seconds", "Likewise: 99 of 100.", &ShardReport::held_p99_usec},
    {"held_reply_max_seconds", "Likewise: all of them.", &ShardReport::held_max_usec},
};

void AddVector(Page& page, std::string name, std::string help, const Watermarks& watermarks) {
  if (watermarks.empty()) return;
  MetricFamilySample& family = page.Family(std::move(name), std::move(help), kGauge);
  for (size_t i = 0; i < watermarks.size(); ++i) {
    family.samples.push_back(MetricSample::Of(static_cast<double>(watermarks[i].value()),
                                              {{"shard", std::to_string(i)}}));
  }
}

void AddTier(Page& page, const NodeReport& report) {
  const TierView& tier = report.tier;
  if (!tier.enabled) return;
  struct TierMetric {
    const char* name;
    const char* help;
    MetricKind kind;
    uint64_t value;
  };
  const tier::TierStats& log = tier.log;
  const TierMetric metrics[] = {
      {"tier_file_bytes", "What the disk tier takes of the disk.", kGauge, log.file_bytes},
      {"tier_live_bytes", "Of them, those of values that entries point to.", kGauge,
       log.live_bytes},
      {"tier_reclaim_debt_bytes", "Live bytes of segments that are due to be reclaimed.", kGauge,
       log.reclaim_debt_bytes},
      {"tier_full", "1 while nothing can go to disk for want of room.", kGauge,
       log.full ? uint64_t{1} : 0},
      {"tier_down", "1 while the disk takes no writes.", kGauge, log.down ? uint64_t{1} : 0},
      {"tier_promotion_queue_depth", "Values that wait to be taken back into memory.", kGauge,
       tier.promotions.depth},
      {"tier_reads_total", "Values that shards asked of it.", kCounter, log.reads},
      {"tier_reads_cached_total", "Of them, those that the page cache had: no thread read them.",
       kCounter, log.reads_cached},
      {"tier_reads_not_cached_total", "Values that were looked for there in vain.", kCounter,
       log.reads_not_cached},
      {"tier_reads_cached_passed_total", "Values that a bound kept shards from looking for there.",
       kCounter, log.reads_cached_passed + report.total.tier_cached_put_off},
  };
  for (const TierMetric& metric : metrics) {
    page.Family(metric.name, metric.help, metric.kind)
        .samples.push_back(MetricSample::Of(static_cast<double>(metric.value)));
  }
  MetricSample latency;
  latency.latency = log.read_latency;
  page.Family("tier_read_seconds", "From a shard's asking for a value to its bytes.",
              MetricKind::kHistogram)
      .samples.push_back(std::move(latency));
}

void AddReplicas(Page& page, const ReplicationView& view) {
  struct ReplicaMetric {
    const char* name;
    const char* help;
    double (*read)(const ReplicaReport&);
  };
  constexpr ReplicaMetric kMetrics[] = {
      {"replica_lag_records", "Mutations that the replica has not acknowledged.",
       [](const ReplicaReport& r) { return static_cast<double>(r.lag_records); }},
      {"replica_lag_seconds", "How long ago the replica had everything.",
       [](const ReplicaReport& r) { return static_cast<double>(r.lag_ms) / 1000; }},
      {"replica_queue_bytes", "Bytes queued for the replica.",
       [](const ReplicaReport& r) { return static_cast<double>(r.queue_bytes); }},
  };
  for (const ReplicaMetric& metric : kMetrics) {
    MetricFamilySample& family = page.Family(metric.name, metric.help, kGauge);
    for (const ReplicaReport& replica : view.replicas) {
      family.samples.push_back(
          MetricSample::Of(metric.read(replica), {{"replica", replica.address}}));
    }
  }
}

void AddPressure(Page& page, const PressureView& view) {
  page.Gauge("pressure_state", "0 normal, 1 throttled, 2 suspended.", view.state_number);
  page.Gauge("pressure_stalled", "1 while the log stands still and writes are refused.",
             view.stalled ? 1 : 0);
  page.Gauge("pressure_write_pause_seconds", "Between two turns that take writes.",
             static_cast<double>(view.write_pause_ms) / 1000);
  struct InputMetric {
    const char* name;
    const char* help;
    MetricKind kind;
    double (*read)(const PressureView::Input&);
  };
  constexpr InputMetric kMetrics[] = {
      {"pressure_input_percent", "How full the input is.", kGauge,
       [](const PressureView::Input& i) { return static_cast<double>(i.percent); }},
      {"pressure_input_state", "0 normal, 1 throttled, 2 suspended.", kGauge,
       [](const PressureView::Input& i) { return static_cast<double>(i.state_number); }},
      {"pressure_input_throttled_total", "Times that the input became throttled.", kCounter,
       [](const PressureView::Input& i) { return static_cast<double>(i.throttled_total); }},
      {"pressure_input_suspended_total", "Times that the input became suspended.", kCounter,
       [](const PressureView::Input& i) { return static_cast<double>(i.suspended_total); }},
  };
  for (const InputMetric& metric : kMetrics) {
    MetricFamilySample& family = page.Family(metric.name, metric.help, metric.kind);
    for (const PressureView::Input& input : view.inputs) {
      family.samples.push_back(MetricSample::Of(metric.read(input), {{"input", input.name}}));
    }
  }
}

}  // namespace

std::string MetricsText(const NodeReport& report) {
  Page page;
  for (const ShardMetric& metric : kShardMetrics) {
    MetricFamilySample& family = page.Family(metric.name, metric.help, metric.kind);
    for (size_t i = 0; i < report.by_shard.size(); ++i) {
      family.samples.push_back(MetricSample::Of(
          static_cast<double>(report.by_shard[i].*metric.field), {{"shard", std::to_string(i)}}));
    }
  }
  for (const ShardTime& metric : kShardTimes) {
    MetricFamilySample& family = page.Family(metric.name, metric.help, kGauge);
    for (size_t i = 0; i < report.by_shard.size(); ++i) {
      family.samples.push_back(MetricSample::Of(report.by_shard[i].*metric.micros / 1e6,
                                                {{"shard", std::to_string(i)}}));
    }
  }
  page.Gauge("rss_bytes", "Resident memory of the process.",
             static_cast<double>(report.process.rss_bytes));
  page.Gauge("allocated_bytes", "Memory that the allocator has given out.",
             static_cast<double>(report.process.allocated_bytes));
  page.Gauge("maxmemory_bytes", "The limit on memory; 0 is none.",
             static_cast<double>(report.maxmemory_bytes));
  page.Gauge("keyspace_limit_bytes", "What of it is left for keys and values; 0 is no limit.",
             static_cast<double>(report.keyspace_limit_bytes));
  AddTier(page, report);
  page.Gauge("uptime_seconds", "Since the node started.",
             static_cast<double>(report.uptime_ms) / 1000);

  AddPressure(page, report.pressure);
  const ReplicationView& view = report.replication;
  AddVector(page, "watermark_assigned", "The newest mutation of each shard.", view.assigned);
  AddVector(page, "watermark_emitted", "The newest mutation that every reader can get.",
            view.emitted);
  AddVector(page, "watermark_acked", "What every replica has.", view.acked);
  AddVector(page, "watermark_received", "What has arrived from the primary.", view.received);
  AddVector(page, "watermark_applied", "What of it is visible.", view.applied);
  const DurabilityView& log = report.durability;
  if (log.enabled) {
    AddVector(page, "watermark_durable", "What is on disk, transactions whole.", log.durable);
    AddVector(page, "watermark_exported", "What every consumer that is connected was sent.",
              log.exported);
    page.Gauge("loading", "1 while the data directory is loaded.", log.loading ? 1 : 0);
    page.Gauge("wal_writing", "0 while the log takes no writes.", log.writing ? 1 : 0);
    page.Gauge("wal_failed", "1 once the log has failed: the node needs a restart.",
               log.failed ? 1 : 0);
    for (const auto& [name, value] : log.counters) {
      MetricFamilySample& family =
          page.Family("wal_" + name, "See docs/operations.md, \"The log's counters\".",
                      name.ends_with("_total") ? kCounter : kGauge);
      family.samples.push_back(MetricSample::Of(static_cast<double>(value)));
    }
  }
  page.Add(log.export_metrics);
  if (!report.replica) AddReplicas(page, view);
  for (const auto& [name, value] : view.counters) {
    MetricFamilySample& family =
        page.Family("replication_" + name, "See docs/operations.md, \"Replication counters\".",
                    name.ends_with("_total") ? kCounter : kGauge);
    family.samples.push_back(MetricSample::Of(static_cast<double>(value)));
  }
  return page.Text();
}

}  // namespace tidemark::server
