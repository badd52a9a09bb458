// TestStream is one shard's stream from the primary's side, by hand: frames of deletions, each the
// next of its shard, and chunks of a snapshot.
//
//   TestStream stream({.history = kHistory, .shard = ShardId(1), .shard_count = 2});
//   stream.Next(3);                              // Three records.
//   stream.Chunk(2, kFrameFirst | kFrameLast);   // Of a snapshot at position().

#ifndef TIDEMARK_REPLICATION_LINK_TEST_STREAM_H_
#define TIDEMARK_REPLICATION_LINK_TEST_STREAM_H_

#include <cstdint>

#include "base/format/open_frame.h"
#include "base/format/record.h"
#include "base/ids.h"
#include "replication/link/stream_plan.h"

namespace tidemark::replication {

class TestStream {
 public:
  struct Options {
    HistoryId history;
    ShardId shard = ShardId(0);
    uint16_t shard_count = 1;
    ShardPosition begin = {};
  };
  explicit TestStream(const Options& options) : options_(options), position_(options.begin) {}

  FrameRef Next(int records) {
    OpenFrame open;
    AddDeletions(records, &open);
    FrameHeader header = Header(records);
    header.first_sequence = tidemark::Next(position_.sequence);
    header.last_sequence = Sequence(position_.sequence.value() + static_cast<uint64_t>(records));
    header.stream_digest = StreamDigest(position_.stream_digest, open.payload());
    position_ = {header.last_sequence, header.stream_digest};
    return open.Seal(header);
  }
  FrameRef Chunk(int records, uint16_t flags) const {
    OpenFrame open;
    AddDeletions(records, &open);
    FrameHeader header = Header(records);
    header.kind = FrameKind::kSnapshotChunk;
    header.flags = flags;
    header.first_sequence = header.last_sequence = position_.sequence;
    return open.Seal(header);
  }
  const ShardPosition& position() const { return position_; }

 private:
  static void AddDeletions(int records, OpenFrame* open) {
    for (int i = 0; i < records; ++i) {
      open->Commit(EncodeDelete(open->Reserve(RecordBytesBound(1, 0)), "k", 0));
    }
  }
  FrameHeader Header(int records) const {
    FrameHeader header;
    header.history = options_.history;
    header.shard = options_.shard;
    header.shard_count = options_.shard_count;
    header.record_count = static_cast<uint32_t>(records);
    return header;
  }

  const Options options_;
  ShardPosition position_;
};

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_TEST_STREAM_H_
