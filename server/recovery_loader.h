// RecoveryLoader puts what a recovery reads into the engine's shards: the reading thread checks
// frames, each shard's thread applies its part of them, so the two overlap, and shards with each
// other.
//
//   engine.Start();
//   RecoveryLoader loader(engine, clock);
//   auto recovered = wal::Recover(directory, options, loader, &loader.progress());
//
// With as many shards here as the log has, a frame goes whole to its shard; otherwise each shard
// gets the frames of all and takes from them the keys that are its own. Keys whose time is up are
// loaded as they are: the primary deletes them afterwards, as mutations.
//
// Until Recover() has returned, no command may touch the keyspaces, for they hold a part of the
// state, and shards mint no mutations: the loader makes keyspaces effects_only, and as they were
// when it is destroyed.
//
// Threading: constructed, used and destroyed by one thread that is not a shard's, while the engine
// runs. progress() may be read by any thread.

#ifndef TIDEMARK_SERVER_RECOVERY_LOADER_H_
#define TIDEMARK_SERVER_RECOVERY_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/format/frame.h"
#include "base/ids.h"
#include "cache/engine.h"
#include "server/recovery_feed.h"
#include "wal/recovery.h"

namespace tidemark::server {

class RecoveryLoader final : public wal::RecoverySink {
 public:
  struct Options {
    // Read and not applied, for each shard on average: some 10 ms of its time, in which it does not
    // answer clients.
    size_t max_bytes_in_flight = 4 << 20;
    int snapshot_readers = 0;  // Threads that read a snapshot's files, at most; 0: one a core.
  };
  RecoveryLoader(cache::Engine& engine, const Clock& clock) : RecoveryLoader(engine, clock, {}) {}
  RecoveryLoader(cache::Engine& engine, const Clock& clock, const Options& options);
  ~RecoveryLoader() override;

  absl::Status OnReset() override;
  absl::Status OnSnapshot(const wal::SnapshotReader& snapshot,
                          wal::RecoveryProgress* progress) override;
  absl::Status OnSnapshotChunk(FrameRef chunk) override;
  absl::Status OnFrame(FrameRef frame, Sequence apply_from, Sequence apply_through) override;
  absl::Status OnTopologyChange(int shard_count) override;
  absl::Status OnEnd() override;

  // INFO's loading_ fields; a line a second goes to the log.
  wal::RecoveryProgress& progress() { return progress_; }
  int64_t started_ms() const { return started_ms_; }  // Wall time.
  int64_t elapsed_ms() const { return (clock_.MonotonicNanos() - started_ns_) / 1'000'000; }

 private:
  class SnapshotRead;

  size_t BytesInFlight() const {
    return options_.max_bytes_in_flight * static_cast<size_t>(engine_.shard_count());
  }
  void Reserve(const wal::SnapshotReader& snapshot);
  // A line in the log, if the last is a second old. The recovering thread's.
  void ReportProgress();

  cache::Engine& engine_;
  const Clock& clock_;
  const Options options_;
  const int64_t started_ms_;
  const int64_t started_ns_;
  wal::RecoveryProgress progress_;
  std::vector<bool> effects_only_before_;  // By shard.
  std::unique_ptr<RecoveryFeed> feed_;
  std::unique_ptr<RecoveryFeed::Lane> lane_;  // Of the recovering thread.
  size_t bytes_since_report_ = 0;
  int64_t reported_ns_ = 0;
  uint64_t reported_records_ = 0;
};

}  // namespace tidemark::server

#endif  // TIDEMARK_SERVER_RECOVERY_LOADER_H_
