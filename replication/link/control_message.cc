#include "replication/link/control_message.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/format/coding.h"
#include "fmt/format.h"

namespace tidemark::replication {
namespace {

constexpr uint8_t kLayout = 1;
constexpr size_t kChecksumAt = 12;  // In the header; what is before it is under the checksum.

constexpr std::array<std::string_view, std::variant_size_v<ControlMessage>> kNames = {
    "Hello", "Accept", "Refuse", "SnapshotEnd", "Ack", "Heartbeat", "Goodbye"};

uint32_t Checksum(std::string_view header_bytes, std::string_view body) {
  return Crc32c(body, Crc32c(header_bytes.substr(0, kChecksumAt)));
}

template <typename Message>
absl::StatusOr<ControlMessage> Parse(std::string_view body) {
  Message message;
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return absl::DataLossError("the body of a control message is not valid Protobuf");
  }
  return ControlMessage(std::move(message));
}

// Parse of the alternative `type` - 1.
template <size_t... Index>
absl::StatusOr<ControlMessage> ParseType(size_t type, std::string_view body,
                                         std::index_sequence<Index...>) {
  using Parser = absl::StatusOr<ControlMessage> (*)(std::string_view);
  constexpr std::array<Parser, sizeof...(Index)> kParsers = {
      &Parse<std::variant_alternative_t<Index, ControlMessage>>...};
  return kParsers[type - 1](body);
}

}  // namespace

std::string EncodeControl(const ControlMessage& message) {
  return std::visit(
      [&](const auto& typed) {
        const size_t body_bytes = typed.ByteSizeLong();
        CHECK(body_bytes <= kMaxControlBodyBytes);
        std::string bytes(kControlHeaderBytes, '\0');
        char* p = StoreFixed(bytes.data(), kControlMagic);
        p = StoreFixed(p, kLayout);
        p = StoreFixed(p, static_cast<uint8_t>(message.index() + 1));
        p = StoreFixed(p, uint16_t{0});
        p = StoreFixed(p, static_cast<uint32_t>(body_bytes));
        typed.AppendToString(&bytes);
        const std::string_view whole = bytes;
        StoreFixed(bytes.data() + kChecksumAt, Checksum(whole, whole.substr(kControlHeaderBytes)));
        return bytes;
      },
      message);
}

absl::StatusOr<ControlHeader> DecodeControlHeader(std::string_view bytes) {
  DCHECK(bytes.size() == kControlHeaderBytes);
  const char* p = bytes.data();
  if (LoadFixed<uint32_t>(p) != kControlMagic) {
    return absl::InvalidArgumentError("not a control message");
  }
  const auto layout = LoadFixed<uint8_t>(p + 4);
  if (layout != kLayout) {
    return absl::InvalidArgumentError(fmt::format("control message of unknown layout {}", layout));
  }
  ControlHeader header;
  header.type = LoadFixed<uint8_t>(p + 5);
  if (header.type == 0 || header.type > std::variant_size_v<ControlMessage>) {
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

absl::StatusOr<ControlMessage> DecodeControlBody(std::string_view header_bytes,
                                                 const ControlHeader& header,
                                                 std::string_view body) {
  if (Checksum(header_bytes, body) != header.crc32c) {
    return absl::DataLossError("control message with a wrong checksum");
  }
  return ParseType(header.type, body,
                   std::make_index_sequence<std::variant_size_v<ControlMessage>>());
}

std::string_view ControlName(const ControlMessage& message) { return kNames[message.index()]; }

}  // namespace tidemark::replication
