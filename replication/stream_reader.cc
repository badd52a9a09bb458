#include "replication/stream_reader.h"

#include <algorithm>

#include "base/format/record.h"

namespace tidemark::replication {

absl::Status ApplyRecords(const Frame& frame, KeyMap* state, std::set<std::string>* touched) {
  RecordReader reader(frame);
  Record record;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&record);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    const std::string key(record.key);
    switch (record.op) {
      case RecordOp::kSet:
        (*state)[key] = {std::string(record.value), record.expiry};
        break;
      case RecordOp::kDelete:
        state->erase(key);
        break;
      case RecordOp::kExpire:
        if (const auto it = state->find(key); it != state->end()) {
          it->second.second = record.expiry;
        }
        // It may have changed nothing, and then its entry comes when the walk reaches it.
        continue;
      case RecordOp::kSetRange: {
        std::string& value = (*state)[key].first;
        value.resize(std::max(value.size(), record.offset + record.value.size()));
        value.replace(record.offset, record.value.size(), record.value);
        break;
      }
      case RecordOp::kFlush:
        state->clear();
        continue;
      case RecordOp::kTransaction:
        continue;
    }
    touched->insert(key);
  }
}

absl::Status StreamReader::Take(const Frame& frame) {
  if (frame.kind() == FrameKind::kSnapshotChunk) return TakeChunk(frame);
  if (!synced_ && !in_snapshot_) return absl::DataLossError("a frame before the snapshot");
  if (frame.first_sequence() != Next(applied_)) return absl::DataLossError("a gap");
  if (StreamDigest(digest_, frame.payload()) != frame.stream_digest()) {
    return absl::DataLossError("another stream");
  }
  applied_ = frame.last_sequence();
  digest_ = frame.stream_digest();
  return ApplyRecords(frame, &state_, &touched_);
}

absl::Status StreamReader::TakeChunk(const Frame& chunk) {
  ++chunks_;
  if (chunk.is_first_chunk() == in_snapshot_)
    return absl::DataLossError("first chunk twice, or not");
  if (chunk.is_first_chunk()) {
    state_.clear();
    touched_.clear();
    shown_.clear();
    synced_ = false;
    in_snapshot_ = true;
    applied_ = watermark_ = chunk.last_sequence();
    digest_ = chunk.stream_digest();
  }
  if (chunk.last_sequence() != watermark_) return absl::DataLossError("another watermark");
  KeyMap entries;
  std::set<std::string> keys;
  if (absl::Status s = ApplyRecords(chunk, &entries, &keys); !s.ok()) return s;
  if (entries.size() != chunk.record_count()) return absl::DataLossError("a key twice in a chunk");
  for (const auto& [key, value] : entries) {
    if (!shown_.insert(key).second) return absl::DataLossError("a key in two chunks: " + key);
    if (!late_entries_ && touched_.contains(key)) {
      return absl::DataLossError("an entry after the mutation that displaced it: " + key);
    }
    state_[key] = value;
  }
  if (chunk.is_last_chunk()) {
    in_snapshot_ = false;
    synced_ = true;
  }
  return absl::OkStatus();
}

}  // namespace tidemark::replication
