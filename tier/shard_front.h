// ShardFront is the TierFront of one shard: it bounds and counts what the shard has under way,
// shares reads, and passes everything else on to the threads of the tier.
//
// Bounds, each with its own controller of pressure: bytes of values from Write() to Written(), and
// reads from Read() to their `done`. They are the front's, not the queues', so that a shard that is
// slow to take its answers is given no more.
//
// ReadIfCached() never waits, but takes the shard's time, and bytes that are not in memory the
// system begins to read there and then. So it leaves to the reading threads what is longer than
// kMaxCachedBytes, as it is stored or as it is used, and everything while kMaxReadsBesideCached
// reads are under way: values are then not where it would find them, and the disk has enough to do.
// (docs/decisions/0010-reads-from-the-page-cache.md)
//
// Threading: as TierFront; the counters and ReadNow() are for any thread.
// Ownership: borrows all of its links, which outlive it.

#ifndef TIDEMARK_TIER_SHARD_FRONT_H_
#define TIDEMARK_TIER_SHARD_FRONT_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/backpressure.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/metrics/latency_histogram.h"
#include "base/metrics/metrics.h"
#include "tier/demotion_admission.h"
#include "tier/read_queue.h"
#include "tier/segment_store.h"
#include "tier/tier_front.h"
#include "tier/tier_messages.h"
#include "tier/tier_state.h"
#include "tier/value_codec.h"
#include "tier/writer_inbox.h"

namespace tidemark::tier {

class ShardFront final : public TierFront, public FrontEvents {
 public:
  static constexpr uint32_t kMaxCachedBytes = 32 * 1024;
  static constexpr size_t kMaxReadsBesideCached = 8;

  struct Links {
    SegmentStore* store = nullptr;
    WriterInbox* inbox = nullptr;
    ReadQueue* reads = nullptr;
    const TierState* state = nullptr;
    const Clock* clock = nullptr;
  };
  struct Options {
    uint64_t max_record_bytes = 0;
    size_t max_write_bytes = 0;  // Under way; one value more is taken where nothing else is.
    size_t max_reads = 0;        // Under way.
    DemotionAdmission::Options admission = {};
  };
  ShardFront(ShardId shard, const Links& links, const Options& options);

  void Attach(TierOwner* owner) override { owner_ = owner; }
  WriteResult Write(const WriteRequest& request) override;
  absl::Status Read(std::string_view key, ValueLocation location, ReadDone done) override;
  std::optional<absl::StatusOr<ReadValue>> ReadIfCached(std::string_view key,
                                                        ValueLocation location) override;
  absl::StatusOr<ReadValue> ReadNow(std::string_view key, ValueLocation location) override;
  TierPin Pin(ValueLocation location) override { return links_.store->Find(location.segment); }
  void Free(ValueLocation location) override;

  void OnWritten(WrittenBatch& batch) override;
  void OnReclaimQuestion(ReclaimChunk::Group& group) override;
  void OnReclaimMoved(ReclaimChunk::Group& group) override;
  // A read has ended.
  void OnRead(SharedRead& read, const absl::StatusOr<ReadValue>& value);

  struct Counters {
    std::array<Counter, 6> outcomes;  // Of Write(), by WriteOutcome.
    Counter written;                  // And taken by the entry.
    Counter stale;
    Counter failed;
    Counter reads;
    Counter reads_shared;
    Counter reads_refused;
    Counter reads_cached;         // Of `reads`: answered by ReadIfCached().
    Counter reads_not_cached;     // Times that it was asked in vain,
    Counter reads_cached_passed;  // and that a bound kept it from looking.
    Counter read_bytes;
    Counter read_errors;
    Counter damaged;
    Counter missing;
    Gauge write_bytes_under_way;
    Gauge reads_under_way;
    // Of the calls of any thread.
    std::atomic<uint64_t> reads_now{0};
    std::atomic<uint64_t> reads_now_damaged{0};
    std::atomic<uint64_t> reads_now_missing{0};
    std::atomic<uint64_t> reads_now_failed{0};
  };
  const Counters& counters() const { return counters_; }
  // Of reads that ReadIfCached() answered.
  const LatencyHistogram& cached_latency() const { return cached_latency_; }
  const BackpressureController& write_pressure() const { return write_pressure_; }
  const BackpressureController& read_pressure() const { return read_pressure_; }

 private:
  WriteOutcome Decide(const WriteRequest& request, uint64_t record_bytes, int64_t now_ns);
  uint64_t UnderWayBytes() const {
    return static_cast<uint64_t>(counters_.write_bytes_under_way.value());
  }
  void AddUnderWay(int64_t write_bytes);
  void UpdateReadPressure();
  // The bytes that a read of `location` took from the disk, or why there are none.
  void CountRead(ValueLocation location, const absl::Status& status);

  const ShardId shard_;
  const Links links_;
  const Options options_;
  TierOwner* owner_ = nullptr;
  DemotionAdmission admission_;
  uint64_t last_ticket_ = 0;
  // Reads under way, by where their value stands now.
  absl::flat_hash_map<ValueLocation, std::shared_ptr<SharedRead>> reads_;
  ValueDecompressor decompressor_;  // For ReadIfCached().
  Counters counters_;
  LatencyHistogram cached_latency_;
  BackpressureController write_pressure_{PressureThresholds()};
  BackpressureController read_pressure_{PressureThresholds()};
};

}  // namespace tidemark::tier

#endif  // TIDEMARK_TIER_SHARD_FRONT_H_
