#include "tier/value_tier.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/thread_name.h"
#include "tier/read_queue.h"
#include "tier/segment_ledger.h"
#include "tier/segment_store.h"
#include "tier/shard_front.h"
#include "tier/tier_state.h"
#include "tier/value_reader.h"
#include "tier/value_record.h"
#include "tier/value_writer.h"
#include "tier/writer_inbox.h"

namespace tidemark::tier {
namespace {

constexpr uint64_t kLeastSegmentBytes = uint64_t{1} << 20;
constexpr uint64_t kMostSegmentBytes = uint64_t{1} << 30;

class ThreadedTier final : public ValueTier {
 public:
  ThreadedTier(std::unique_ptr<SegmentStore> store, const TierOptions& options,
               uint64_t segment_bytes, PostToShard post)
      : options_(options),
        post_(std::move(post)),
        store_(std::move(store)),
        writer_(*store_, inbox_, state_,
                [this](ShardId shard, std::function<void(FrontEvents&)> event) {
                  ShardFront* const front = fronts_[shard.value()].get();
                  post_(shard, [front, event = std::move(event)] { event(*front); });
                },
                {.write_batch_bytes = options.write_batch_bytes,
                 .compress = options.compress,
                 .reclaim_bytes_per_second = options.reclaim_bytes_per_second}),
        latencies_(options.readers) {
    const auto shards = static_cast<size_t>(options.shards);
    for (size_t shard = 0; shard < shards; ++shard) {
      fronts_.push_back(std::make_unique<ShardFront>(
          ShardId(static_cast<uint16_t>(shard)),
          ShardFront::Links{.store = store_.get(),
                            .inbox = &inbox_,
                            .reads = &reads_,
                            .state = &state_,
                            .clock = options.clock},
          ShardFront::Options{
              .max_record_bytes = segment_bytes - kValueSegmentHeaderBytes,
              .max_write_bytes = options.max_queued_write_bytes / shards,
              .max_reads = std::max<size_t>(options.max_queued_reads / shards, 1),
              .admission = {.on_second_try = options.admit_on_second_try,
                            .bytes_per_second = PerShard(options.demote_bytes_per_second)}}));
    }
    threads_.emplace_back([this] { Write(); });
    for (size_t i = 0; i < options.readers; ++i) {
      threads_.emplace_back([this, i] { Read(latencies_[i]); });
    }
  }
  ~ThreadedTier() override { Stop(); }

  TierFront& front(ShardId shard) override { return *fronts_[shard.value()]; }

  void Stop() override {
    if (state_.stopped.exchange(true)) return;
    inbox_.Stop();
    for (ReadJob& job : reads_.Close()) {
      Answer(job, absl::CancelledError("the tier was stopped"));
    }
    for (std::thread& thread : threads_) thread.join();
  }

  TierStats stats() const override;

 private:
  // A share of a rate, of which 0 means that there is no limit.
  uint64_t PerShard(uint64_t bytes_per_second) const {
    if (bytes_per_second == 0) return 0;
    return std::max<uint64_t>(bytes_per_second / static_cast<uint64_t>(options_.shards), 1);
  }

  void Write() {
    NameThread("tier-writer");
    ValueWriter::Step step = {.wait_ns = -1};
    while (inbox_.Wait(step.wait_ns, step.enough_bytes)) {
      step = writer_.Run(options_.clock->MonotonicNanos());
    }
  }

  void Read(LatencyHistogram& latency) {
    NameThread("tier-reader");
    ValueDecompressor decompressor;
    while (const std::optional<ReadJob> job = reads_.Pop()) {
      auto value = ReadValueAt(*job->segment, job->read->key, job->read->asked, decompressor);
      latency.Record(options_.clock->MonotonicNanos() - job->read->begun_at_ns);
      Answer(*job, std::move(value));
    }
  }

  void Answer(const ReadJob& job, absl::StatusOr<ReadValue> value) {
    ShardFront* const front = fronts_[job.shard.value()].get();
    post_(job.shard,
          [front, read = job.read, value = std::move(value)] { front->OnRead(*read, value); });
  }

