#include "wal/stream_position.h"

#include "base/check.h"
#include "base/format/record.h"

namespace tidemark::wal {

absl::StatusOr<ShardPosition> PositionWithin(const Frame& frame, uint64_t digest_before,
                                             Sequence sequence) {
  CHECK(frame.first_sequence() <= sequence && sequence <= frame.last_sequence());
  if (sequence == frame.last_sequence()) return ShardPosition{sequence, frame.stream_digest()};
  RecordReader reader(frame);
  Record record;
  for (Sequence at = frame.first_sequence(); at <= sequence; at = Next(at)) {
    const absl::StatusOr<bool> got = reader.Next(&record);
    if (!got.ok()) return got.status();
    CHECK(*got);  // There are as many records as sequences.
  }
  return ShardPosition{sequence,
                       StreamDigest(digest_before, frame.payload().substr(0, reader.offset()))};
}

}  // namespace tidemark::wal
