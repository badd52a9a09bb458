// Snapshot chunks as shards make them, for this package's tests.

#ifndef TIDEMARK_WAL_SNAPSHOT_CHUNKS_H_
#define TIDEMARK_WAL_SNAPSHOT_CHUNKS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/format/frame.h"
#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "base/ids.h"
#include "wal/positions.h"

namespace tidemark::wal {

struct ChunkSource {
  HistoryId history = HistoryId(7);
  ShardId shard;
  uint16_t shard_count = 1;
  ShardPosition watermark;
};

inline FrameRef MakeChunk(const ChunkSource& source, uint16_t flags,
                          const std::vector<std::pair<std::string, std::string>>& entries) {
  OpenFrame open;
  for (const auto& [key, value] : entries) {
    char* p = open.Reserve(RecordBytesBound(key.size(), value.size()));
    open.Commit(EncodeSet(p, key, value, 0));
  }
  return open.Seal({.kind = FrameKind::kSnapshotChunk,
                    .flags = flags,
                    .history = source.history,
                    .shard = source.shard,
                    .shard_count = source.shard_count,
                    .record_count = static_cast<uint32_t>(entries.size()),
                    .first_sequence = source.watermark.sequence,
                    .last_sequence = source.watermark.sequence,
                    .stream_digest = source.watermark.digest,
                    .sealed_at_ms = 1000,
                    .raw_bytes = 0,
                    .stored_bytes = 0});
}

// A shard's snapshot of `keys` keys in chunks of at most two.
inline std::vector<FrameRef> MakeChunks(const ChunkSource& source, int keys,
                                        size_t value_bytes = 20) {
  std::vector<FrameRef> chunks;
  for (int first = 0; first == 0 || first < keys; first += 2) {
    uint16_t flags = first == 0 ? kFrameFirst : 0;
    if (first + 2 >= keys) flags |= kFrameLast;
    std::vector<std::pair<std::string, std::string>> entries;
    for (int i = first; i < keys && i < first + 2; ++i) {
      entries.emplace_back("key" + std::to_string(i), std::string(value_bytes, 'v'));
    }
    chunks.push_back(MakeChunk(source, flags, entries));
  }
  return chunks;
}

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_SNAPSHOT_CHUNKS_H_
