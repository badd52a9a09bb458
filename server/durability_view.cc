// What NodeDurability shows of itself.

#include <mutex>
#include <string>

#include "base/metrics/latency_histogram.h"
#include "server/durability.h"
#include "server/export_report.h"
#include "server/recovery_loader.h"

namespace tidemark::server {
namespace {

void AddLatency(const std::string& what, const LatencyHistogram& histogram, DurabilityView& view) {
  LatencySnapshot snapshot;
  histogram.AddTo(snapshot);
  const auto micros = [](int64_t nanos) { return static_cast<uint64_t>(nanos / 1000); };
  view.counters[what + "_p50_usec"] = micros(snapshot.PercentileNanos(50));
  view.counters[what + "_p99_usec"] = micros(snapshot.PercentileNanos(99));
  view.counters[what + "_max_usec"] = micros(snapshot.max_nanos());
}

}  // namespace

uint64_t NodeDurability::queued_bytes() const {
  wal::StreamKeeper* const keeper = published_keeper_.load(std::memory_order_acquire);
  const std::shared_ptr<wal::Log> log = keeper == nullptr ? nullptr : keeper->log();
  uint64_t queued = 0;
  for (size_t i = 0; log != nullptr && i < log->shard_count(); ++i) {
    queued += log->shard(ShardId(static_cast<uint16_t>(i))).queued_bytes();
  }
  return queued;
}

DurabilityView NodeDurability::View() const {
  DurabilityView view;
  view.enabled = true;
  view.fsync = settings_.String(Setting::kFsync);
  AddLoading(view);
  wal::StreamKeeper* const keeper = published_keeper_.load(std::memory_order_acquire);
  const std::shared_ptr<wal::Log> log = keeper == nullptr ? nullptr : keeper->log();
  const FollowedStream* const stream = published_stream_.load(std::memory_order_acquire);
  if (log != nullptr) {
    view.writing = log->state() == wal::LogState::kWriting;
    view.failed = log->state() == wal::LogState::kFailed;
    view.cause = log->cause();
  }
  if (const std::string waiting = stream == nullptr ? "" : stream->waiting(); !waiting.empty()) {
    view.writing = false;
    view.cause = waiting;
  }
  if (const std::string failure = stream == nullptr ? "" : stream->failure(); !failure.empty()) {
    view.writing = false;
    view.failed = true;
    view.cause = failure;
  }
  if (log == nullptr) return view;
  view.same_history = recovered_.same_history;
  view.recovered_records = recovered_.records;
  view.recovered_torn_bytes = recovered_.torn_bytes;
  view.durable = keeper->durable();
  for (size_t i = 0; i < log->shard_count(); ++i) {
    view.written.push_back(log->written(ShardId(static_cast<uint16_t>(i))));
  }
  const wal::LogCounters& counters = log->counters();
  view.counters = {
      {"frames_total", counters.frames.value()},
      {"records_total", counters.records.value()},
      {"bytes_total", counters.bytes.value()},
      {"raw_bytes_total", counters.raw_bytes.value()},
      {"writes_total", counters.writes.value()},
      {"syncs_total", counters.syncs.value()},
      {"commit_waits_total", counters.commit_waits.value()},
      {"segments_total", counters.segments.value()},
      {"disk_full_total", counters.disk_full.value()},
      {"write_retries_total", counters.write_retries.value()},
      {"dropped_frames_total", counters.dropped_frames.value()},
      {"queued_bytes", queued_bytes()},
      {"queued_frames", static_cast<uint64_t>(counters.queued_frames.value())},
      {"current_segment", log->current_segment()},
      {"stream_restarts_total", keeper->restarts()},
      {"stream_restarts_abandoned_total", keeper->abandoned_restarts()},
      {"discarded_records_total", discarded_records_.load(std::memory_order_relaxed)},
      {"stream_restarting", keeper->restarting() ? 1 : 0},
  };
  AddLatency("write", counters.write_nanos, view);
  AddLatency("sync", counters.sync_nanos, view);
  AddSnapshots(view);
  AddExport(view);
  return view;
}

void NodeDurability::AddLoading(DurabilityView& view) const {
  const std::lock_guard lock(loading_mutex_);
  if (loading_ == nullptr) return;
  const wal::RecoveryProgress& progress = loading_->progress();
  view.loading = true;
  view.loading_since_ms = loading_->started_ms();
  view.loading_total_bytes = progress.total_bytes.load(std::memory_order_relaxed);
  view.loading_loaded_bytes = progress.loaded_bytes.load(std::memory_order_relaxed);
  view.loading_percent = progress.loaded_percent();
  view.loading_eta_s = progress.eta_seconds(loading_->elapsed_ms());
}

void NodeDurability::AddSnapshots(DurabilityView& view) const {
  const SnapshotService* const service = snapshots();
  if (service == nullptr) return;
  const SnapshotStatus status = service->status();
  view.writes_since_snapshot = status.uncovered_writes;
  view.snapshot_running = status.running;
  view.last_snapshot_ms = status.last_success_unix_s * 1000;
  view.last_snapshot_ok = status.last_ok;
  view.last_snapshot_duration_ms = status.last_duration_ms;
  view.current_snapshot_duration_ms = status.running_ms;
  view.counters["snapshots_total"] = status.completed;
  view.counters["snapshot_failures_total"] = status.failed;
  view.counters["snapshot_overflows_total"] = status.overflowed;
  view.counters["snapshot_deferrals_total"] = status.deferrals;
  view.counters["snapshot_last_keys"] = status.last_keys;
  view.counters["snapshot_last_bytes"] = status.last_bytes;
  view.counters["snapshot_queue_bytes"] = status.queue_bytes;
  view.counters["segments_pruned_total"] = status.segments_pruned;
  view.counters["prune_failures_total"] = status.prune_failures;
  view.counters["readers_lost_total"] = retention_.lost_total();
}

void NodeDurability::AddExport(DurabilityView& view) const {
  const ExportService* const service = published_export_.load(std::memory_order_acquire);
  if (service == nullptr) return;
  view.export_port = export_port();
  const wal::ExportStatus status = service->status();
  view.exported = status.exported.sequences;
  view.export_info = ExportInfo(status);
  view.export_metrics = ExportMetrics(status);
}

}  // namespace tidemark::server
