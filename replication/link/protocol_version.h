// The version of the link protocol that this build speaks (docs/protocol.md, "Handshake").

#ifndef TIDEMARK_REPLICATION_LINK_PROTOCOL_VERSION_H_
#define TIDEMARK_REPLICATION_LINK_PROTOCOL_VERSION_H_

#include <cstdint>

namespace tidemark::replication {

inline constexpr uint32_t kProtocolVersion = 1;

}  // namespace tidemark::replication

#endif  // TIDEMARK_REPLICATION_LINK_PROTOCOL_VERSION_H_
