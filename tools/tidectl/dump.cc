#include "tools/tidectl/dump.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "base/format/frame.h"
#include "base/format/record.h"
#include "tools/record_json/record_json.h"
#include "wal/segment_reader.h"
#include "wal/snapshot_reader.h"

namespace tidemark::tidectl {
namespace {

using tools::Json;

std::string Line(const Json& json) { return json.dump() + "\n"; }

// Where a frame stands, and how far its history goes in its shard.
struct Place {
  uint64_t segment = 0;
  uint64_t offset = 0;
  Sequence end;
};

absl::Status DumpFrame(const Frame& frame, const Place& place, const DumpOptions& options,
                       WriteText write) {
  uint32_t left = 0;  // Records of the transaction under way.
  uint64_t transaction = 0;
  RecordReader reader(frame);
  Record record;
  for (Sequence sequence = frame.first_sequence();; sequence = Next(sequence)) {
    const absl::StatusOr<bool> got = reader.Next(&record);
    if (!got.ok()) return got.status();
    if (!*got) return absl::OkStatus();
    const bool inside = left > 0;
    if (inside) --left;
    if (record.op == RecordOp::kTransaction) {
      transaction = record.transaction_id;
      left = record.transaction_records;
    }
    if (sequence <= options.after) continue;
    Json json;
    json["history"] = fmt::format("{:016x}", frame.history().value());
    json["segment"] = place.segment;
    json["segment_offset"] = place.offset;
    json["shard"] = frame.shard().value();
    json["sequence"] = sequence.value();
    json["sealed_at_ms"] = frame.sealed_at_ms();
    json["op"] = tools::NameOf(record.op);
    tools::SetRecord(record, {.value = !options.keys_only}, &json);
    if (inside) json["transaction"] = transaction;
    if (sequence > place.end) json["void"] = true;
    write(Line(json));
  }
}

}  // namespace

absl::Status DumpLog(const wal::DataDirectory& directory, const DumpOptions& options,
                     WriteText write) {
  const absl::StatusOr<std::vector<uint64_t>> numbers = directory.ListSegments();
  if (!numbers.ok()) return numbers.status();
  for (const uint64_t number : *numbers) {
    if (number < options.from_segment) continue;
    const bool newest = number == numbers->back();
    const absl::StatusOr<std::unique_ptr<wal::SegmentReader>> reader = wal::SegmentReader::Open(
        directory.disk(), directory.SegmentPath(number),
        {.directory = directory.id(),
         .number = number,
         .tail = newest ? wal::SegmentTail::kMayBeTorn : wal::SegmentTail::kSealed});
    if (!reader.ok()) return reader.status();
    while (true) {
      const absl::StatusOr<std::optional<wal::SegmentReader::Item>> item = (*reader)->Next();
      if (!item.ok()) return item.status();
      if (!item->has_value()) break;
      const Frame& frame = *(*item)->frame;
      if (options.shard.has_value() && frame.shard() != *options.shard) continue;
      Place place{.segment = number, .offset = (*item)->offset, .end = Sequence(UINT64_MAX)};
      const wal::Positions* const end = directory.manifest().EndOf(frame.history());
      if (end != nullptr && frame.shard().value() < end->size()) {
        place.end = (*end)[frame.shard().value()].sequence;
      }
      if (absl::Status s = DumpFrame(frame, place, options, write); !s.ok()) return s;
    }
  }
  return absl::OkStatus();
}

absl::Status DumpSnapshot(const wal::DataDirectory& directory, uint64_t number,
                          const DumpOptions& options, WriteText write) {
  const absl::StatusOr<std::unique_ptr<wal::SnapshotReader>> snapshot =
      wal::SnapshotReader::Open(directory.disk(), directory.SnapshotPath(number),
                                {.directory = directory.id(), .number = number});
  if (!snapshot.ok()) return snapshot.status();
  for (size_t i = 0; i < (*snapshot)->manifest().shards.size(); ++i) {
    const ShardId shard(static_cast<uint16_t>(i));
    if (options.shard.has_value() && shard != *options.shard) continue;
    const absl::StatusOr<std::unique_ptr<wal::SnapshotShardReader>> reader =
        (*snapshot)->OpenShard(shard);
    if (!reader.ok()) return reader.status();
    while (true) {
      const absl::StatusOr<FrameRef> chunk = (*reader)->Next();
      if (!chunk.ok()) return chunk.status();
      if (*chunk == nullptr) break;
      RecordReader records(**chunk);
      Record record;
      while (true) {
        const absl::StatusOr<bool> got = records.Next(&record);
        if (!got.ok()) return got.status();
        if (!*got) break;
        Json json;
        json["snapshot"] = number;
        json["history"] = fmt::format("{:016x}", (*chunk)->history().value());
        json["shard"] = i;
        json["op"] = "entry";
        tools::SetRecord(record, {.value = !options.keys_only}, &json);
        write(Line(json));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace tidemark::tidectl
