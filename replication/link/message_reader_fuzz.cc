// Whatever arrives on a link, in whatever pieces: no crash, no growth beyond what came, and the
// same outcome as in one piece.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "replication/link/control_message.h"

namespace tidemark::replication {
namespace {

// The messages read, and whether it ended in an error.
std::pair<int, bool> Read(std::string_view bytes, size_t piece, bool frames_allowed) {
  MessageReader reader({.frames_allowed = frames_allowed, .max_frame_bytes = 1 << 20});
  int messages = 0;
  while (!bytes.empty()) {
    std::string_view input = bytes.substr(0, piece);
    bytes.remove_prefix(input.size());
    while (true) {
      LinkMessage message;
      const absl::StatusOr<bool> got = reader.Next(&input, &message);
      if (!got.ok()) return {messages, true};
      if (!*got) break;
      ++messages;
      // What was read can be written again.
      if (auto* control = std::get_if<ControlMessage>(&message)) EncodeControl(*control);
    }
    CHECK(input.empty());
  }
  return {messages, false};
}

}  // namespace
}  // namespace tidemark::replication

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bool frames_allowed : {false, true}) {
    const auto whole =
        tidemark::replication::Read(bytes, std::max<size_t>(size, 1), frames_allowed);
    CHECK(whole == tidemark::replication::Read(bytes, 3, frames_allowed));
  }
  return 0;
}
