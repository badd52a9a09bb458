#include "tools/tideexport/change_json.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/format/record.h"
#include "tools/record_json/record_json.h"

namespace tidemark::tideexport {
namespace {

using tools::Json;

absl::Status AppendFrame(const Frame& frame, Sequence skip_through, std::string* lines) {
  const bool chunk = frame.kind() == FrameKind::kSnapshotChunk;
  std::string added;
  RecordReader reader(frame);
  Record record;
  for (Sequence sequence = frame.first_sequence();; sequence = Next(sequence)) {
    const absl::StatusOr<bool> got = reader.Next(&record);
    if (!got.ok()) return got.status();
    if (!*got) break;
    if (!chunk && sequence <= skip_through) continue;
    Json json;
    json["op"] = chunk ? std::string_view("entry") : tools::NameOf(record.op);
    json["history"] = fmt::format("{:016x}", frame.history().value());
    json["shard"] = frame.shard().value();
    json["sequence"] = (chunk ? frame.first_sequence() : sequence).value();
    if (!chunk) json["sealed_at_ms"] = frame.sealed_at_ms();
    tools::SetRecord(record, {}, &json);
    added += json.dump();
    added += '\n';
  }
  *lines += added;
  return absl::OkStatus();
}

Json PositionJson(const char* op, const wal::ExportPosition& position) {
  Json json;
  json["op"] = op;
  json["history"] = fmt::format("{:016x}", position.history.value());
  Json& positions = json["positions"] = Json::array();
  for (const Sequence sequence : position.sequences) positions.push_back(sequence.value());
  return json;
}

}  // namespace

absl::Status AppendJson(const wal::ExportEvent& event, std::string* lines) {
  if (const auto* changes = std::get_if<wal::Changes>(&event)) {
    return AppendFrame(*changes->frame, changes->skip_through, lines);
  }
  if (const auto* chunk = std::get_if<wal::SnapshotChunk>(&event)) {
    return AppendFrame(*chunk->frame, Sequence(), lines);
  }
  if (const auto* begins = std::get_if<wal::StreamBegins>(&event); begins && begins->snapshot) {
    *lines += PositionJson("snapshot_begin", begins->position).dump() + "\n";
  } else if (const auto* complete = std::get_if<wal::SnapshotComplete>(&event)) {
    *lines += Json{{"op", "snapshot_end"}, {"entries", complete->entries}}.dump() + "\n";
  } else if (const auto* changed = std::get_if<wal::HistoryChanged>(&event)) {
    *lines += PositionJson("history", changed->position).dump() + "\n";
  }
  return absl::OkStatus();
}

}  // namespace tidemark::tideexport
