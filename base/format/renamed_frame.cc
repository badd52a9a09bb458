#include "base/format/renamed_frame.h"

#include <cstring>
#include <string_view>

#include "base/check.h"
#include "base/format/open_frame.h"

namespace tidemark {

FrameRef RenamedFrame(const Frame& frame, HistoryId history) {
  OpenFrame open;
  const std::string_view payload = frame.payload();
  char* const p = open.Reserve(payload.size());
  CHECK(p != nullptr);
  std::memcpy(p, payload.data(), payload.size());
  open.Commit(p + payload.size());
  FrameHeader header = frame.header();
  header.history = history;
  return open.Seal(header);
}

}  // namespace tidemark
