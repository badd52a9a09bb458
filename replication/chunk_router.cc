#include "replication/chunk_router.h"

#include "base/check.h"
#include "base/format/record.h"
#include "base/key_hash.h"

namespace tidemark::replication {

ChunkRouter::ChunkRouter(const Options& options)
    : options_(options), own_shards_left_(options.own_shards) {
  const size_t shards = options.at.shards.size();
  for (size_t i = 0; i < shards; ++i) {
    encoders_.emplace_back(SnapshotOrigin{.history = options.at.history,
                                          .shard = ShardId(static_cast<uint16_t>(i)),
                                          .shard_count = static_cast<uint16_t>(shards),
                                          .watermark = options.at.shards[i].sequence,
                                          .digest = options.at.shards[i].stream_digest});
  }
}

absl::Status ChunkRouter::Add(const Frame& chunk, Sink sink) {
  CHECK(!complete());
  const int shards = static_cast<int>(encoders_.size());
  RecordReader reader(chunk);
  Record record;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&record);
    if (!more.ok()) return more.status();
    if (!*more) break;
    const ShardId to = ShardOf(record.key, KeyHash(record.key), shards);
    SnapshotEncoder& encoder = encoders_[to.value()];
    encoder.Add(record.key, record.value, record.expiry);
    if (encoder.open_bytes() < options_.chunk_bytes) continue;
    const absl::Status taken =
        sink(encoder.TakeChunk(SnapshotEncoder::Place::kMore, options_.now_ms));
    if (!taken.ok()) return taken;
  }
  if (!chunk.is_last_chunk() || --own_shards_left_ > 0) return absl::OkStatus();
  for (SnapshotEncoder& encoder : encoders_) {
    const absl::Status taken =
        sink(encoder.TakeChunk(SnapshotEncoder::Place::kLast, options_.now_ms));
    if (!taken.ok()) return taken;
  }
  return absl::OkStatus();
}

}  // namespace tidemark::replication
