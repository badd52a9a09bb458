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
  return open.Seal({.kind = frame.kind(),
                    .flags = frame.flags(),
                    .history = history,
                    .shard = frame.shard(),
                    .shard_count = frame.shard_count(),
                    .record_count = frame.record_count(),
                    .first_sequence = frame.first_sequence(),
                    .last_sequence = frame.last_sequence(),
                    .stream_digest = frame.stream_digest(),
                    .sealed_at_ms = frame.sealed_at_ms()});
}

}  // namespace tidemark
