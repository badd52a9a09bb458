#include "integration/simulation/node_store.h"

#include <utility>

namespace tidemark::simulation {
namespace {

constexpr char kDataDirectory[] = "/data";

}  // namespace

NodeStore::NodeStore(NodeTime* time, wal::Disk& disk, const Options& options)
    : disk_(disk), threads_(time, options.sync_us) {
  log_options_.fsync = options.fsync;
  log_options_.fsync_interval_ms = options.fsync_interval_ms;
  log_options_.segment_bytes = options.segment_bytes;
  log_options_.zstd = options.zstd;
  log_options_.tail_bytes = options.tail_bytes;
  log_options_.ring_bytes = options.max_queue_bytes;
  log_options_.wake_shard = [this](ShardId) { on_room_(); };
  log_options_.clock = time;
  log_options_.runner = &threads_;
}

NodeStore::~NodeStore() {
  disk_.Die();
  on_room_ = [] {};
}

absl::Status NodeStore::Recover(bool follow, int shard_count, HistoryId fresh,
                                wal::RecoverySink& sink) {
  auto directory = wal::DataDirectory::Open(disk_, kDataDirectory, wal::DirectoryId(fresh.value()));
  if (!directory.ok()) return directory.status();
  directory_ = *std::move(directory);
  wal::RecoveryOptions options;
  options.shard_count = shard_count;
  options.now_ms = log_options_.clock->UnixMillis();
  options.fresh_history = fresh;
  options.follow = follow;
  auto recovered = wal::Recover(*directory_, options, sink);
  if (!recovered.ok()) return recovered.status();
  recovered_ = *std::move(recovered);
  keeper_ = std::make_unique<wal::StreamKeeper>(*directory_, log_options_);
  return keeper_->Begin(recovered_);
}

}  // namespace tidemark::simulation
