#include "server/recovery_loader.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log/log.h"
#include "fmt/format.h"
#include "wal/snapshot_reader.h"

namespace tidemark::server {

// The reading of one snapshot by several threads, each with whole shards' files.
class RecoveryLoader::SnapshotRead {
 public:
  SnapshotRead(RecoveryLoader& loader, const wal::SnapshotReader& snapshot,
               wal::RecoveryProgress* progress)
      : loader_(loader), snapshot_(snapshot), progress_(progress) {}

  absl::Status Run(int readers) {
    std::vector<std::thread> threads;
    for (int i = 1; i < readers; ++i) threads.emplace_back([this] { ReadShards(false); });
    ReadShards(true);
    for (std::thread& thread : threads) thread.join();
    return failure_;
  }

 private:
  void ReadShards(bool reports) {
    RecoveryFeed::Lane lane(*loader_.feed_);
    while (!failed_.load(std::memory_order_relaxed)) {
      const size_t shard = next_shard_.fetch_add(1, std::memory_order_relaxed);
      if (shard >= snapshot_.manifest().shards.size()) break;
      Note(ReadShard(ShardId(static_cast<uint16_t>(shard)), reports, lane));
    }
    Note(lane.Flush());
  }

  absl::Status ReadShard(ShardId shard, bool reports, RecoveryFeed::Lane& lane) {
    absl::StatusOr<std::unique_ptr<wal::SnapshotShardReader>> reader = snapshot_.OpenShard(shard);
    if (!reader.ok()) return reader.status();
    uint64_t counted = 0;
    while (!failed_.load(std::memory_order_relaxed)) {
      absl::StatusOr<FrameRef> chunk = (*reader)->Next();
      if (!chunk.ok()) return chunk.status();
      if (*chunk == nullptr) break;
      if (progress_ != nullptr) {
        progress_->loaded_records.fetch_add((*chunk)->record_count(), std::memory_order_relaxed);
        progress_->loaded_bytes.fetch_add((*reader)->read_bytes() - counted,
                                          std::memory_order_relaxed);
        counted = (*reader)->read_bytes();
      }
      const Sequence at = (*chunk)->last_sequence();
      if (absl::Status s = lane.Send(*std::move(chunk), at, at); !s.ok()) return s;
      if (reports) loader_.ReportProgress();
    }
    return absl::OkStatus();
  }

  void Note(const absl::Status& status) {
    if (status.ok()) return;
    std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = status;
    failed_.store(true, std::memory_order_relaxed);
  }

