// ControlCodec is the set of control messages of one protocol: Protobuf messages, in the order of
// their types on the wire, from 1.
//
//   using Codec = ControlCodec<0x434d4454, wire::Hello, wire::Accept, wire::Goodbye>;
//   std::string bytes = Codec::Encode(hello);

#ifndef TIDEMARK_BASE_LINK_CONTROL_CODEC_H_
#define TIDEMARK_BASE_LINK_CONTROL_CODEC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/link/control_envelope.h"

namespace tidemark {

template <uint32_t kMagic, typename... Messages>
struct ControlCodec {
  using Message = std::variant<Messages...>;
  static constexpr ControlEnvelope kEnvelope = {.magic = kMagic, .types = sizeof...(Messages)};

  // Requires: the body fits kMaxControlBodyBytes. Vectors of kMaxShards do; texts are cut by their
  // writers.
  static std::string Encode(const Message& message) {
    return std::visit(
        [&](const auto& typed) {
          return kEnvelope.Encode(static_cast<uint8_t>(message.index() + 1),
                                  typed.SerializeAsString());
        },
        message);
  }

  // Requires: the envelope knows `type`. DataLoss: the body is no such message.
  static absl::StatusOr<Message> Parse(uint8_t type, std::string_view body) {
    using Parser = absl::StatusOr<Message> (*)(std::string_view);
    constexpr std::array<Parser, sizeof...(Messages)> kParsers = {&ParseAs<Messages>...};
    return kParsers[type - 1](body);
  }

 private:
  template <typename Typed>
  static absl::StatusOr<Message> ParseAs(std::string_view body) {
    Typed typed;
    if (!typed.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      return absl::DataLossError("the body of a control message is not valid Protobuf");
    }
    return Message(std::move(typed));
  }
};

}  // namespace tidemark

#endif  // TIDEMARK_BASE_LINK_CONTROL_CODEC_H_
