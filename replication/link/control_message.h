// Control messages of the replication link as bytes: a 16-byte header and a Protobuf body
// (docs/protocol.md, "Stream").

#ifndef TIDEMARK_REPLICATION_LINK_CONTROL_MESSAGE_H_
#define TIDEMARK_REPLICATION_LINK_CONTROL_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "replication/link/control.pb.h"

namespace tidemark::replication {

// In the order of their types on the wire, from 1.
using ControlMessage = std::variant<wire::Hello, wire::Accept, wire::Refuse, wire::SnapshotEnd,
                                    wire::Ack, wire::Heartbeat, wire::Goodbye>;

inline constexpr uint32_t kControlMagic = 0x434d4454;  // "TDMC" as bytes.
inline constexpr size_t kControlHeaderBytes = 16;
inline constexpr size_t kMaxControlBodyBytes = 128 << 10;

// Requires: the body fits kMaxControlBodyBytes. Vectors of kMaxShards do; texts are cut by their
// writers.
std::string EncodeControl(const ControlMessage& message);

// What the header says of the body that follows.
struct ControlHeader {
  uint8_t type = 0;
  uint32_t body_bytes = 0;
  uint32_t crc32c = 0;
};

// Requires: bytes.size() == kControlHeaderBytes.
// InvalidArgument: an unknown layout or type, a reserved bit, or a body that is too long.
absl::StatusOr<ControlHeader> DecodeControlHeader(std::string_view bytes);

// `header_bytes` is what DecodeControlHeader read. DataLoss: the checksum or the Protobuf encoding
// is wrong.
absl::StatusOr<ControlMessage> DecodeControlBody(std::string_view header_bytes,
                                                 const ControlHeader& header,
                                                 std::string_view body);

// "Hello", for messages to people.
std::string_view ControlName(const ControlMessage& message);

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_CONTROL_MESSAGE_H_
