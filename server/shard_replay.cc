#include "server/shard_replay.h"

#include <string>
#include <vector>

#include "base/key_hash.h"
#include "cache/entry.h"

namespace tidemark::server {

absl::Status ShardReplay::Apply(const Frame& frame, Sequence from, Sequence through) {
  // One shard here or there: its keys are all keys of the other side's shard, or of all of them.
  takes_all_ = own_shards_ == 1 || own_shards_ == frame.shard_count();
  const bool is_chunk = frame.kind() == FrameKind::kSnapshotChunk;
  RecordReader reader(frame);
  Record record;
  Sequence sequence = frame.first_sequence();
  while (true) {
    const absl::StatusOr<bool> got = reader.Next(&record);
    if (!got.ok()) return got.status();
    if (!*got) break;
    if (!is_chunk) {
      const Sequence at = sequence;
      sequence = Next(sequence);
      if (at < from) continue;
      if (at > through) break;
    }
    switch (record.op) {
      case RecordOp::kTransaction:
        break;  // A marker: recovery has seen to it that all of it or nothing comes here.
      case RecordOp::kFlush:
        ApplyGroup();
        Flush(frame);
        break;
      default:
        Add(record);
        if (group_size_ == kGroup) ApplyGroup();
    }
  }
  ApplyGroup();
  return absl::OkStatus();
}

void ShardReplay::Add(const Record& record) {
  const cache::KeyRef key = cache::KeyRef::Of(record.key);
  if (!takes_all_ && ShardOf(key.key, key.hash, own_shards_) != own_) return;
  keyspace_.PrefetchBucket(key.hash);
  group_[group_size_++] = {record.op, key, record.value, record.expiry, record.offset};
}

void ShardReplay::ApplyGroup() {
  for (size_t i = 0; i < group_size_; ++i) keyspace_.PrefetchEntry(group_[i].key.hash);
  for (size_t i = 0; i < group_size_; ++i) ApplyOne(group_[i]);
  group_size_ = 0;
}

// A Set whose expiry has passed is stored all the same: it replaces the older value of its key, and
// the contents are then those that the log describes.
void ShardReplay::ApplyOne(const Pending& pending) {
  switch (pending.op) {
    case RecordOp::kSet:
      return keyspace_.ApplySet(pending.key, pending.value, pending.expiry);
    case RecordOp::kDelete:
      return keyspace_.ApplyDelete(pending.key);
    case RecordOp::kExpire:
      return keyspace_.ApplyExpiry(pending.key, pending.expiry);
    case RecordOp::kSetRange:
      return keyspace_.ApplySetRange(pending.key, pending.offset, pending.value);
    case RecordOp::kFlush:
    case RecordOp::kTransaction:
      return;  // Not put into groups.
  }
}

void ShardReplay::Flush(const Frame& frame) {
  if (frame.shard_count() == 1 || frame.shard_count() == own_shards_) return keyspace_.ApplyFlush();
  // It empties one shard of theirs, whose keys are some of ours, expired ones included.
  std::vector<std::string> keys;
  keyspace_.VisitAll([&](const cache::Entry& entry) {
    const std::string_view key = entry.key();
    if (ShardOf(key, KeyHash(key), frame.shard_count()) == frame.shard()) keys.emplace_back(key);
  });
  for (const std::string& key : keys) keyspace_.ApplyDelete(cache::KeyRef::Of(key));
}

}  // namespace tidemark::server
