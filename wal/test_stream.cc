#include "wal/test_stream.h"

#include "base/format/record.h"

namespace tidemark::wal {

FrameRef TestStream::Make(size_t records, std::string_view value) {
  AddSets(records, value);
  return Seal(0);
}

FrameRef TestStream::MakeTransaction(uint64_t id, const std::vector<ShardId>& participants,
                                     size_t records, size_t before, size_t after) {
  AddSets(before, "before");
  char* p = open_.Reserve(TransactionBytesBound(participants.size()));
  char* count_at = nullptr;
  open_.Commit(EncodeTransaction(p, id, static_cast<uint32_t>(records), participants, &count_at));
  ++records_;
  AddSets(records, "part");
  AddSets(after, "after");
  return Seal(kFrameTransactions);
}

void TestStream::AddSets(size_t records, std::string_view value) {
  for (size_t i = 0; i < records; ++i) {
    const std::string key = std::to_string(position_.sequence.value() + records_ + 1);
    char* p = open_.Reserve(RecordBytesBound(key.size(), value.size()));
    open_.Commit(EncodeSet(p, key, value, 0));
    ++records_;
  }
}

FrameRef TestStream::Seal(uint16_t flags) {
  const uint64_t last = position_.sequence.value() + records_;
  const uint64_t digest = StreamDigest(position_.digest, open_.payload());
  FrameRef frame = open_.Seal({
      .kind = FrameKind::kMutations,
      .flags = flags,
      .history = history_,
      .shard = shard_,
      .shard_count = shard_count_,
      .record_count = records_,
      .first_sequence = Next(position_.sequence),
      .last_sequence = Sequence(last),
      .stream_digest = digest,
      .sealed_at_ms = 77,
  });
  position_ = {.sequence = Sequence(last), .digest = digest};
  records_ = 0;
  return frame;
}

}  // namespace tidemark::wal