  const TierOptions options_;
  const PostToShard post_;
  const std::unique_ptr<SegmentStore> store_;
  WriterInbox inbox_;
  ReadQueue reads_;
  TierState state_;
  ValueWriter writer_;
  std::vector<std::unique_ptr<ShardFront>> fronts_;
  std::vector<LatencyHistogram> latencies_;  // One for each reader.
  std::vector<std::thread> threads_;
};

TierStats ThreadedTier::stats() const {
  const SegmentLedger::Totals totals = store_->totals();
  TierStats stats = {
      .max_bytes = options_.max_bytes,
      .file_bytes = totals.file_bytes,
      .live_bytes = totals.live_bytes,
      .live_values = totals.live_values,
      .garbage_bytes = totals.garbage_bytes,
      .reclaim_debt_bytes = totals.reclaim_debt_bytes,
      .segments = totals.segments,
      .damaged_segments = totals.damaged_segments,
      .full = state_.full.load(std::memory_order_relaxed),
      .down = state_.down.load(std::memory_order_relaxed),
      .raw_bytes = state_.raw_bytes.value(),
      .stored_bytes = state_.stored_bytes.value(),
      .written_bytes = state_.written_bytes.value(),
      .writes = state_.writes.value(),
      .reclaimed_segments = state_.reclaimed_segments.value(),
      .reclaimed_bytes = state_.reclaimed_bytes.value(),
      .write_errors = state_.write_errors.value(),
      .disk_full = state_.disk_full.value(),
      .read_errors = state_.reclaim_read_errors.value(),
      .damaged = state_.reclaim_damaged.value(),
  };
  for (const auto& front : fronts_) {
    const ShardFront::Counters& c = front->counters();
    const auto outcome = [&](WriteOutcome o) { return c.outcomes[static_cast<size_t>(o)].value(); };
    const auto now = [](const std::atomic<uint64_t>& n) {
      return n.load(std::memory_order_relaxed);
    };
    stats.queued_write_bytes += static_cast<uint64_t>(c.write_bytes_under_way.value());
    stats.queued_reads += static_cast<uint64_t>(c.reads_under_way.value());
    stats.write_pressure = std::max(stats.write_pressure, front->write_pressure().state());
    stats.read_pressure = std::max(stats.read_pressure, front->read_pressure().state());
    stats.demotions_queued += outcome(WriteOutcome::kQueued);
    stats.refused_not_admitted += outcome(WriteOutcome::kNotAdmitted);
    stats.refused_busy += outcome(WriteOutcome::kBusy);
    stats.refused_full += outcome(WriteOutcome::kFull);
    stats.refused_too_large += outcome(WriteOutcome::kTooLarge);
    stats.refused_down += outcome(WriteOutcome::kDown);
    stats.demotions_written += c.written.value();
    stats.demotions_stale += c.stale.value();
    stats.demotions_failed += c.failed.value();
    stats.reads += c.reads.value();
    stats.reads_shared += c.reads_shared.value();
    stats.reads_cached += c.reads_cached.value();
    stats.reads_not_cached += c.reads_not_cached.value();
    stats.reads_cached_passed += c.reads_cached_passed.value();
    stats.reads_refused += c.reads_refused.value();
    stats.reads_now += now(c.reads_now);
    stats.read_bytes += c.read_bytes.value();
    stats.read_errors += c.read_errors.value() + now(c.reads_now_failed);
    stats.damaged += c.damaged.value() + now(c.reads_now_damaged);
    stats.missing += c.missing.value() + now(c.reads_now_missing);
  }
  for (const LatencyHistogram& latency : latencies_) latency.AddTo(stats.read_latency);
  for (const auto& front : fronts_) front->cached_latency().AddTo(stats.read_latency);
  return stats;
}

}  // namespace

uint64_t SegmentBytesFor(uint64_t max_bytes) {
  return std::clamp(max_bytes / 64, kLeastSegmentBytes, kMostSegmentBytes);
}

absl::StatusOr<std::unique_ptr<ValueTier>> ValueTier::Open(wal::Disk& disk,
                                                           const std::string& directory,
                                                           const TierOptions& options,
                                                           PostToShard post) {
  CHECK(options.shards >= 1 && options.shards <= kMaxShards && options.readers >= 1);
  const uint64_t segment_bytes =
      options.segment_bytes != 0 ? options.segment_bytes : SegmentBytesFor(options.max_bytes);
  if (options.max_bytes / SegmentLedger::kLeastSegments < segment_bytes) {
    return absl::InvalidArgumentError(
        fmt::format("the tier's {} bytes must hold at least {} segments of {} bytes",
                    options.max_bytes, SegmentLedger::kLeastSegments, segment_bytes));
  }
  auto store = SegmentStore::Open(disk, directory,
                                  {.max_bytes = options.max_bytes,
                                   .segment_bytes = segment_bytes,
                                   .sync_writes = options.sync_writes,
                                   .clock = options.clock});
  if (!store.ok()) return store.status();
  return std::make_unique<ThreadedTier>(*std::move(store), options, segment_bytes, std::move(post));
}

}  // namespace tidemark::tier