  RecoveryLoader& loader_;
  const wal::SnapshotReader& snapshot_;
  wal::RecoveryProgress* const progress_;
  std::atomic<size_t> next_shard_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  absl::Status failure_;  // Guarded by mutex_ while threads run.
};

RecoveryLoader::RecoveryLoader(cache::Engine& engine, const Clock& clock, const Options& options)
    : engine_(engine),
      clock_(clock),
      options_(options),
      started_ms_(clock.UnixMillis()),
      started_ns_(clock.MonotonicNanos()),
      feed_(std::make_unique<RecoveryFeed>(engine, BytesInFlight())),
      lane_(std::make_unique<RecoveryFeed::Lane>(*feed_)),
      reported_ns_(started_ns_) {
  // Bytes, not bits: each shard writes its own.
  std::vector<char> before(static_cast<size_t>(engine.shard_count()));
  feed_->RunOnShards([&](cache::Shard& shard) {
    before[shard.id().value()] = shard.keyspace().effects_only();
    shard.keyspace().set_effects_only(true);
  });
  effects_only_before_.assign(before.begin(), before.end());
}

RecoveryLoader::~RecoveryLoader() {
  feed_->RunOnShards([&](cache::Shard& shard) {
    shard.keyspace().Reserve(0);
    shard.keyspace().set_effects_only(effects_only_before_[shard.id().value()]);
  });
}

absl::Status RecoveryLoader::OnReset() {
  // Whatever went wrong is over with what it went wrong with.
  (void)feed_->WaitUntilApplied();
  feed_->RunOnShards([](cache::Shard& shard) {
    shard.keyspace().ApplyFlush();
    shard.keyspace().Reserve(0);
  });
  lane_.reset();
  feed_ = std::make_unique<RecoveryFeed>(engine_, BytesInFlight());
  lane_ = std::make_unique<RecoveryFeed::Lane>(*feed_);
  return absl::OkStatus();
}

// A snapshot's keys come in the order of its table's buckets; see cache::KeyTable::Reserve().
void RecoveryLoader::Reserve(const wal::SnapshotReader& snapshot) {
  constexpr uint64_t kLeastBytesOfKey = 4;  // What the manifest claims beyond is not believed.
  const wal::SnapshotManifest& manifest = snapshot.manifest();
  const auto own_shards = static_cast<size_t>(engine_.shard_count());
  feed_->RunOnShards([&](cache::Shard& shard) {
    uint64_t keys = std::min(manifest.keys(), manifest.bytes() / kLeastBytesOfKey) / own_shards;
    if (manifest.shards.size() == own_shards) {
      const wal::SnapshotShard& same = manifest.shards[shard.id().value()];
      keys = std::min(same.keys, same.file_bytes / kLeastBytesOfKey);
    }
    shard.keyspace().Reserve(keys);
  });
}

absl::Status RecoveryLoader::OnSnapshot(const wal::SnapshotReader& snapshot,
                                        wal::RecoveryProgress* progress) {
  Log(LogLevel::kInfo,
      fmt::format("loading snapshot {}: {} keys, {} bytes", snapshot.manifest().number,
                  snapshot.manifest().keys(), snapshot.manifest().bytes()));
  Reserve(snapshot);
  int readers = options_.snapshot_readers;
  if (readers == 0) readers = static_cast<int>(std::thread::hardware_concurrency());
  readers = std::clamp(readers, 1, static_cast<int>(snapshot.manifest().shards.size()));
  SnapshotRead read(*this, snapshot, progress);
  const absl::Status status = read.Run(readers);
  // Its damage must be known before anything of the log is applied to it.
  const absl::Status applied = feed_->WaitUntilApplied();
  return status.ok() ? applied : status;
}

absl::Status RecoveryLoader::OnSnapshotChunk(FrameRef chunk) {
  const Sequence at = chunk->last_sequence();
  return OnFrame(std::move(chunk), at, at);
}

absl::Status RecoveryLoader::OnFrame(FrameRef frame, Sequence apply_from, Sequence apply_through) {
  constexpr size_t kBytesBetweenLooks = 1 << 20;  // At the clock.
  bytes_since_report_ += frame->memory_bytes();
  if (absl::Status s = lane_->Send(std::move(frame), apply_from, apply_through); !s.ok()) return s;
  if (bytes_since_report_ < kBytesBetweenLooks) return absl::OkStatus();
  bytes_since_report_ = 0;
  ReportProgress();
  return absl::OkStatus();
}

// Nothing to wait for: whatever shard a key came from, its records reach its shard here in the
// order in which they were sent.
absl::Status RecoveryLoader::OnTopologyChange(int shard_count) {
  Log(LogLevel::kInfo, fmt::format("the log goes on with {} shards", shard_count));
  return absl::OkStatus();
}

absl::Status RecoveryLoader::OnEnd() {
  if (absl::Status status = lane_->Flush(); !status.ok()) return status;
  if (absl::Status status = feed_->WaitUntilApplied(); !status.ok()) return status;
  Log(LogLevel::kInfo,
      fmt::format("loaded {} records, {} bytes in {} ms",
                  progress_.loaded_records.load(std::memory_order_relaxed),
                  progress_.loaded_bytes.load(std::memory_order_relaxed), elapsed_ms()));
  return absl::OkStatus();
}

void RecoveryLoader::ReportProgress() {
  constexpr int64_t kIntervalNs = 1'000'000'000;
  const int64_t now_ns = clock_.MonotonicNanos();
  if (now_ns - reported_ns_ < kIntervalNs) return;
  const uint64_t records = progress_.loaded_records.load(std::memory_order_relaxed);
  const double seconds = static_cast<double>(now_ns - reported_ns_) / 1e9;
  // A reset sets the count back.
  const uint64_t fresh = records > reported_records_ ? records - reported_records_ : 0;
  Log(LogLevel::kInfo,
      fmt::format("loading: {:.1f} %, {} records, {:.0f} a second, {} s to go",
                  progress_.loaded_percent(), records, static_cast<double>(fresh) / seconds,
                  progress_.eta_seconds(elapsed_ms())));
  reported_ns_ = now_ns;
  reported_records_ = records;
}

}  // namespace tidemark::server
