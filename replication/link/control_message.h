// Control messages of the replication link as bytes: a 16-byte header and a Protobuf body
// (docs/protocol.md, "Stream").

#ifndef TIDEMARK_REPLICATION_LINK_CONTROL_MESSAGE_H_
#define TIDEMARK_REPLICATION_LINK_CONTROL_MESSAGE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/link/control_codec.h"
#include "base/link/message_reader.h"
#include "replication/link/control.pb.h"

namespace tidemark::replication {

inline constexpr uint32_t kControlMagic = 0x434d4454;  // "TDMC" as bytes.

// In the order of their types on the wire, from 1.
using Codec =
    ControlCodec<kControlMagic, wire::Hello, wire::Accept, wire::Refuse, wire::SnapshotEnd,
                 wire::Ack, wire::Heartbeat, wire::Goodbye, wire::Promote>;
using ControlMessage = Codec::Message;
using MessageReader = tidemark::MessageReader<Codec>;
using LinkMessage = MessageReader::Message;

inline std::string EncodeControl(const ControlMessage& message) { return Codec::Encode(message); }

// "Hello", for messages to people.
std::string_view ControlName(const ControlMessage& message);

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_CONTROL_MESSAGE_H_
