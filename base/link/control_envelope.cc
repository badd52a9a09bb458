#include "base/link/control_envelope.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"
#include "fmt/format.h"

namespace tidemark {
namespace {

constexpr uint8_t kLayout = 1;
constexpr size_t kChecksumAt = 12;  // In the header; what is before it is under the checksum.

uint32_t Checksum(std::string_view header_bytes, std::string_view body) {
  return Crc32c(body, Crc32c(header_bytes.substr(0, kChecksumAt)));
}

}  // namespace

std::string ControlEnvelope::Encode(uint8_t type, std::string_view body) const {
  CHECK(body.size() <= kMaxControlBodyBytes);
  DCHECK(type > 0 && type <= types);
  std::string bytes(kControlHeaderBytes, '\0');
  char* p = StoreFixed(bytes.data(), magic);
  p = StoreFixed(p, kLayout);
  p = StoreFixed(p, type);
  p = StoreFixed(p, uint16_t{0});
  StoreFixed(p, static_cast<uint32_t>(body.size()));
  StoreFixed(bytes.data() + kChecksumAt, Checksum(bytes, body));
  bytes += body;
  return bytes;
}

absl::StatusOr<ControlHeader> ControlEnvelope::DecodeHeader(std::string_view bytes) const {
  DCHECK(bytes.size() == kControlHeaderBytes);
  const char* p = bytes.data();
  if (LoadFixed<uint32_t>(p) != magic) {
    return absl::InvalidArgumentError("not a control message");
  }
  const auto layout = LoadFixed<uint8_t>(p + 4);
  if (layout != kLayout) {
    return absl::InvalidArgumentError(fmt::format("control message of unknown layout {}", layout));
  }
  ControlHeader header;
  header.type = LoadFixed<uint8_t>(p + 5);
  if (header.type == 0 || header.type > types) {
    return absl::InvalidArgumentError(
        fmt::format("control message of unknown type {}", header.type));
  }
  if (LoadFixed<uint16_t>(p + 6) != 0) {
    return absl::InvalidArgumentError("control message with a reserved bit set");
  }
  header.body_bytes = LoadFixed<uint32_t>(p + 8);
  if (header.body_bytes > kMaxControlBodyBytes) {
    return absl::InvalidArgumentError(fmt::format("control message of {} bytes; the limit is {}",
                                                  header.body_bytes, kMaxControlBodyBytes));
  }
  header.crc32c = LoadFixed<uint32_t>(p + kChecksumAt);
  return header;
}

absl::Status CheckControlBody(std::string_view header_bytes, const ControlHeader& header,
                              std::string_view body) {
  if (Checksum(header_bytes, body) != header.crc32c) {
    return absl::DataLossError("control message with a wrong checksum");
  }
  return absl::OkStatus();
}

}  // namespace tidemark
