#include "integration/simulation/contents.h"

#include "absl/status/statusor.h"
#include "base/format/record.h"
#include "base/key_hash.h"
#include "fmt/format.h"

namespace tidemark::simulation {
namespace {

void FlushShard(ShardId shard, int shard_count, Contents* contents) {
  std::erase_if(*contents, [&](const auto& entry) {
    return ShardOf(entry.first, KeyHash(entry.first), shard_count) == shard;
  });
}

// False: it changes a key that is not there.
bool ApplyRecord(const Record& record, const Frame& frame, Contents* contents) {
  const std::string key(record.key);
  switch (record.op) {
    case RecordOp::kSet:
      (*contents)[key] = {std::string(record.value), record.expiry};
      return true;
    case RecordOp::kDelete:
      return contents->erase(key) == 1;
    case RecordOp::kExpire: {
      const auto found = contents->find(key);
      if (found == contents->end()) return false;
      found->second.expiry = record.expiry;
      return true;
    }
    case RecordOp::kFlush:
      FlushShard(frame.shard(), frame.shard_count(), contents);
      return true;
    case RecordOp::kTransaction:
      return true;
    case RecordOp::kSetRange: {
      std::string& value = (*contents)[key].value;
      if (value.size() < record.offset + record.value.size()) {
        value.resize(record.offset + record.value.size());
      }
      value.replace(record.offset, record.value.size(), record.value);
      return true;
    }
  }
  return false;
}

}  // namespace

std::string ApplyFrame(const Frame& frame, Sequence from, Sequence through, Contents* contents) {
  const bool all = frame.kind() == FrameKind::kSnapshotChunk;
  RecordReader reader(frame);
  Record record;
  std::string fault;
  for (Sequence at = frame.first_sequence();; at = Next(at)) {
    const absl::StatusOr<bool> got = reader.Next(&record);
    if (!got.ok()) return got.status().ToString();
    if (!*got) return fault;
    if (!all && (at < from || at > through)) continue;
    if (!ApplyRecord(record, frame, contents) && fault.empty()) {
      fault =
          fmt::format("shard {} sequence {} ({}) changes {}, which is not there",
                      frame.shard().value(), at.value(), static_cast<int>(record.op), record.key);
    }
  }
}

std::string Difference(const Contents& expected, const Contents& actual) {
  if (expected == actual) return "";
  const auto shown = [](const cache::StoredValue& stored) {
    return fmt::format("{:.24} ({} bytes, expiry {})", stored.value, stored.value.size(),
                       cache::ToText(stored.expiry));
  };
  for (const auto& [key, stored] : expected) {
    const auto found = actual.find(key);
    if (found == actual.end()) return fmt::format("{} is absent, not {}", key, shown(stored));
    if (found->second == stored) continue;
    return fmt::format("{} is {}, not {}", key, shown(found->second), shown(stored));
  }
  for (const auto& [key, stored] : actual) {
    if (!expected.contains(key)) return fmt::format("{} is {}, not absent", key, shown(stored));
  }
  return "";
}

}  // namespace tidemark::simulation
