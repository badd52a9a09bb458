#include "wal/export/export_message.h"

#include <algorithm>
#include <array>
#include <variant>

namespace tidemark::wal {
namespace {

constexpr std::array<std::string_view, std::variant_size_v<ExportControl>> kNames = {
    "Hello", "Accept",    "Refuse",  "SnapshotEnd", "HistoryChange",
    "Ack",   "Heartbeat", "Goodbye", "Dial"};

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::string_view ExportControlName(const ExportControl& message) { return kNames[message.index()]; }

bool IsConsumerName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxConsumerNameBytes &&
         std::all_of(name.begin(), name.end(), IsNameByte);
}

void ToWire(const std::vector<LostRange>& lost, WireLostRanges* field) {
  field->Clear();
  for (const LostRange& range : lost) {
    wire::LostRange* out = field->Add();
    out->set_shard(range.shard.value());
    out->set_first(range.first.value());
    out->set_last(range.last.value());
  }
}

std::vector<LostRange> FromWire(const WireLostRanges& field) {
  std::vector<LostRange> lost;
  for (const wire::LostRange& range : field) {
    lost.push_back({.shard = ShardId(static_cast<uint16_t>(range.shard())),
                    .first = Sequence(range.first()),
                    .last = Sequence(range.last())});
  }
  return lost;
}

}  // namespace tidemark::wal
