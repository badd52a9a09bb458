// Whatever a node sends to a consumer, in whatever pieces: no crash, no growth beyond what came,
// and the same outcome as in one piece.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "wal/export/export_consumer.h"

namespace tidemark::wal {
namespace {

// The events, and whether it ended in an error.
std::pair<int, bool> Feed(std::string_view bytes, size_t piece, bool dialled) {
  ExportConsumer consumer({.name = "demo",
                           .token = "s3cret",
                           .start = {.from = ExportStart::From::kNow, .position = {}},
                           .dialled = dialled,
                           .max_frame_bytes = 1 << 20},
                          0);
  int events = 0;
  while (!bytes.empty()) {
    std::string_view input = bytes.substr(0, piece);
    bytes.remove_prefix(input.size());
    while (true) {
      ExportEvent event;
      const absl::StatusOr<bool> got = consumer.Next(&input, &event, 0);
      if (!got.ok()) return {events, true};
      if (!*got) break;
      ++events;
    }
    CHECK(input.empty());
  }
  return {events, false};
}

}  // namespace
}  // namespace tidemark::wal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bool dialled : {false, true}) {
    const auto whole = tidemark::wal::Feed(bytes, std::max<size_t>(size, 1), dialled);
    CHECK(whole == tidemark::wal::Feed(bytes, 3, dialled));
  }
  return 0;
}
