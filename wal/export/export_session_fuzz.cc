// Whatever a peer sends to the export port, in whatever pieces: no crash, bounded output, and the
// same outcome as in one piece.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "wal/export/export_session.h"
#include "wal/export/fake_export_source.h"

namespace tidemark::wal {
namespace {

class Host final : public ExportHost {
 public:
  std::optional<wire::Refuse> Admit(const std::string& consumer) override {
    CHECK(IsConsumerName(consumer));
    return std::nullopt;
  }
  void OnPosition(const std::string&, const ExportPosition&, uint64_t) override {}
  int64_t UnixMillis() override { return 0; }
};

// The state that it ended in, and what was to be written. `pump`: frames are queued between the
// pieces, so that acks of them are good.
std::pair<ExportSession::State, std::string> Feed(std::string_view bytes, size_t piece, bool pump) {
  FakeExportSource source(HistoryId(7), 2);
  source.AppendAndSync(0, 3);
  source.AppendAndSync(1, 2);
  Host host;
  ExportSession::Options options;
  options.tokens = {.current = "s3cret", .previous = ""};
  ExportSession session(options, &host, &source, 0);
  while (!bytes.empty()) {
    session.OnBytes(bytes.substr(0, piece), 0);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    if (pump) session.Pump(1 << 20, 0);
  }
  CHECK(session.output_bytes() < 1 << 20);
  std::string said;
  for (std::vector<std::string_view> pieces;; pieces.clear()) {
    session.Gather(1, &pieces);
    if (pieces.empty()) break;
    said += pieces[0];
    session.OnWritten(pieces[0].size(), 0);
  }
  return {session.state(), said};
}

}  // namespace
}  // namespace tidemark::wal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CHECK(tidemark::wal::Feed(bytes, std::max<size_t>(size, 1), false) ==
        tidemark::wal::Feed(bytes, 3, false));
  tidemark::wal::Feed(bytes, 3, true);
  return 0;
}
