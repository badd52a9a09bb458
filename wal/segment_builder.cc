#include "wal/segment_builder.h"

#include <cstring>
#include <utility>

#include "base/format/open_frame.h"
#include "base/format/record.h"

namespace tidemark::wal {

FrameRef MakeFrame(HistoryId history, ShardId shard, uint16_t shard_count, uint32_t records,
                   std::string_view payload, ShardPosition* position, uint16_t flags) {
  OpenFrame open;
  char* p = open.Reserve(payload.size());
  std::memcpy(p, payload.data(), payload.size());
  open.Commit(p + payload.size());
  const Sequence first = Next(position->sequence);
  position->sequence = Sequence(position->sequence.value() + records);
  position->digest = StreamDigest(position->digest, payload);
  return open.Seal({.kind = FrameKind::kMutations,
                    .flags = flags,
                    .history = history,
                    .shard = shard,
                    .shard_count = shard_count,
                    .record_count = records,
                    .first_sequence = first,
                    .last_sequence = position->sequence,
                    .stream_digest = position->digest,
                    .sealed_at_ms = 1'700'000'000'000});
}

SegmentBuilder::SegmentBuilder(SegmentHeader header)
    : header_(std::move(header)),
      positions_(header_.before),
      bytes_(EncodeSegmentHeader(header_)) {}

FrameRef SegmentBuilder::AddSets(ShardId shard, uint32_t records, size_t key_bytes) {
  std::string payload;
  for (uint32_t i = 0; i < records; ++i) {
    std::string key(key_bytes, static_cast<char>('a' + i % 26));
    std::string record(RecordBytesBound(key.size(), 5), '\0');
    record.resize(static_cast<size_t>(EncodeSet(record.data(), key, "value", 0) - record.data()));
    payload += record;
  }
  FrameRef frame = MakeFrame(header_.history, shard, static_cast<uint16_t>(positions_.size()),
                             records, payload, &positions_[shard.value()]);
  offsets_.push_back(bytes_.size());
  ++frames_;
  AddBytes(frame->bytes());
  return frame;
}

void SegmentBuilder::AddMark(uint64_t synced_to) {
  char mark[kMarkBytes];
  EncodeMark(Here(), {.synced_to = synced_to, .written_at_ms = 1'700'000'000'000}, mark);
  offsets_.push_back(bytes_.size());
  AddBytes({mark, kMarkBytes});
}

void SegmentBuilder::AddFooter() {
  offsets_.push_back(bytes_.size());
  AddBytes(EncodeFooter(Here(), {.synced_to = bytes_.size(),
                                 .written_at_ms = 1'700'000'000'000,
                                 .frames = frames_,
                                 .after = positions_}));
}

MarkPlace SegmentBuilder::Here() const {
  return {.directory = header_.directory, .number = header_.number, .offset = bytes_.size()};
}

}  // namespace tidemark::wal
