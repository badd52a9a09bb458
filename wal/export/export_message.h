// Control messages of the export stream as bytes, and what they say in our own types
// (docs/formats/export.md).

#ifndef TIDEMARK_WAL_EXPORT_EXPORT_MESSAGE_H_
#define TIDEMARK_WAL_EXPORT_EXPORT_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/link/control_codec.h"
#include "base/link/message_reader.h"
#include "google/protobuf/repeated_field.h"
#include "wal/export/export.pb.h"
#include "wal/export/export_position.h"

namespace tidemark::wal {

inline constexpr uint32_t kExportMagic = 0x584d4454;  // "TDMX" as bytes.
inline constexpr uint32_t kExportVersion = 1;
inline constexpr size_t kMaxConsumerNameBytes = 64;

// In the order of their types on the wire, from 1.
using ExportCodec =
    ControlCodec<kExportMagic, wire::Hello, wire::Accept, wire::Refuse, wire::SnapshotEnd,
                 wire::HistoryChange, wire::Ack, wire::Heartbeat, wire::Goodbye, wire::Dial>;
using ExportControl = ExportCodec::Message;
using ExportReader = MessageReader<ExportCodec>;
using ExportMessage = ExportReader::Message;

// "Hello", for messages to people.
std::string_view ExportControlName(const ExportControl& message);

// Whether it may name a consumer: 1 to 64 of A-Z a-z 0-9 . _ -
bool IsConsumerName(std::string_view name);

using WireLostRanges = google::protobuf::RepeatedPtrField<wire::LostRange>;
void ToWire(const std::vector<LostRange>& lost, WireLostRanges* field);
// What a peer says: shards and sequences are not checked.
std::vector<LostRange> FromWire(const WireLostRanges& field);

}  // namespace tidemark::wal

#endif  // TIDEMARK_WAL_EXPORT_EXPORT_MESSAGE_H_
