#include "replication/snapshot_encoder.h"

#include "base/check.h"
#include "base/format/record.h"

namespace tidemark::replication {

void SnapshotEncoder::Add(std::string_view key, std::string_view value, const Expiry& expiry) {
  char* p = open_.Reserve(RecordBytesBound(key.size(), value.size()));
  CHECK(p != nullptr);
  char* end = EncodeSet(p, key, value, expiry);
  open_.Commit(end);
  ++open_entries_;
  ++entries_;
  bytes_ += static_cast<size_t>(end - p);
}

FrameRef SnapshotEncoder::TakeChunk(Place place, int64_t now_ms) {
  FrameHeader header{
      .kind = FrameKind::kSnapshotChunk,
      .flags = 0,
      .history = origin_.history,
      .shard = origin_.shard,
      .shard_count = origin_.shard_count,
      .record_count = open_entries_,
      .first_sequence = origin_.watermark,
      .last_sequence = origin_.watermark,
      .stream_digest = origin_.digest,
      .sealed_at_ms = now_ms,
  };
  if (!any_taken_) header.flags |= kFrameFirst;
  if (place == Place::kLast) header.flags |= kFrameLast;
  DCHECK(open_entries_ > 0 || place == Place::kLast);
  any_taken_ = true;
  open_entries_ = 0;
  return open_.Seal(header);
}

}  // namespace tidemark::replication
