// ControlEnvelope is how control messages travel on a framed link: a 16-byte header with a checksum
// around a body that the link's own protocol gives a meaning to (docs/protocol.md, "Stream"). Links
// differ in their magic, so that a peer that dialled the wrong port is told so at its first bytes.
//
// Used by: ControlCodec (control_codec.h), EnvelopeReader (envelope_reader.h).

#ifndef TIDEMARK_BASE_LINK_CONTROL_ENVELOPE_H_
#define TIDEMARK_BASE_LINK_CONTROL_ENVELOPE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tidemark {

inline constexpr size_t kControlHeaderBytes = 16;
inline constexpr size_t kMaxControlBodyBytes = 128 << 10;

// What the header says of the body that follows.
struct ControlHeader {
  uint8_t type = 0;  // From 1.
  uint32_t body_bytes = 0;
  uint32_t crc32c = 0;
};

// The envelope of a link whose messages have the types 1 to `types`.
struct ControlEnvelope {
  uint32_t magic = 0;
  uint8_t types = 0;

  // Header and body. Requires: the body fits kMaxControlBodyBytes, the type is known.
  std::string Encode(uint8_t type, std::string_view body) const;

  // Requires: bytes.size() == kControlHeaderBytes.
  // InvalidArgument: an unknown layout or type, a reserved bit, or a body that is too long.
  absl::StatusOr<ControlHeader> DecodeHeader(std::string_view bytes) const;
};

// `header_bytes` is what DecodeHeader() read. DataLoss: the checksum is wrong.
absl::Status CheckControlBody(std::string_view header_bytes, const ControlHeader& header,
                              std::string_view body);

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_CONTROL_ENVELOPE_H_
